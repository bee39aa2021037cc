/* Dense layers and matrix products, pairs form (tfser_dense.h, tfser_pairs.h). */
#include "tfser_pairs.h"
#include "tfser_requantize.h"

/* The elements p and q of a row that pair i holds, q = -1 for none. */
static int32_t tfser_pair_first(int32_t depth, int32_t i, int32_t *second) {
    const int32_t four = i / 2 * 4;
    const int32_t first = four + i % 2;
    const int32_t left = depth - four;
    if (left == 2) {
        *second = first + 1;
    } else {
        *second = first + 2 < depth ? first + 2 : -1;
    }
    return first;
}

/* Sum of a row of int8, read where it lies, with one output (see tfser_pairs_sum). */
static int32_t tfser_row_sum(const tfser_dense *layer, const int8_t *weights, int32_t alone, const int8_t *row) {
    const int32_t pairs = tfser_pairs_count(layer);
    const int32_t zero_point = layer->weights_zero_point;
    uint32_t sum = 0;
    for (int32_t i = 0; i < pairs; i++) {
        const int8_t *w = weights + 4 * i;
        int32_t next = 2;
        if (alone != 0) {
            w = weights + 4 * (i / 2) + i % 2;
            next = i == pairs - 1 && i % 2 == 0 ? 1 : 2;
        }
        int32_t second = 0;
        const int32_t first = tfser_pair_first(layer->depth, i, &second);
        sum += (uint32_t)((row[first] - layer->input_zero_point) * (w[0] - zero_point));
        if (second >= 0) {
            sum += (uint32_t)((row[second] - layer->input_zero_point) * (w[next] - zero_point));
        }
    }
    return (int32_t)sum;
}

/* One row, which no output may lie on. */
static void tfser_one_row(const tfser_dense *layer, const int8_t *weights, const int32_t *bias, const int8_t *row,
                          int8_t *output) {
    for (int32_t n = 0; n < layer->outputs; n++) {
        const int32_t alone = n % 2 == 0 && n == layer->outputs - 1 ? 1 : 0;
        const int8_t *w = weights + n / 2 * 4 * tfser_pairs_count(layer) + n % 2;
        const int32_t sum = tfser_row_sum(layer, w, alone, row);
        const int32_t acc = (int32_t)((uint32_t)sum + (bias != 0 ? (uint32_t)bias[n] : 0u));
        output[n] = tfser_requantize(layer, n, acc);
    }
}

void tfser_dense_pairs_s8(const tfser_dense *layer, const int8_t *weights, const int32_t *bias, const int8_t *input,
                          int32_t input_stride, int32_t rows, int8_t *output, int32_t output_stride, void *scratch) {
    int16_t *wide = scratch;
    for (; rows >= TFSER_PAIRS_ROWS; rows -= TFSER_PAIRS_ROWS) {
        for (int32_t r = 0; r < TFSER_PAIRS_ROWS; r++) {
            tfser_pairs_widen(layer, wide + 2 * r, 0, input, layer->depth);
            input += input_stride;
        }
        tfser_pairs_block(layer, weights, bias, wide, TFSER_PAIRS_ROWS, output, output_stride);
        output += TFSER_PAIRS_ROWS * output_stride;
    }
    for (; rows > 0; rows--) {
        tfser_one_row(layer, weights, bias, input, output);
        input += input_stride;
        output += output_stride;
    }
}

/* A last output without a partner. */
static void tfser_pack_alone(int32_t depth, const int8_t *matrix, int32_t depth_stride, int8_t *packed) {
    const int32_t pairs = (depth + 1) / 2;
    for (int32_t i = 0; i < pairs; i++) {
        int32_t second = 0;
        const int32_t first = tfser_pair_first(depth, i, &second);
        int8_t *to = packed + 4 * (i / 2) + i % 2;
        to[0] = matrix[first * depth_stride];
        to[i == pairs - 1 && i % 2 == 0 ? 1 : 2] = second >= 0 ? matrix[second * depth_stride] : (int8_t)0;
    }
}

void tfser_pack_pairs_s8(const tfser_dense *layer, const int8_t *matrix, int32_t output_stride, int32_t depth_stride,
                         int8_t *packed) {
    const int32_t pairs = tfser_pairs_count(layer);
    for (int32_t n = 0; n + 2 <= layer->outputs; n += 2) {
        for (int32_t i = 0; i < pairs; i++) {
            int32_t second = 0;
            const int32_t first = tfser_pair_first(layer->depth, i, &second);
            packed[0] = matrix[first * depth_stride];
            packed[1] = matrix[first * depth_stride + output_stride];
            packed[2] = second >= 0 ? matrix[second * depth_stride] : (int8_t)0;
            packed[3] = second >= 0 ? matrix[second * depth_stride + output_stride] : (int8_t)0;
            packed += 4;
        }
        matrix += 2 * output_stride;
    }
    if (layer->outputs % 2 != 0) {
        tfser_pack_alone(layer->depth, matrix, depth_stride, packed);
    }
}
