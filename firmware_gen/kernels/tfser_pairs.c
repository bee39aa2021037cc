/* Rows widened, and blocks of four of them times packed weights (tfser_pairs.h). */
#include "tfser_pairs.h"
#include "tfser_requantize.h"

/* A pair of elements to its word, or to its two. */
static inline void tfser_pairs_put(uint32_t *to, int32_t first, int32_t second) {
#if defined(TFSER_MLA)
    to[0] = (uint32_t)first;
    to[TFSER_PAIRS_ROWS] = (uint32_t)second;
#else
    to[0] = ((uint32_t)first & 0xFFFFu) | (uint32_t)second << 16;
#endif
}

void tfser_pairs_clear(uint32_t *wide, int32_t at, int32_t count) {
    uint32_t *to = wide + at / 2 * TFSER_PAIRS_STEP;
    for (; count > 0; count -= 2) {
        tfser_pairs_put(to, 0, 0);
        to += TFSER_PAIRS_STEP;
    }
}

#if defined(TFSER_SMLAD)
/* Whole fours of a row. */
static inline const int8_t *tfser_pairs_fours(uint32_t less, int32_t doubled, uint32_t *to, const int8_t *from,
                                              int32_t fours) {
    const int8_t *end = from + 4 * fours;
    if (doubled != 0) {
        for (; from != end; from += 4) {
            const uint32_t word = tfser_pairs_load(from);
            const uint32_t even = tfser_pairs_even(less, word);
            const uint32_t odd = tfser_pairs_odd(less, word);
            to[0] = tfser_pairs_add(even, even);
            to[TFSER_PAIRS_STEP] = tfser_pairs_add(odd, odd);
            to += 2 * TFSER_PAIRS_STEP;
        }
    } else {
        for (; from != end; from += 4) {
            const uint32_t word = tfser_pairs_load(from);
            to[0] = tfser_pairs_even(less, word);
            to[TFSER_PAIRS_STEP] = tfser_pairs_odd(less, word);
            to += 2 * TFSER_PAIRS_STEP;
        }
    }
    return from;
}
#endif

void tfser_pairs_widen(const tfser_dense *layer, uint32_t *wide, int32_t at, const int8_t *from, int32_t count) {
    const int32_t less = layer->input_zero_point;
    const int32_t factor = 1 + tfser_pairs_doubled(layer);
    uint32_t *to = wide + at / 2 * TFSER_PAIRS_STEP;
#if defined(TFSER_SMLAD)
    from = tfser_pairs_fours(tfser_pairs_less(layer), factor - 1, to, from, count / 4);
    to += count / 4 * 2 * TFSER_PAIRS_STEP;
    count %= 4;
#else
    for (; count >= 4; count -= 4) {
        tfser_pairs_put(to, (from[0] - less) * factor, (from[2] - less) * factor);
        tfser_pairs_put(to + TFSER_PAIRS_STEP, (from[1] - less) * factor, (from[3] - less) * factor);
        to += 2 * TFSER_PAIRS_STEP;
        from += 4;
    }
#endif
    if (count > 0) {
        tfser_pairs_put(to, (from[0] - less) * factor, count > 1 ? (from[count - 1] - less) * factor : 0);
    }
    if (count == 3) {
        tfser_pairs_put(to + TFSER_PAIRS_STEP, (from[1] - less) * factor, 0);
    }
}

#if defined(TFSER_SMLAD)
/* Whole fours of four rows next to each other: words of two rows are stored by one instruction. */
static void tfser_pairs_four_fours(uint32_t less, int32_t doubled, uint32_t *to, const int8_t *input, int32_t stride,
                                   int32_t fours) {
    const int8_t *from[TFSER_PAIRS_ROWS] = {input, input + stride, input + 2 * stride, input + 3 * stride};
    const int8_t *end = input + 4 * fours;
    while (from[0] != end) {
        uint32_t even[TFSER_PAIRS_ROWS];
        uint32_t odd[TFSER_PAIRS_ROWS];
        for (int32_t r = 0; r < TFSER_PAIRS_ROWS; r++) {
            const uint32_t word = tfser_pairs_load(from[r]);
            even[r] = tfser_pairs_even(less, word);
            odd[r] = tfser_pairs_odd(less, word);
            from[r] += 4;
        }
        for (int32_t r = 0; r < TFSER_PAIRS_ROWS; r++) {
            to[r] = doubled != 0 ? tfser_pairs_add(even[r], even[r]) : even[r];
            to[TFSER_PAIRS_STEP + r] = doubled != 0 ? tfser_pairs_add(odd[r], odd[r]) : odd[r];
        }
        to += 2 * TFSER_PAIRS_STEP;
    }
}
#endif

void tfser_pairs_widen_rows(const tfser_dense *layer, uint32_t *wide, const int8_t *input, int32_t stride,
                            int32_t count) {
    int32_t at = 0;
#if defined(TFSER_SMLAD)
    if (count == TFSER_PAIRS_ROWS) {
        at = layer->depth & -4;
        if (layer->narrow != 0) {
            tfser_pairs_four_fours(tfser_pairs_less(layer), 1, wide, input, stride, at / 4);
        } else {
            tfser_pairs_four_fours(tfser_pairs_less(layer), 0, wide, input, stride, at / 4);
        }
    }
#endif
    for (int32_t r = 0; r < count && at < layer->depth; r++) {
        tfser_pairs_widen(layer, wide + r, at, input + at, layer->depth - at);
        input += stride;
    }
}

#if !defined(TFSER_SMLAD)
/* Sum of one widened row with output n. */
static int32_t tfser_pairs_sum(const tfser_dense *layer, const int8_t *weights, int32_t n, const uint32_t *wide) {
    const int32_t pairs = tfser_pairs_count(layer);
    uint32_t sum = 0;
    for (int32_t i = 0; i < pairs; i++) {
        int32_t factor[2];
        tfser_pairs_factors(layer, weights, n, i, factor);
#if defined(TFSER_MLA)
        sum += wide[0] * (uint32_t)factor[0] + wide[TFSER_PAIRS_ROWS] * (uint32_t)factor[1];
#else
        sum += (uint32_t)((int16_t)(wide[0] & 0xFFFFu) * factor[0]);
        sum += (uint32_t)((int16_t)(wide[0] >> 16) * factor[1]);
#endif
        wide += TFSER_PAIRS_STEP;
    }
    return (int32_t)sum >> tfser_pairs_doubled(layer);
}

static void tfser_pairs_outputs(const tfser_dense *layer, const int8_t *weights, const int32_t *bias,
                                const uint32_t *wide, int32_t rows, int32_t n, int8_t *output, int32_t output_stride) {
    for (; n < layer->outputs; n++) {
        const int8_t *w = tfser_pairs_weights(layer, weights, n);
        for (int32_t r = 0; r < rows; r++) {
            const uint32_t sum = (uint32_t)tfser_pairs_sum(layer, w, n, wide + r);
            const int32_t acc = (int32_t)(sum + (bias != 0 ? (uint32_t)bias[n] : 0u));
            output[r * output_stride + n] = tfser_requantize(layer, n, acc);
        }
    }
}
#endif

void tfser_pairs_block(const tfser_dense *layer, const int8_t *weights, const int32_t *bias, const uint32_t *wide,
                       int32_t rows, int8_t *output, int32_t output_stride) {
#if defined(TFSER_SMLAD)
    tfser_pairs_block_smlad(layer, weights, bias, wide, rows, output, output_stride);
#else
    tfser_pairs_outputs(layer, weights, bias, wide, rows, 0, output, output_stride);
#endif
}
