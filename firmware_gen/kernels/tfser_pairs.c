/* Rows widened to int16 and blocks of four of them times packed weights (tfser_pairs.h). */
#include "tfser_pairs.h"
#include "tfser_requantize.h"

/* Where words of a row follow each other in `wide`. */
#define TFSER_PAIRS_STEP (2 * TFSER_PAIRS_ROWS)

void tfser_pairs_widen(const tfser_dense *layer, int16_t *wide, int32_t at, const int8_t *from, int32_t count) {
    const int32_t zero_point = layer->input_zero_point;
    int16_t *to = wide + at / 2 * TFSER_PAIRS_STEP;
    for (; count >= 4; count -= 4) {
        to[0] = (int16_t)(from[0] - zero_point);
        to[1] = (int16_t)(from[2] - zero_point);
        to[TFSER_PAIRS_STEP] = (int16_t)(from[1] - zero_point);
        to[TFSER_PAIRS_STEP + 1] = (int16_t)(from[3] - zero_point);
        to += 2 * TFSER_PAIRS_STEP;
        from += 4;
    }
    if (count > 0) {
        to[0] = (int16_t)(from[0] - zero_point);
        to[1] = (int16_t)(count > 1 ? from[count - 1] - zero_point : 0);
    }
    if (count == 3) {
        to[TFSER_PAIRS_STEP] = (int16_t)(from[1] - zero_point);
        to[TFSER_PAIRS_STEP + 1] = 0;
    }
}

void tfser_pairs_clear(int16_t *wide, int32_t at, int32_t count) {
    int16_t *to = wide + at / 2 * TFSER_PAIRS_STEP;
    for (; count > 0; count -= 2) {
        to[0] = 0;
        to[1] = 0;
        to += TFSER_PAIRS_STEP;
    }
}

/* Sum of one widened row with an output whose factors of pair i lie at weights + 4 * i + (0, 2), but for the pairs of
 * a last output without a partner at weights + 4 * (i / 2) + i % 2 + (0, 2), of the last, if odd, at + (0, 1). */
static int32_t tfser_pairs_sum(const tfser_dense *layer, const int8_t *weights, int32_t alone, const int16_t *wide) {
    const int32_t pairs = tfser_pairs_count(layer);
    const int32_t zero_point = layer->weights_zero_point;
    uint32_t sum = 0;
    for (int32_t i = 0; i < pairs; i++) {
        const int8_t *w = weights + 4 * i;
        int32_t second = 2;
        if (alone != 0) {
            w = weights + 4 * (i / 2) + i % 2;
            second = i == pairs - 1 && i % 2 == 0 ? 1 : 2;
        }
        sum += (uint32_t)(wide[0] * (w[0] - zero_point));
        sum += (uint32_t)(wide[1] * (w[second] - zero_point));
        wide += TFSER_PAIRS_STEP;
    }
    return (int32_t)sum;
}

void tfser_pairs_block(const tfser_dense *layer, const int8_t *weights, const int32_t *bias, const int16_t *wide,
                       int32_t rows, int8_t *output, int32_t output_stride) {
    for (int32_t n = 0; n < layer->outputs; n++) {
        const int32_t alone = n % 2 == 0 && n == layer->outputs - 1 ? 1 : 0;
        const int8_t *w = weights + n / 2 * 4 * tfser_pairs_count(layer) + n % 2;
        for (int32_t r = 0; r < rows; r++) {
            const int32_t sum = tfser_pairs_sum(layer, w, alone, wide + 2 * r);
            const int32_t acc = (int32_t)((uint32_t)sum + (bias != 0 ? (uint32_t)bias[n] : 0u));
            output[r * output_stride + n] = tfser_requantize(layer, n, acc);
        }
    }
}
