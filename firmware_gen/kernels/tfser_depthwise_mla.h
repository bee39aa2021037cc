/* Armv7-M, which has no SMLAD: taps one by one. They are held as words, row by row. */
#ifndef TFSER_DEPTHWISE_MLA_H
#define TFSER_DEPTHWISE_MLA_H

#include "tfser_depthwise.h"

#if !defined(TFSER_SMMULR)

/* 3 x 3 taps: a row of taps in r6, r7, r8, a column in r4. */
#define TFSER_TAPS_0 "add r5, r10, #16\n ldm r5, {r6, r7, r8}\n"
#define TFSER_TAPS_1 "add r5, r10, #28\n ldm r5, {r6, r7, r8}\n"
#define TFSER_TAPS_2 "add r5, r10, #40\n ldm r5, {r6, r7, r8}\n"
#define TFSER_FOUR_OF_3(bias) \
    "ldrsh r4, [r9, #10]\n" \
    "mla r3, r4, r8, " bias("r3") \
    "ldrsh r4, [r9, #8]\n" \
    "mla r3, r4, r7, r3\n" \
    "mla r2, r4, r8, " bias("r2") \
    "ldrsh r4, [r9, #6]\n" \
    "mla r3, r4, r6, r3\n" \
    "mla r2, r4, r7, r2\n" \
    "mla r1, r4, r8, " bias("r1") \
    "ldrsh r4, [r9, #4]\n" \
    "mla r2, r4, r6, r2\n" \
    "mla r1, r4, r7, r1\n" \
    "mla r0, r4, r8, r0\n" \
    "ldrsh r4, [r9, #2]\n" \
    "mla r1, r4, r6, r1\n" \
    "mla r0, r4, r7, r0\n" \
    "ldrsh r4, [r9]\n" \
    "mla r0, r4, r6, r0\n"
#define TFSER_TWO_OF_3(bias) \
    "ldrsh r4, [r9, #6]\n" \
    "mla r1, r4, r8, " bias("r1") \
    "ldrsh r4, [r9, #4]\n" \
    "mla r1, r4, r7, r1\n" \
    "mla r0, r4, r8, r0\n" \
    "ldrsh r4, [r9, #2]\n" \
    "mla r1, r4, r6, r1\n" \
    "mla r0, r4, r7, r0\n" \
    "ldrsh r4, [r9]\n" \
    "mla r0, r4, r6, r0\n"
#define TFSER_FOUR_OF_3_BY_2(bias) \
    "ldrsh r4, [r9, #16]\n" \
    "mla r3, r4, r8, " bias("r3") \
    "ldrsh r4, [r9, #14]\n" \
    "mla r3, r4, r7, r3\n" \
    "ldrsh r4, [r9, #12]\n" \
    "mla r3, r4, r6, r3\n" \
    "mla r2, r4, r8, " bias("r2") \
    "ldrsh r4, [r9, #10]\n" \
    "mla r2, r4, r7, r2\n" \
    "ldrsh r4, [r9, #8]\n" \
    "mla r2, r4, r6, r2\n" \
    "mla r1, r4, r8, " bias("r1") \
    "ldrsh r4, [r9, #6]\n" \
    "mla r1, r4, r7, r1\n" \
    "ldrsh r4, [r9, #4]\n" \
    "mla r1, r4, r6, r1\n" \
    "mla r0, r4, r8, r0\n" \
    "ldrsh r4, [r9, #2]\n" \
    "mla r0, r4, r7, r0\n" \
    "ldrsh r4, [r9]\n" \
    "mla r0, r4, r6, r0\n"
#define TFSER_TWO_OF_3_BY_2(bias) \
    "ldrsh r4, [r9, #8]\n" \
    "mla r1, r4, r8, " bias("r1") \
    "ldrsh r4, [r9, #6]\n" \
    "mla r1, r4, r7, r1\n" \
    "ldrsh r4, [r9, #4]\n" \
    "mla r1, r4, r6, r1\n" \
    "mla r0, r4, r8, r0\n" \
    "ldrsh r4, [r9, #2]\n" \
    "mla r0, r4, r7, r0\n" \
    "ldrsh r4, [r9]\n" \
    "mla r0, r4, r6, r0\n"

/* Any taps: three, and as many as r4 says. */
#define TFSER_SOME_TAPS \
    "ldm r12!, {r6, r7, r8}\n" \
    "ldrsh r4, [r11]\n" \
    "mla r0, r4, r6, r0\n" \
    "ldrsh r4, [r11, #2]\n" \
    "mla r0, r4, r7, r0\n" \
    "mla r1, r4, r6, r1\n" \
    "ldrsh r4, [r11, #4]\n" \
    "mla r0, r4, r8, r0\n" \
    "mla r1, r4, r7, r1\n" \
    "mla r2, r4, r6, r2\n" \
    "ldrsh r4, [r11, #6]\n" \
    "mla r1, r4, r8, r1\n" \
    "mla r2, r4, r7, r2\n" \
    "mla r3, r4, r6, r3\n" \
    "ldrsh r4, [r11, #8]\n" \
    "mla r2, r4, r8, r2\n" \
    "mla r3, r4, r7, r3\n" \
    "ldrsh r4, [r11, #10]\n" \
    "mla r3, r4, r8, r3\n" \
    "add r11, #6\n"
#define TFSER_REST \
    "6: ldr r6, [r12], #4\n" \
    "ldrsh r7, [r11]\n" \
    "mla r0, r7, r6, r0\n" \
    "ldrsh r7, [r11, #2]\n" \
    "mla r1, r7, r6, r1\n" \
    "ldrsh r7, [r11, #4]\n" \
    "mla r2, r7, r6, r2\n" \
    "ldrsh r7, [r11, #6]\n" \
    "mla r3, r7, r6, r3\n" \
    "add r11, #2\n" \
    "subs r4, #1\n" \
    "bne 6b\n"
#define TFSER_SOME_TAPS_BY_2 \
    "ldm r12!, {r6, r7, r8}\n" \
    "ldrsh r4, [r11]\n" \
    "mla r0, r4, r6, r0\n" \
    "ldrsh r4, [r11, #2]\n" \
    "mla r0, r4, r7, r0\n" \
    "ldrsh r4, [r11, #4]\n" \
    "mla r0, r4, r8, r0\n" \
    "mla r1, r4, r6, r1\n" \
    "ldrsh r4, [r11, #6]\n" \
    "mla r1, r4, r7, r1\n" \
    "ldrsh r4, [r11, #8]\n" \
    "mla r1, r4, r8, r1\n" \
    "mla r2, r4, r6, r2\n" \
    "ldrsh r4, [r11, #10]\n" \
    "mla r2, r4, r7, r2\n" \
    "ldrsh r4, [r11, #12]\n" \
    "mla r2, r4, r8, r2\n" \
    "mla r3, r4, r6, r3\n" \
    "ldrsh r4, [r11, #14]\n" \
    "mla r3, r4, r7, r3\n" \
    "ldrsh r4, [r11, #16]\n" \
    "mla r3, r4, r8, r3\n" \
    "add r11, #6\n"
#define TFSER_REST_BY_2 \
    "6: ldr r6, [r12], #4\n" \
    "ldrsh r7, [r11]\n" \
    "mla r0, r7, r6, r0\n" \
    "ldrsh r7, [r11, #4]\n" \
    "mla r1, r7, r6, r1\n" \
    "ldrsh r7, [r11, #8]\n" \
    "mla r2, r7, r6, r2\n" \
    "ldrsh r7, [r11, #12]\n" \
    "mla r3, r7, r6, r3\n" \
    "add r11, #2\n" \
    "subs r4, #1\n" \
    "bne 6b\n"

/* y = (2 * sum * multiplier + 2^31) >> 32; (y * factor + 2^31) >> 32, zero point, limits. */
#define TFSER_SCALE(sum)                        \
    "smull lr, " sum ", " sum ", r7\n"          \
    "add " sum ", " sum ", lr, lsr #31\n"       \
    "smull lr, " sum ", " sum ", r8\n"          \
    "add " sum ", " sum ", lr, lsr #31\n"       \
    "add " sum ", r9\n"                         \
    "ssat " sum ", #8, " sum "\n"

static inline int32_t tfser_tap(const tfser_depthwise *of, int32_t ky, int32_t kx) {
    return of->weights[TFSER_BIASES + ky * of->along.kernel + kx];
}

/* Turns of the assembly in a row of taps, and how many taps are left. */
static inline void tfser_count_turns(tfser_depthwise *of) {
    of->sums.turns = of->along.kernel / 3;
    of->sums.rest = of->along.kernel % 3;
    of->sums.gap = of->sums.row - 2 * of->along.kernel;
}

/* Taps to scratch; gives their sum; all times `scale`. */
static inline int32_t tfser_load_taps(const tfser_depthwise *of, const int8_t *weights) {
    int32_t *to = of->weights + TFSER_BIASES;
    int32_t sum = 0;
    for (int32_t ky = of->down.kernel; ky > 0; ky--, weights += of->down.weight_step) {
        const int8_t *from = weights;
        for (int32_t kx = of->along.kernel; kx > 0; kx--, from += of->along.weight_step) {
            const int32_t w = *from * of->scale;
            sum += w;
            *to++ = w;
        }
    }
    return sum;
}

#endif

#endif /* TFSER_DEPTHWISE_MLA_H */
