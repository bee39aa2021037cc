/* Armv7E-M: taps in pairs.
 *
 * A row of taps w0, w1, ... is held as 0, w0, w0, w1, w1, w2, w2, w3, w3, ..., two words a pair of columns: (w0, w1) for
 * an output at an even column, (0, w0) for its neighbour, so that both read aligned words. Zeros at the end. */
#ifndef TFSER_DEPTHWISE_SMLAD_H
#define TFSER_DEPTHWISE_SMLAD_H

#include "tfser_depthwise.h"

#if defined(TFSER_SMMULR)

/* 3 x 3 taps: r7 (w0, w1) and r8 (w1, w2) of a row of taps, columns in r4, r5, r6. */
#define TFSER_TAPS_0 "ldrd r7, r8, [r10, #20]\n"
#define TFSER_TAPS_1 "ldrd r7, r8, [r10, #36]\n"
#define TFSER_TAPS_2 "ldrd r7, r8, [r10, #52]\n"
#define TFSER_FOUR_OF_3(bias)        \
    "ldm r9, {r4, r5, r6}\n"         \
    "smlatb r1, r4, r7, " bias("r1") \
    "smlad r2, r5, r7, " bias("r2")  \
    "smlatb r3, r5, r7, " bias("r3") \
    "smlad r0, r4, r7, r0\n"         \
    "smlad r1, r5, r8, r1\n"         \
    "smlabt r2, r6, r8, r2\n"        \
    "smlad r3, r6, r8, r3\n"         \
    "smlabt r0, r5, r8, r0\n"
#define TFSER_TWO_OF_3(bias)         \
    "ldrd r4, r5, [r9]\n"            \
    "smlatb r1, r4, r7, " bias("r1") \
    "smlad r0, r4, r7, r0\n"         \
    "smlad r1, r5, r8, r1\n"         \
    "smlabt r0, r5, r8, r0\n"
#define TFSER_FOUR_OF_3_BY_2(bias)   \
    "ldrd r4, r5, [r9, #12]\n"       \
    "smlad r3, r4, r7, " bias("r3")  \
    "smlabt r2, r4, r8, " bias("r2") \
    "smlabt r3, r5, r8, r3\n"        \
    "ldm r9, {r4, r5, r6}\n"         \
    "smlad r1, r5, r7, " bias("r1")  \
    "smlad r2, r6, r7, r2\n"         \
    "smlad r0, r4, r7, r0\n"         \
    "smlabt r1, r6, r8, r1\n"        \
    "smlabt r0, r5, r8, r0\n"
#define TFSER_TWO_OF_3_BY_2(bias)    \
    "ldm r9, {r4, r5, r6}\n"         \
    "smlad r1, r5, r7, " bias("r1")  \
    "smlad r0, r4, r7, r0\n"         \
    "smlabt r1, r6, r8, r1\n"        \
    "smlabt r0, r5, r8, r0\n"

/* Any taps: two pairs of columns, and one. Weights in r7 to r10; where words of odd outputs are not needed they give
 * way to columns. */
#define TFSER_SOME_TAPS            \
    "ldm r12!, {r7, r8, r9, r10}\n" \
    "ldm r11, {r4, r5, r6}\n"      \
    "add r11, #8\n"                \
    "smlad r0, r4, r8, r0\n"       \
    "smlad r1, r4, r7, r1\n"       \
    "smlad r2, r5, r8, r2\n"       \
    "smlad r3, r5, r7, r3\n"       \
    "smlad r0, r5, r10, r0\n"      \
    "smlad r1, r5, r9, r1\n"       \
    "smlad r2, r6, r10, r2\n"      \
    "smlad r3, r6, r9, r3\n"
#define TFSER_REST             \
    "ldrd r7, r8, [r12], #8\n"     \
    "ldrd r9, r10, [r11], #4\n"     \
    "smlad r0, r9, r8, r0\n"       \
    "smlad r1, r9, r7, r1\n"       \
    "smlad r2, r10, r8, r2\n"       \
    "smlad r3, r10, r7, r3\n"
#define TFSER_SOME_TAPS_BY_2       \
    "ldm r12!, {r7, r8, r9, r10}\n" \
    "ldrd r7, r9, [r11, #12]\n"    \
    "ldm r11, {r4, r5, r6}\n"      \
    "add r11, #8\n"                \
    "smlad r3, r7, r8, r3\n"       \
    "smlad r2, r7, r10, r2\n"      \
    "smlad r3, r9, r10, r3\n"      \
    "smlad r0, r4, r8, r0\n"       \
    "smlad r1, r5, r8, r1\n"       \
    "smlad r2, r6, r8, r2\n"       \
    "smlad r0, r5, r10, r0\n"      \
    "smlad r1, r6, r10, r1\n"
#define TFSER_REST_BY_2        \
    "ldrd r7, r8, [r12], #8\n"     \
    "ldr r7, [r11, #12]\n"         \
    "ldm r11, {r6, r9, r10}\n"      \
    "add r11, #4\n"                \
    "smlad r3, r7, r8, r3\n"       \
    "smlad r0, r6, r8, r0\n"       \
    "smlad r1, r9, r8, r1\n"       \
    "smlad r2, r10, r8, r2\n"

/* y = (2 * sum * multiplier + 2^31) >> 32; (y * factor + 2^31) >> 32, zero point, limits. */
#define TFSER_SCALE(sum)                \
    "smmulr " sum ", " sum ", r7\n"     \
    "smmlar " sum ", " sum ", r8, r9\n" \
    "ssat " sum ", #8, " sum "\n"

static inline int32_t tfser_tap(const tfser_depthwise *of, int32_t ky, int32_t kx) {
    const int32_t pair = of->weights[TFSER_BIASES + 2 * (ky * tfser_tap_pairs(of) + kx / 2) + 1];
    return (int16_t)(uint16_t)((uint32_t)pair >> kx % 2 * 16);
}

static inline int32_t tfser_pair(int32_t first, int32_t second) {
    return (int32_t)(((uint32_t)first & 0xFFFFu) | (uint32_t)second << 16);
}

/* Turns of the assembly in a row of taps, and whether it has a rest. */
static inline void tfser_count_turns(tfser_depthwise *of) {
    of->sums.turns = tfser_tap_pairs(of) / 2;
    of->sums.rest = tfser_tap_pairs(of) % 2;
    of->sums.gap = of->sums.row - 4 * tfser_tap_pairs(of);
}

/* Taps to scratch; gives their sum; all times `scale`. */
static inline int32_t tfser_load_taps(const tfser_depthwise *of, const int8_t *weights) {
    const int32_t column = of->along.weight_step, scale = of->scale;
    int32_t *to = of->weights + TFSER_BIASES;
    int32_t sum = 0;
    for (int32_t ky = of->down.kernel; ky > 0; ky--, weights += of->down.weight_step) {
        const int8_t *from = weights;
        int32_t before = 0;
        for (int32_t kx = of->along.kernel; kx >= 0; kx -= 2, from += 2 * column) {
            const int32_t first = kx > 0 ? from[0] * scale : 0, second = kx > 1 ? from[column] * scale : 0;
            sum += first + second;
            *to++ = tfser_pair(before, first);
            *to++ = tfser_pair(first, second);
            before = second;
        }
    }
    return sum;
}

#endif

#endif /* TFSER_DEPTHWISE_SMLAD_H */
