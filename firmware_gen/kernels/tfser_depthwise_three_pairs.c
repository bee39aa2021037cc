/* Depthwise convolution of 3 x 3 neighbouring taps, pairs form (tfser_conv.h). */
#define TFSER_PHASED 0
#define TFSER_ROUND 2
#include "tfser_depthwise_core.h"

static int32_t tfser_taps(const tfser_depthwise *of, const int8_t *weights) {
#if defined(TFSER_SMMULR)
    /* Only (w0, w1) and (w1, w2) of the words of a row are read. */
    const int32_t column = of->along.weight_step, scale = of->scale;
    int32_t *to = of->weights + TFSER_BIASES + 1;
    int32_t sum = 0;
    for (int32_t ky = 0; ky < 3; ky++, weights += of->down.weight_step, to += 4) {
        const int32_t a = weights[0] * scale, b = weights[column] * scale, c = weights[2 * column] * scale;
        sum += a + b + c;
        to[0] = tfser_pair(a, b);
        to[1] = tfser_pair(b, c);
    }
    return sum;
#else
    return tfser_load_taps(of, weights);
#endif
}

#if defined(TFSER_THUMB)
TFSER_ASSEMBLY(tfser_sums_by_1, const tfser_sums, TFSER_SUMS_OF_3(TFSER_FOUR_OF_3, TFSER_TWO_OF_3, "8"))
TFSER_ASSEMBLY(tfser_sums_by_2, const tfser_sums, TFSER_SUMS_OF_3(TFSER_FOUR_OF_3_BY_2, TFSER_TWO_OF_3_BY_2, "16"))

static void tfser_rows_of_sums(tfser_depthwise *of) {
    of->sums.fours = (of->count + 1) / 4;
    of->sums.two = of->held / 2 - 2 * of->sums.fours;
    of->along.stride == 1 ? tfser_sums_by_1(&of->sums) : tfser_sums_by_2(&of->sums);
}
#else
static void tfser_rows_of_sums(tfser_depthwise *of) {
    for (int32_t y = 0; y < of->sums.rows; y++) {
        tfser_any_sums(of, of->sums.x + y * (of->sums.next / 2), of->sums.sums + y * of->held);
    }
}
#endif

void tfser_depthwise_three_pairs_s8(const tfser_dense *layer, const tfser_window *window, int32_t depth_multiplier,
                                    const int8_t *weights, const int32_t *bias, const int8_t *input,
                                    int32_t pixel_stride, int8_t *output, int32_t output_stride, void *scratch) {
    tfser_run_depthwise(layer, window, depth_multiplier, weights, bias, input, pixel_stride, output, output_stride,
                        scratch);
}
