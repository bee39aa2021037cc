#include "tfser_reduce.h"

#include "tfser_requantize.h"

static int8_t code(const tfser_reduction *to, int32_t sum, int32_t count) {
    const int32_t y = tfser_rescale(sum - count * to->input_zero_point, to->multiplier, to->shift);
    return (int8_t)tfser_clamp(y, to->output_zero_point, to->output_min, to->output_max);
}

void tfser_reduce_row_s8(const tfser_reduction *to, int32_t depth, const int8_t *input, int32_t input_stride,
                         int32_t rows, int8_t *output, int32_t output_stride) {
    for (int32_t r = 0; r < rows; r++) {
        const int8_t *const x = input + r * input_stride;
        int32_t sum = 0;
        for (int32_t k = 0; k < depth; k++) {
            sum += x[k];
        }
        output[r * output_stride] = code(to, sum, depth);
    }
}

void tfser_reduce_column_s8(const tfser_reduction *to, int32_t columns, const int8_t *input, int32_t input_stride,
                            int32_t rows, int8_t *output) {
    for (int32_t c = 0; c < columns; c++) {
        int32_t sum = 0;
        for (int32_t r = 0; r < rows; r++) {
            sum += input[r * input_stride + c];
        }
        output[c] = code(to, sum, rows);
    }
}
