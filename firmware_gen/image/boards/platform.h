/* What the harness needs of the machine that it runs on. No library function is called in it: what the image holds of
 * the C library must be the model's. */
#ifndef TFSER_PLATFORM_H
#define TFSER_PLATFORM_H

#include <stdint.h>

#include "exit_codes.h"

/* Files are those of the folder in which the program runs. */
#define INPUT_FILE "input.bin"
#define OUTPUT_FILE "output.bin"
#define MEASURED_FILE "measured.bin"

/* Ends the program with a code of exit_codes.h. */
__attribute__((noreturn)) void platform_leave(uint32_t code);

void platform_open(void);
/* Reads the input file on; returns the bytes that were missing at its end. */
uint32_t platform_read(void *data, uint32_t bytes);
void platform_write_output(const void *data, uint32_t bytes);
void platform_write_measured(const void *data, uint32_t bytes);

/* A clock that counts ticks of instructions from platform_start_clock on; always 0 where there is none. */
void platform_start_clock(void);
uint32_t platform_ticks(void);

/* The stack pointer of the function that it stands in. */
#if defined(__arm__)
static inline __attribute__((always_inline)) uint32_t *stack_pointer(void) {
    uint32_t *stack;
    __asm volatile("mov %0, sp" : "=r"(stack));
    return stack;
}
#else
#define stack_pointer() ((uint32_t *)0)
#endif

#define STACK_OVERRUN 0xFFFFFFFFu

/* The stack below `stack` is painted, and what loses its paint is used. */
void platform_paint(uint32_t *stack);
/* Bytes below `stack` that were used since, or STACK_OVERRUN; 0 where there is no paint. */
uint32_t platform_stack_used(const uint32_t *stack);

/* The program itself, which ends with platform_leave. */
__attribute__((noreturn)) void harness_run(void);

#endif /* TFSER_PLATFORM_H */
