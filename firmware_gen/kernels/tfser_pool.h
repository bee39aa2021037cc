/* Average and maximum pools of the pixels [first, first + count); as in tfser_conv.h pixel first + i goes to
 * output + i * output_stride. Taps outside of the input are left out, and no window lies wholly outside. Pixels are
 * taken in ascending order, each read before it is written. */
#ifndef TFSER_POOL_H
#define TFSER_POOL_H

#include <stdint.h>

#include "tfser_conv.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The sum of the codes over the number of taps inside, to nearest, ties away from the code 0; then the limits. */
void tfser_average_pool_s8(const tfser_window *window, int32_t output_min, int32_t output_max, const int8_t *input,
                           int32_t pixel_stride, int32_t first, int32_t count, int8_t *output, int32_t output_stride);
/* The largest code; then the limits. */
void tfser_max_pool_s8(const tfser_window *window, int32_t output_min, int32_t output_max, const int8_t *input,
                       int32_t pixel_stride, int32_t first, int32_t count, int8_t *output, int32_t output_stride);

#ifdef __cplusplus
}
#endif

#endif /* TFSER_POOL_H */
