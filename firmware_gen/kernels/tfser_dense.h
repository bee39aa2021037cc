/* Rows of int8 times a packed int8 matrix: dense layers, 1x1 convolutions, matrix products.
 *
 * y[r][n] = clamp(requantise(sum_k (x[r][k] - input_zero_point) * (w[n][k] - weights_zero_point) + b[n]))
 *
 * Two forms of the packed matrix, chosen when compiling:
 *   pairs  for SMLAD and for scalar cores (firmware_gen.emit.packing.pack_pairs); ``bias`` is the
 *          layer's own, or NULL.
 *   rows   for Helium (firmware_gen.emit.packing.pack_rows); ``bias`` is never NULL and holds the
 *          input's zero point folded in: b[n] - input_zero_point * sum_k (w[n][k] - weights_zero_point).
 * Every function has a portable form with the same result, so that any build runs on the host.
 */
#ifndef TFSER_DENSE_H
#define TFSER_DENSE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const int32_t *multiplier; /* Q31, [2^30, 2^31 - 1] or 0; [outputs], or [1] */
    const int8_t *shift;       /* [-31, 30], negative is right; as many as multipliers */
    int32_t per_channel;       /* 1: one multiplier an output; 0: one for all */
    int32_t depth;             /* K */
    int32_t outputs;           /* N */
    int32_t input_zero_point;
    int32_t weights_zero_point;
    int32_t output_zero_point;
    int32_t output_min;        /* clamp, [-128, 127] */
    int32_t output_max;
    int32_t narrow;            /* 1: |accumulator| < 2^30 for every input and every shift in [-23, -1]; 2: also
                                  |accumulator| < 2^22, and pairs of outputs are joined (tfser_pairs.h) */
    const int8_t *table;       /* [256] applied to the clamped code (index code + 128), or NULL */
} tfser_dense;

/* x row r at input + r * input_stride, y row r at output + r * output_stride (bytes); elements of a
 * row are contiguous. weights are aligned to 4. scratch: firmware_gen.plan.scratch, aligned to 8
 * (pairs) or 16 (rows); pairs form: twice as much on Thumb-2 cores without SMLAD. Rows are taken in
 * blocks of at most 4 in ascending order. Outputs must not lie on rows of the same block, nor of a
 * later one. */
void tfser_dense_pairs_s8(const tfser_dense *layer, const int8_t *weights, const int32_t *bias, const int8_t *input,
                          int32_t input_stride, int32_t rows, int8_t *output, int32_t output_stride, void *scratch);
void tfser_dense_rows_s8(const tfser_dense *layer, const int8_t *weights, const int32_t *bias, const int8_t *input,
                         int32_t input_stride, int32_t rows, int8_t *output, int32_t output_stride, void *scratch);

/* Packs a matrix known at run time only: w[n][k] at matrix + n * output_stride + k * depth_stride.
 * bias_out (rows form): [outputs] int32, receives -input_zero_point * sum_k (w[n][k] - weights_zero_point). */
void tfser_pack_pairs_s8(const tfser_dense *layer, const int8_t *matrix, int32_t output_stride, int32_t depth_stride,
                         int8_t *packed);
void tfser_pack_rows_s8(const tfser_dense *layer, const int8_t *matrix, int32_t output_stride, int32_t depth_stride,
                        int8_t *packed, int32_t *bias_out);

#ifdef __cplusplus
}
#endif

#endif /* TFSER_DENSE_H */
