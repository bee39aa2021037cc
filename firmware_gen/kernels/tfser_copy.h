/* Copies between strides: what is left of transposes, slices, concatenations, pads and gathers. */
#ifndef TFSER_COPY_H
#define TFSER_COPY_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One loop: how often, and how many bytes input and output move on each time (either may be negative or 0). */
typedef struct {
    int32_t count, input_stride, output_stride;
} tfser_loop;

/* Outermost loop first, 1 to 6 loops. Output apart from input, or every element exactly on itself. */
void tfser_copy_s8(const tfser_loop *loops, int32_t depth, const int8_t *input, int8_t *output);

/* The same loops over the output alone; every element becomes `value`. */
void tfser_fill_s8(const tfser_loop *loops, int32_t depth, int32_t value, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif /* TFSER_COPY_H */
