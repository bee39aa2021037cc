/* Means and sums of int8. */
#ifndef TFSER_REDUCE_H
#define TFSER_REDUCE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Code of the n elements x: clamp(output_zero_point + requantise(sum(x - input_zero_point))), with the two roundings
 * of tfser_requantize.h. A mean's division by n is part of the multiplier. */
typedef struct {
    int32_t multiplier, shift; /* Q31 in [0, 2^31); power of two in [-31, 30], negative is right */
    int32_t input_zero_point, output_zero_point;
    int32_t output_min, output_max; /* [-128, 127] */
} tfser_reduction;

/* Over the last axis: y[r] from x[r][0 .. depth), one code a row, strides in bytes. Row by row: all of a row is read
 * before its code is written. */
void tfser_reduce_row_s8(const tfser_reduction *to, int32_t depth, const int8_t *input, int32_t input_stride,
                         int32_t rows, int8_t *output, int32_t output_stride);

/* Over the first axis: y[c] from x[0 .. rows)[c], `columns` codes. Four columns at most at a time, ascending: all
 * of a column is read before its code is written. */
void tfser_reduce_column_s8(const tfser_reduction *to, int32_t columns, const int8_t *input, int32_t input_stride,
                            int32_t rows, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif /* TFSER_REDUCE_H */
