/* Softmax of int8 rows by table, TensorFlow Lite Micro's fixed point bit for bit. */
#ifndef TFSER_SOFTMAX_H
#define TFSER_SOFTMAX_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* exp_table[d + 255] for d = code - maximum of the row in [-255, 0]: exp in Q31 as int32, 0 below diff_min.
 * Rows of `depth` elements, 1 to 8191 (the sum of exponentials is Q12.19), `stride` bytes apart; output scale 1/256,
 * zero point -128. An output row may lie exactly on its input row. */
void tfser_softmax_s8(const int32_t exp_table[256], int32_t depth, const int8_t *input, int32_t input_stride,
                      int32_t rows, int8_t *output, int32_t output_stride);

#ifdef __cplusplus
}
#endif

#endif /* TFSER_SOFTMAX_H */
