/* Convolutions with constant weights. Output pixels are numbered row by row; a call computes the
 * pixels [first, first + count), so that a convolution can run block by block.
 * input: [height][width][channels], element (y, x, c) at input + (y * width + x) * pixel_stride + c.
 * Taps outside of the input contribute nothing. */
#ifndef TFSER_CONV_H
#define TFSER_CONV_H

#include <stdint.h>

#include "tfser_dense.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int32_t input_height, input_width, input_channels;
    int32_t kernel_height, kernel_width;
    int32_t stride_height, stride_width;
    int32_t dilation_height, dilation_width;
    int32_t pad_top, pad_left;
    int32_t output_height, output_width;
} tfser_window;

/* layer->depth = kernel_height * kernel_width * input_channels, k in that order. Weights and bias
 * as for tfser_dense_*; pixel first + i of the output at output + i * output_stride. */
void tfser_conv_pairs_s8(const tfser_dense *layer, const tfser_window *window, const int8_t *weights,
                         const int32_t *bias, const int8_t *input, int32_t pixel_stride, int32_t first, int32_t count,
                         int8_t *output, int32_t output_stride, void *scratch);
void tfser_conv_rows_s8(const tfser_dense *layer, const tfser_window *window, const int8_t *weights,
                        const int32_t *bias, const int8_t *input, int32_t pixel_stride, int32_t first, int32_t count,
                        int8_t *output, int32_t output_stride, void *scratch);

/* Every channel by itself, output channel c * depth_multiplier + j from input channel c; whole image.
 * layer->depth = kernel_height * kernel_width, layer->outputs = channels * depth_multiplier.
 * Weights: firmware_gen.emit.packing.pack_depthwise. With depth_multiplier 1 the output may lie exactly on an input of
 * the same shape and strides: what an output overwrites of its channel has been read.
 * Pairs form: of any window; of strides and dilations 1 (near); of 3 x 3 taps with both strides 1 or both 2 and
 * dilations 1 (three). */
void tfser_depthwise_pairs_s8(const tfser_dense *layer, const tfser_window *window, int32_t depth_multiplier,
                              const int8_t *weights, const int32_t *bias, const int8_t *input, int32_t pixel_stride,
                              int8_t *output, int32_t output_stride, void *scratch);
void tfser_depthwise_near_pairs_s8(const tfser_dense *layer, const tfser_window *window, int32_t depth_multiplier,
                                   const int8_t *weights, const int32_t *bias, const int8_t *input,
                                   int32_t pixel_stride, int8_t *output, int32_t output_stride, void *scratch);
void tfser_depthwise_three_pairs_s8(const tfser_dense *layer, const tfser_window *window, int32_t depth_multiplier,
                                    const int8_t *weights, const int32_t *bias, const int8_t *input,
                                    int32_t pixel_stride, int8_t *output, int32_t output_stride, void *scratch);
void tfser_depthwise_rows_s8(const tfser_dense *layer, const tfser_window *window, int32_t depth_multiplier,
                             const int8_t *weights, const int32_t *bias, const int8_t *input, int32_t pixel_stride,
                             int8_t *output, int32_t output_stride, void *scratch);

#ifdef __cplusplus
}
#endif

#endif /* TFSER_CONV_H */
