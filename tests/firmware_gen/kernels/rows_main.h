/* What a test program of the kernels needs of its surroundings: the host, or a bare board of Arm's (mps) under QEMU,
 * where it starts by itself, speaks by semihosting, and counts instructions with SysTick (-icount shift=0). */
#ifndef ROWS_MAIN_H
#define ROWS_MAIN_H

#include <stdint.h>
#include <string.h>

int main(void);

#if defined(__ARM_ARCH) && !defined(__linux__)
#define SYSTICK ((volatile uint32_t *)0xE000E010)
#if !defined(INSTRUCTIONS_A_TICK_TIMES_4)
#define INSTRUCTIONS_A_TICK_TIMES_4 125 /* mps3-an547; 160 on mps2 with M3, M4, M7; 200 on mps2-an505 */
#endif

static int semihost(int operation, const void *argument) {
    register int r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}
static void say(const char *text) { (void)semihost(4, text); }
static uint32_t ticks(void) { return SYSTICK[2]; }

static void number(uint32_t value) {
    char text[12];
    int at = 11;
    text[at] = 0;
    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    say(text + at);
}

__attribute__((noreturn)) void reset(void);
__attribute__((noreturn)) void fault(void);
void reset(void) {
    extern uint32_t data_load[], data_start[], data_end[], bss_end[];
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* CPACR: floating point and Helium */
    __asm volatile("dsb\n isb" ::: "memory");
    (void)memcpy(data_start, data_load, (size_t)((char *)data_end - (char *)data_start));
    (void)memset(data_end, 0, (size_t)((char *)bss_end - (char *)data_end));
    SYSTICK[1] = 0xFFFFFF;
    SYSTICK[2] = 0;
    SYSTICK[0] = 5;
    const int failed = main();
    const int ended[2] = {0x20026, failed};
    (void)semihost(0x20, ended);
    for (;;) {
    }
}
void fault(void) {
    const int ended[2] = {0x20026, 99};
    say("fault\n");
    (void)semihost(0x20, ended);
    for (;;) {
    }
}
extern uint32_t stack_top[];
__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
    stack_top, (void *)reset, (void *)fault, (void *)fault, (void *)fault, (void *)fault, (void *)fault};

static inline void spent(int call, uint32_t start) {
    const uint32_t count = ((start - ticks()) & 0xFFFFFF) * INSTRUCTIONS_A_TICK_TIMES_4 / 4;
    say("count ");
    number((uint32_t)call);
    say(" ");
    number(count);
    say("\n");
}
#else
#include <stdio.h>
static void say(const char *text) { (void)fputs(text, stdout); }
static uint32_t ticks(void) { return 0; }
static void number(uint32_t value) { (void)printf("%u", (unsigned)value); }
static inline void spent(int call, uint32_t start) {
    (void)call;
    (void)start;
}
#endif

static inline int same(int call, const int8_t *got, const int8_t *want, int size) {
    for (int i = 0; i < size; i++) {
        if (got[i] != want[i]) {
            say("call ");
            number((uint32_t)call);
            say(" differs at ");
            number((uint32_t)i);
            say(": got "); /* codes + 128 */
            number((uint32_t)(got[i] + 128));
            say(", expected ");
            number((uint32_t)(want[i] + 128));
            say(" (codes + 128)\n");
            return 1;
        }
    }
    return 0;
}

#endif
