/* Rows widened, and blocks of four of them times packed weights (tfser_pairs.h). */
#include "tfser_pairs_widen.h"
#include "tfser_requantize.h"

void tfser_pairs_clear(uint32_t *wide, int32_t at, int32_t count) {
    uint32_t *to = wide + at / 2 * TFSER_PAIRS_STEP;
    for (; count > 0; count -= 2) {
        tfser_pairs_put(to, 0, 0);
        to += TFSER_PAIRS_STEP;
    }
}

/* The last one to three elements of a row. */
static inline void tfser_pairs_rest(const tfser_dense *layer, uint32_t *to, const int8_t *from, int32_t count) {
    const int32_t less = layer->input_zero_point;
    const int32_t factor = 1 + tfser_pairs_doubled(layer);
    tfser_pairs_put(to, (from[0] - less) * factor, count > 1 ? (from[count - 1] - less) * factor : 0);
    if (count == 3) {
        tfser_pairs_put(to + TFSER_PAIRS_STEP, (from[1] - less) * factor, 0);
    }
}

void tfser_pairs_widen(const tfser_dense *layer, uint32_t *wide, int32_t at, const int8_t *from, int32_t count) {
    uint32_t *to = wide + at / 2 * TFSER_PAIRS_STEP;
    const int32_t whole = count & -4;
    if (whole != 0) {
        tfser_pairs_runs(tfser_pairs_less(layer), tfser_pairs_doubled(layer), to, from, whole, whole, 1);
    }
    if (whole != count) {
        tfser_pairs_rest(layer, to + whole / 2 * TFSER_PAIRS_STEP, from + whole, count - whole);
    }
}

#if defined(TFSER_SMLAD) || defined(TFSER_MLA)
void tfser_pairs_four_rows(uint32_t *to, const int8_t *from, int32_t stride, int32_t fours, uint32_t less);
#endif

#if defined(TFSER_SMLAD)
/* Whole fours of four rows, doubled. r1 to r4: rows, r5: what takes the zero point off. */
__attribute__((naked, noinline)) void tfser_pairs_four_rows(uint32_t *to __attribute__((unused)),
                                                            const int8_t *from __attribute__((unused)),
                                                            int32_t stride __attribute__((unused)),
                                                            int32_t fours __attribute__((unused)),
                                                            uint32_t less __attribute__((unused))) {
    __asm__ volatile(
        "push {r4-r11, lr}\n ldr r5, [sp, #36]\n add lr, r1, r3, lsl #2\n"
        "mov r4, r2\n add r2, r1, r4\n add r3, r2, r4\n add r4, r3, r4\n cmp r1, lr\n beq 2f\n"
        "1: ldr r6, [r1], #4\n ldr r7, [r2], #4\n ldr r8, [r3], #4\n ldr r9, [r4], #4\n"
        "sxtab16 r10, r5, r6\n sxtab16 r11, r5, r7\n" TFSER_DOUBLE("r10") TFSER_DOUBLE("r11")
        "strd r10, r11, [r0], #8\n"
        "sxtab16 r10, r5, r8\n sxtab16 r11, r5, r9\n" TFSER_DOUBLE("r10") TFSER_DOUBLE("r11")
        "strd r10, r11, [r0], #8\n"
        "sxtab16 r6, r5, r6, ror #8\n sxtab16 r7, r5, r7, ror #8\n"
        "sxtab16 r8, r5, r8, ror #8\n sxtab16 r9, r5, r9, ror #8\n"
        TFSER_DOUBLE("r6") TFSER_DOUBLE("r7") TFSER_DOUBLE("r8") TFSER_DOUBLE("r9")
        "stm r0!, {r6-r9}\n cmp r1, lr\n bne 1b\n"
        "2: pop {r4-r11, pc}\n");
}
#elif defined(TFSER_MLA)
#define COLUMN(k)                                                                                                      \
    "ldrsb r6, [r1, #" k "]\n ldrsb r7, [r2, #" k "]\n ldrsb r8, [r3, #" k "]\n ldrsb r9, [r4, #" k "]\n"              \
    "add r6, r5, r6, lsl #1\n add r7, r5, r7, lsl #1\n add r8, r5, r8, lsl #1\n add r9, r5, r9, lsl #1\n"              \
    "stm r0!, {r6-r9}\n"
/* Whole fours of four rows, doubled. r1 to r4: rows, r5: what takes the zero point off. */
__attribute__((naked, noinline)) void tfser_pairs_four_rows(uint32_t *to __attribute__((unused)),
                                                            const int8_t *from __attribute__((unused)),
                                                            int32_t stride __attribute__((unused)),
                                                            int32_t fours __attribute__((unused)),
                                                            uint32_t less __attribute__((unused))) {
    __asm__ volatile(
        "push {r4-r9, lr}\n ldr r5, [sp, #28]\n add lr, r1, r3, lsl #2\n"
        "mov r4, r2\n add r2, r1, r4\n add r3, r2, r4\n add r4, r3, r4\n cmp r1, lr\n beq 2f\n"
        "1:\n" COLUMN("0") COLUMN("2") COLUMN("1") COLUMN("3")
        "adds r1, #4\n adds r2, #4\n adds r3, #4\n adds r4, #4\n cmp r1, lr\n bne 1b\n"
        "2: pop {r4-r9, pc}\n");
}
#endif

void tfser_pairs_widen_rows(const tfser_dense *layer, uint32_t *wide, const int8_t *input, int32_t stride,
                            int32_t count) {
#if defined(TFSER_SMLAD) || defined(TFSER_MLA)
    if (count == TFSER_PAIRS_ROWS && layer->narrow != 0) {
        const int32_t whole = layer->depth & -4;
        tfser_pairs_four_rows(wide, input, stride, whole / 4, tfser_pairs_less(layer));
        wide += whole / 2 * TFSER_PAIRS_STEP;
        input += whole;
        for (int32_t r = 0; r < count && whole != layer->depth; r++) {
            tfser_pairs_rest(layer, wide + r, input, layer->depth - whole);
            input += stride;
        }
        return;
    }
#endif
    for (int32_t r = 0; r < count; r++) {
        tfser_pairs_widen(layer, wide + r, 0, input, layer->depth);
        input += stride;
    }
}

#if defined(TFSER_SMLAD) || defined(TFSER_MLA)
void tfser_pairs_block(const tfser_dense *layer, const int8_t *weights, const int32_t *bias, const uint32_t *wide,
                       int32_t rows, int8_t *output, int32_t output_stride) {
    tfser_pairs_block_asm(layer, weights, bias, wide, rows, output, output_stride);
}
#else
/* Sum of one widened row with output n. */
static int32_t tfser_pairs_sum(const tfser_dense *layer, const int8_t *weights, int32_t n, const uint32_t *wide) {
    const int32_t pairs = tfser_pairs_count(layer);
    uint32_t sum = 0;
    for (int32_t i = 0; i < pairs; i++) {
        int32_t factor[2];
        tfser_pairs_factors(layer, weights, n, i, factor);
        sum += (uint32_t)((int16_t)(wide[0] & 0xFFFFu) * factor[0]);
        sum += (uint32_t)((int16_t)(wide[0] >> 16) * factor[1]);
        wide += TFSER_PAIRS_STEP;
    }
    return (int32_t)sum;
}

void tfser_pairs_block(const tfser_dense *layer, const int8_t *weights, const int32_t *bias, const uint32_t *wide,
                       int32_t rows, int8_t *output, int32_t output_stride) {
    for (int32_t n = 0; n < layer->outputs; n++) {
        const int8_t *w = tfser_pairs_weights(layer, weights, n);
        for (int32_t r = 0; r < rows; r++) {
            const uint32_t sum = (uint32_t)tfser_pairs_sum(layer, w, n, wide + r);
            const int32_t acc = (int32_t)(sum + (bias != 0 ? (uint32_t)bias[n] : 0u));
            output[r * output_stride + n] = tfser_requantize(layer, n, acc);
        }
    }
}
#endif
