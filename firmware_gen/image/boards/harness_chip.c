/* platform.h on an emulated chip: files through semihosting, SysTick as the clock. */
#include "platform.h"
#include "semihosting.h"

extern void tfser_main(void);
extern void tfser_tick(void);
extern uint32_t tfser_stack_bottom[];

#define SYSTICK_CONTROL (*(volatile uint32_t *)0xE000E010u)
#define SYSTICK_RELOAD (*(volatile uint32_t *)0xE000E014u)
#define SYSTICK_CURRENT (*(volatile uint32_t *)0xE000E018u)
#define SYSTICK_ON 7u /* processor's clock, exception at zero, enabled */
#define SYSTICK_MOST 0xFFFFFFu

#define PAINT 0x5EED7A1Bu

static volatile uint32_t wraps;
static uint32_t input, output, measured;

void tfser_main(void) { harness_run(); }

void tfser_tick(void) { wraps = wraps + 1u; }

void platform_leave(uint32_t code) { leave(code); }

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

#define OPEN(name, mode) open_file(name, sizeof(name) - 1u, mode)

void platform_open(void) {
    input = OPEN(INPUT_FILE, SEMIHOSTING_MODE_READ);
    output = OPEN(OUTPUT_FILE, SEMIHOSTING_MODE_WRITE);
    measured = OPEN(MEASURED_FILE, SEMIHOSTING_MODE_WRITE);
}

/* Bytes that were not moved. */
static uint32_t move(int32_t operation, uint32_t handle, const void *data, uint32_t bytes) {
    const struct {
        uint32_t handle;
        const void *data;
        uint32_t bytes;
    } words = {handle, data, bytes};
    return (uint32_t)semihosting(operation, &words);
}

uint32_t platform_read(void *data, uint32_t bytes) { return move(SEMIHOSTING_READ, input, data, bytes); }

static void write_all(uint32_t handle, const void *data, uint32_t bytes) {
    if (move(SEMIHOSTING_WRITE, handle, data, bytes) != 0) {
        leave(LEAVE_NOT_WRITTEN);
    }
}

void platform_write_output(const void *data, uint32_t bytes) { write_all(output, data, bytes); }

void platform_write_measured(const void *data, uint32_t bytes) { write_all(measured, data, bytes); }

void platform_start_clock(void) {
    SYSTICK_CONTROL = 0;
    SYSTICK_RELOAD = SYSTICK_MOST;
    SYSTICK_CURRENT = 0;
    wraps = 0;
    SYSTICK_CONTROL = SYSTICK_ON;
}

/* The counter has 24 bits and counts down; an exception counts how often it came round. */
uint32_t platform_ticks(void) {
    uint32_t before, current;
    do {
        before = wraps;
        current = SYSTICK_CURRENT;
    } while (before != wraps);
    return (before << 24) + ((0u - current) & SYSTICK_MOST);
}

/* Its own frame, a few words below `stack`, stays unpainted. */
void platform_paint(uint32_t *stack) {
    const uint32_t *const own = stack_pointer();
    for (uint32_t *word = tfser_stack_bottom; word < own && word < stack; word++) {
        *(volatile uint32_t *)word = PAINT;
    }
}

uint32_t platform_stack_used(const uint32_t *stack) {
    const uint32_t *deepest = tfser_stack_bottom;
    while (deepest < stack && *(const volatile uint32_t *)deepest == PAINT) {
        deepest++;
    }
    return deepest == tfser_stack_bottom ? STACK_OVERRUN : (uint32_t)(stack - deepest) * 4u;
}
