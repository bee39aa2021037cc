/* Depthwise convolution of neighbouring taps and pixels, pairs form (tfser_conv.h). */
#define TFSER_PHASED 0
#define TFSER_ROUND 4
#include "tfser_depthwise_core.h"

#if defined(TFSER_THUMB)
TFSER_ASSEMBLY(tfser_sums_of_row, const tfser_sums, TFSER_SUMS_OF_ANY(TFSER_SOME_TAPS, TFSER_REST, "8"))
#endif

static int32_t tfser_taps(const tfser_depthwise *of, const int8_t *weights) { return tfser_load_taps(of, weights); }

static void tfser_rows_of_sums(tfser_depthwise *of) {
    tfser_sums *todo = &of->sums;
    int32_t *const sums = todo->sums;
    todo->fours = of->held / 4;
    for (int32_t y = todo->rows; y > 0; y--) {
#if defined(TFSER_THUMB)
        tfser_sums_of_row(todo);
#else
        tfser_any_sums(of, todo->x, todo->sums);
#endif
        todo->x += todo->next / 2;
        todo->sums += of->held;
    }
    todo->sums = sums;
}

void tfser_depthwise_near_pairs_s8(const tfser_dense *layer, const tfser_window *window, int32_t depth_multiplier,
                                   const int8_t *weights, const int32_t *bias, const int8_t *input,
                                   int32_t pixel_stride, int8_t *output, int32_t output_stride, void *scratch) {
    tfser_run_depthwise(layer, window, depth_multiplier, weights, bias, input, pixel_stride, output, output_stride,
                        scratch);
}
