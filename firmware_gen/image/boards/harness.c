/* Runs the model on an emulated chip, once for each input in the file input.bin: int8, one after the other.
 * output.bin receives the outputs, measured.bin for each input the words
 *   status of tfser_model_run; SysTick ticks that it took; bytes of stack that it took, 0xFFFFFFFF where it
 *   overran; number of parts that follow (0 without TFSER_PROFILE), for each its ticks and how often it began.
 * No library function is called: what the model needs of the C library must be the model's in the image. */
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

#include "semihosting.h"
#include "tfser_model.h"

extern void tfser_main(void);
extern void tfser_tick(void);
extern uint32_t tfser_stack_bottom[];

#define SYSTICK_CONTROL (*(volatile uint32_t *)0xE000E010u)
#define SYSTICK_RELOAD (*(volatile uint32_t *)0xE000E014u)
#define SYSTICK_CURRENT (*(volatile uint32_t *)0xE000E018u)
#define SYSTICK_ON 7u /* processor's clock, exception at zero, enabled */
#define SYSTICK_MOST 0xFFFFFFu

#define PAINT 0x5EED7A1Bu
#define OVERRUN 0xFFFFFFFFu
#define PROFILE_MOST 4096

typedef struct {
    int32_t status;
    uint32_t ticks, stack, parts;
} record;

alignas(TFSER_MODEL_ARENA_ALIGNMENT) static uint8_t arena[TFSER_MODEL_ARENA_BYTES];
static volatile uint32_t wraps;

void tfser_tick(void) { wraps = wraps + 1u; }

static void start_clock(void) {
    SYSTICK_CONTROL = 0;
    SYSTICK_RELOAD = SYSTICK_MOST;
    SYSTICK_CURRENT = 0;
    wraps = 0;
    SYSTICK_CONTROL = SYSTICK_ON;
}

/* The counter has 24 bits and counts down; an exception counts how often it came round. */
static uint32_t now(void) {
    uint32_t before, current;
    do {
        before = wraps;
        current = SYSTICK_CURRENT;
    } while (before != wraps);
    return (before << 24) + ((0u - current) & SYSTICK_MOST);
}

#if defined(TFSER_PROFILE)
#include "tfser_profile.h"

static struct {
    uint32_t ticks, began;
} parts[PROFILE_MOST];
static uint32_t running, since, number_of_parts;

void tfser_profile_part(int part) {
    const uint32_t stamp = now();
    parts[running].ticks += stamp - since;
    running = (uint32_t)part < PROFILE_MOST ? (uint32_t)part : PROFILE_MOST - 1u;
    parts[running].began++;
    number_of_parts = running; /* the last call names no part, but how many there are */
    since = now();
}

static void clear_profile(void) {
    for (uint32_t part = 0; part < PROFILE_MOST; part++) {
        parts[part].ticks = parts[part].began = 0;
    }
    running = PROFILE_MOST - 1u;
    since = 0;
}
#endif

/* The stack below this function's own is painted, and what lost its paint was used. */
__attribute__((noinline)) static void infer(record *found) {
    uint32_t *stack;
    __asm volatile("mov %0, sp" : "=r"(stack));
    for (uint32_t *word = tfser_stack_bottom; word < stack; word++) {
        *(volatile uint32_t *)word = PAINT;
    }
    start_clock();
    found->status = tfser_model_run((const int8_t *)(arena + TFSER_MODEL_INPUT_OFFSET),
                                    (int8_t *)(arena + TFSER_MODEL_OUTPUT_OFFSET), arena);
    found->ticks = now();
    const uint32_t *deepest = tfser_stack_bottom;
    while (deepest < stack && *(const volatile uint32_t *)deepest == PAINT) {
        deepest++;
    }
    found->stack = deepest == tfser_stack_bottom ? OVERRUN : (uint32_t)(stack - deepest) * 4u;
}

static uint32_t open_file(const char *name, uint32_t length, uint32_t mode) {
    const struct {
        const char *name;
        uint32_t mode, length;
    } words = {name, mode, length};
    const int32_t handle = semihosting(SEMIHOSTING_OPEN, &words);
    if (handle < 0) {
        leave(LEAVE_NO_FILE);
    }
    return (uint32_t)handle;
}

/* Bytes that were not moved. */
static uint32_t move(int32_t operation, uint32_t handle, const void *data, uint32_t length) {
    const struct {
        uint32_t handle;
        const void *data;
        uint32_t length;
    } words = {handle, data, length};
    return (uint32_t)semihosting(operation, &words);
}

static void write_all(uint32_t handle, const void *data, uint32_t length) {
    if (move(SEMIHOSTING_WRITE, handle, data, length) != 0) {
        leave(LEAVE_NOT_WRITTEN);
    }
}

#define OPEN(name, mode) open_file(name, sizeof(name) - 1u, mode)

void tfser_main(void) {
    const uint32_t input = OPEN("input.bin", SEMIHOSTING_MODE_READ);
    const uint32_t output = OPEN("output.bin", SEMIHOSTING_MODE_WRITE);
    const uint32_t measured = OPEN("measured.bin", SEMIHOSTING_MODE_WRITE);
    for (;;) {
        for (size_t i = 0; i < sizeof arena; i++) { /* the result must not depend on what the arena held */
            arena[i] = (uint8_t)(i * 151u + 77u);
        }
        const uint32_t missing =
            move(SEMIHOSTING_READ, input, arena + TFSER_MODEL_INPUT_OFFSET, TFSER_MODEL_INPUT_BYTES);
        if (missing != 0) {
            leave(missing == TFSER_MODEL_INPUT_BYTES ? LEAVE_DONE : LEAVE_CUT_INPUT);
        }
        record found = {0, 0, 0, 0};
#if defined(TFSER_PROFILE)
        clear_profile();
#endif
        infer(&found);
        write_all(output, arena + TFSER_MODEL_OUTPUT_OFFSET, TFSER_MODEL_OUTPUT_BYTES);
#if defined(TFSER_PROFILE)
        found.parts = number_of_parts;
        write_all(measured, &found, sizeof found);
        write_all(measured, parts, number_of_parts * 8u);
#else
        write_all(measured, &found, sizeof found);
#endif
    }
}
