/* Depthwise convolution of any window, pairs form (tfser_conv.h). */
#define TFSER_PHASED 1
#define TFSER_ROUND 4
#include "tfser_depthwise_core.h"

#if defined(TFSER_THUMB)
TFSER_ASSEMBLY(tfser_sums_by_1, const tfser_sums, TFSER_SUMS_OF_ANY(TFSER_SOME_TAPS, TFSER_REST, "8"))
TFSER_ASSEMBLY(tfser_sums_by_2, const tfser_sums, TFSER_SUMS_OF_ANY(TFSER_SOME_TAPS_BY_2, TFSER_REST_BY_2, "16"))
#endif

static int32_t tfser_taps(const tfser_depthwise *of, const int8_t *weights) { return tfser_load_taps(of, weights); }

static void tfser_rows_of_sums(tfser_depthwise *of) {
    tfser_sums *todo = &of->sums;
    int32_t *const sums = todo->sums;
    todo->fours = of->held / 4;
    for (int32_t y = 0; y < todo->rows; y++) {
#if defined(TFSER_THUMB)
        if (of->tap == 1 && of->along.stride <= 2) {
            of->along.stride == 1 ? tfser_sums_by_1(todo) : tfser_sums_by_2(todo);
        } else
#endif
        {
            tfser_any_sums(of, todo->x, todo->sums);
        }
        todo->x += todo->next / 2;
        todo->sums += of->held;
    }
    todo->sums = sums;
}

void tfser_depthwise_pairs_s8(const tfser_dense *layer, const tfser_window *window, int32_t depth_multiplier,
                              const int8_t *weights, const int32_t *bias, const int8_t *input, int32_t pixel_stride,
                              int8_t *output, int32_t output_stride, void *scratch) {
    tfser_run_depthwise(layer, window, depth_multiplier, weights, bias, input, pixel_stride, output, output_stride,
                        scratch);
}
