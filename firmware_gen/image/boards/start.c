/* Start-up of an emulated Cortex-M. The emulator has loaded every section, initialised data included, and zeroed the
 * rest, so that only the coprocessors are left to do. */
#include <stdint.h>

#include "exit_codes.h"
#include "semihosting.h"

extern uint32_t tfser_stack_top[];
extern void tfser_main(void);
extern void tfser_tick(void);

__attribute__((noreturn)) void tfser_reset(void);
__attribute__((noreturn)) void tfser_fault(void);

typedef union {
    uint32_t *stack;
    void (*handler)(void);
} vector;

/* Architecture's order: stack, reset, NMI, five faults, reserved, SVCall, debug, reserved, PendSV, SysTick. */
__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    {.stack = tfser_stack_top}, {.handler = tfser_reset}, {.handler = tfser_fault}, {.handler = tfser_fault},
    {.handler = tfser_fault},   {.handler = tfser_fault}, {.handler = tfser_fault}, {.handler = tfser_fault},
    {.handler = tfser_fault},   {.handler = tfser_fault}, {.handler = tfser_fault}, {.handler = tfser_fault},
    {.handler = tfser_fault},   {.handler = tfser_fault}, {.handler = tfser_fault}, {.handler = tfser_tick},
};

void tfser_reset(void) {
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    volatile uint32_t *const coprocessor_access = (volatile uint32_t *)0xE000ED88u;
    *coprocessor_access |= 0xFu << 20; /* floating point and Helium: full access to CP10 and CP11 */
    __asm volatile("dsb\n isb" ::: "memory");
#endif
    tfser_main();
    leave(LEAVE_DONE);
}

void tfser_fault(void) { leave(LEAVE_FAULT); }
