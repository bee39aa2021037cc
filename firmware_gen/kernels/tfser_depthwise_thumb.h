/* Armv7-M, with SMLAD or without: sums of neighbouring outputs, four at a time, their codes, and codes widened. Written
 * as assembly: compilers load and store words one by one, and find no registers for so many numbers. */
#ifndef TFSER_DEPTHWISE_THUMB_H
#define TFSER_DEPTHWISE_THUMB_H

#include "tfser_depthwise_mla.h"
#include "tfser_depthwise_smlad.h"

#if defined(TFSER_THUMB)

/* r0 points to a structure and stays on the stack, with two words of scratch behind it. */
#define TFSER_BEGIN "push {r0, r1, r2, r7}\n"
#define TFSER_END                      \
    "pop {r0, r1, r2, r7}\n"           \
    : "+r"(of)                         \
    :                                  \
    : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory"
#define TFSER_ASSEMBLY(name, type, text)                      \
    static __attribute__((noinline)) void name(type *state) { \
        register type *of __asm("r0") = state;                \
        __asm volatile(TFSER_BEGIN text TFSER_END);           \
    }

/* A block of outputs, 3 x 3 taps: r9 columns, r10 the bias and weights, r11 bytes between rows. Sums in r0 to r3; of the
 * first row of taps all but the first begin with r0, the bias. */
#define TFSER_FROM_BIAS(sum) "r0\n"
#define TFSER_FROM_SUM(sum) sum "\n"
#define TFSER_BLOCK_OF_3(row)                             \
    "ldr r0, [r10]\n" TFSER_TAPS_0 row(TFSER_FROM_BIAS)   \
    "add r9, r11\n" TFSER_TAPS_1 row(TFSER_FROM_SUM)      \
    "add r9, r11\n" TFSER_TAPS_2 row(TFSER_FROM_SUM)

#define TFSER_SUMS_OF_3(four, two, advance)              \
    "ldm r0, {r9, r10, r11, lr}\n"                       \
    "ldr r4, [r0, #16]\n"                                \
    "strd r9, r4, [sp, #4]\n" /* a row, rows left */     \
    "1: ldr r12, [r0, #24]\n"                            \
    "cmp r12, #0\n"                                      \
    "beq 3f\n"                                           \
    "2:\n" TFSER_BLOCK_OF_3(four)                        \
    "sub r9, r9, r11, lsl #1\n"                          \
    "add r9, #" advance "\n"                             \
    "stm lr!, {r0, r1, r2, r3}\n"                        \
    "subs r12, #1\n"                                     \
    "bne 2b\n"                                           \
    "ldr r0, [sp]\n"                                     \
    "3: ldr r1, [r0, #28]\n"                             \
    "cmp r1, #0\n"                                       \
    "beq 4f\n" TFSER_BLOCK_OF_3(two)                     \
    "stm lr!, {r0, r1}\n"                                \
    "ldr r0, [sp]\n"                                     \
    "4: ldrd r9, r4, [sp, #4]\n"                         \
    "ldr r1, [r0, #20]\n"                                \
    "add r9, r1\n"                                       \
    "subs r4, #1\n"                                      \
    "strd r9, r4, [sp, #4]\n"                            \
    "bne 1b\n"
/* A row of outputs, any taps: r12 weights, r11 columns. On the stack: where the block begins, its sums, blocks left; then
 * the weights, rows of taps, turns, the rest, the gap; rows of taps left. */
#define TFSER_SUMS_OF_ANY(some_taps, rest, advance) \
    "ldr r9, [r0]\n"                                \
    "ldr r12, [r0, #24]\n"                          \
    "ldr r11, [r0, #12]\n"                          \
    "ldr r3, [r0, #4]\n"                            \
    "add r4, r0, #32\n"                             \
    "ldm r4, {r4, r5, r6, r7}\n"                    \
    "push {r3, r4, r5, r6, r7, r8}\n"               \
    "1: push {r9, r11, r12}\n" /* a block */        \
    "ldrd r12, r4, [sp, #12]\n"                     \
    "mov r11, r9\n"                                 \
    "ldm r12!, {r0, r1, r2, r3}\n"                  \
    "2: str r4, [sp, #32]\n" /* a row of taps */    \
    "ldr lr, [sp, #20]\n"                           \
    "cmp lr, #0\n"                                  \
    "beq 4f\n"                                      \
    "3:\n" some_taps                                \
    "subs lr, #1\n"                                 \
    "bne 3b\n"                                      \
    "4: ldrd r4, r5, [sp, #24]\n"                   \
    "cbz r4, 5f\n" rest                             \
    "5: ldr r4, [sp, #32]\n"                        \
    "add r11, r5\n"                                 \
    "subs r4, #1\n"                                 \
    "bne 2b\n"                                      \
    "pop {r9, r11, r12}\n"                          \
    "add r9, #" advance "\n"                        \
    "subs r12, #1\n"                                \
    "stm r11!, {r0, r1, r2, r3}\n"                  \
    "bne 1b\n"                                      \
    "add sp, #24\n"

/* Codes of doubled sums, right in [2, 12], limits -128 and 127. With y = (2 * sum * multiplier + 2^31) >> 32 and factor =
 * 2^(32 - right) + 1, (y * factor + 2^31) >> 32 is y / 2^right to nearest: what the factor has above 2^(32 - right) takes
 * ties away from zero, and is too small to count otherwise where |y| < 2^(32 - right); beyond, the code is at a limit. */
#define TFSER_LOOK_UP(code) "ldrsb " code ", [r10, " code "]\n"
TFSER_ASSEMBLY(tfser_fast_codes, const tfser_codes,
               "ldm r0, {r4, r5, r6, r7, r8, r9, r10, r12}\n"
               "strd r5, r12, [sp, #4]\n" /* a row, rows left */
               "1: ldr r12, [r0, #36]\n"
               "cmp r12, #0\n"
               "beq 4f\n"
               "2: ldm r4!, {r0, r1, r2, r3}\n"
               "add r11, r5, r6, lsl #1\n"
               "cmp r10, #0\n"
               TFSER_SCALE("r0") TFSER_SCALE("r1") TFSER_SCALE("r2") TFSER_SCALE("r3")
               "beq 3f\n"
               TFSER_LOOK_UP("r0") TFSER_LOOK_UP("r1") TFSER_LOOK_UP("r2") TFSER_LOOK_UP("r3")
               "3: strb r0, [r5]\n"
               "strb r1, [r5, r6]\n"
               "strb r2, [r11]\n"
               "strb r3, [r11, r6]\n"
               "add r5, r11, r6, lsl #1\n"
               "subs r12, #1\n"
               "bne 2b\n"
               "ldr r0, [sp]\n"
               "4: ldrd r12, r11, [r0, #40]\n"
               "cmp r12, #0\n"
               "beq 7f\n"
               "5: ldr r1, [r4], #4\n"
               "cmp r10, #0\n"
               TFSER_SCALE("r1")
               "beq 6f\n"
               TFSER_LOOK_UP("r1")
               "6: strb r1, [r5]\n"
               "add r5, r6\n"
               "subs r12, #1\n"
               "bne 5b\n"
               "7: ldrd r5, r2, [sp, #4]\n"
               "ldr r3, [r0, #32]\n"
               "add r4, r11\n"
               "add r5, r3\n"
               "subs r2, #1\n"
               "strd r5, r2, [sp, #4]\n"
               "bne 1b\n")

/* Rows of codes to rows of int16. */
TFSER_ASSEMBLY(tfser_widen_rows, const tfser_widening,
               "ldm r0, {r4, r5, r6, r7, r8, r9, r10}\n"
               "1: ldr r1, [r0, #28]\n"
               "mov r11, r4\n"
               "mov r12, r5\n"
               "cbz r1, 2f\n"
               "ldrsb r1, [r11]\n"
               "add r11, r6\n"
               "strh r1, [r12], #2\n"
               "2: ldr r0, [r0, #32]\n"
               "cbz r0, 4f\n"
               "3: ldrsb r1, [r11]\n"
               "ldrsb r2, [r11, r6]\n"
               "ldrsb r3, [r11, r6, lsl #1]\n"
               "ldrsb lr, [r11, r7]\n"
               "add r11, r11, r6, lsl #2\n"
               "bfi r1, r2, #16, #16\n"
               "bfi r3, lr, #16, #16\n"
               "strd r1, r3, [r12], #8\n"
               "subs r0, #1\n"
               "bne 3b\n"
               "4: ldr r0, [sp]\n"
               "ldr r2, [r0, #36]\n"
               "cbz r2, 6f\n"
               "5: ldrsb r1, [r11]\n"
               "add r11, r6\n"
               "strh r1, [r12], #2\n"
               "subs r2, #1\n"
               "bne 5b\n"
               "6: add r4, r8\n"
               "add r5, r9\n"
               "subs r10, #1\n"
               "bne 1b\n")

#endif

#endif /* TFSER_DEPTHWISE_THUMB_H */
