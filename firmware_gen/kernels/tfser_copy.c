#include "tfser_copy.h"

#include <string.h>

#define DEPTH_MOST 6

/* Steps the odometer of the loops outside of the innermost; 0 when it has come round. */
static int next(const tfser_loop *loops, int32_t outside, int32_t *at, int32_t *input, int32_t *output) {
    for (int32_t i = outside - 1; i >= 0; i--) {
        *input += loops[i].input_stride;
        *output += loops[i].output_stride;
        if (++at[i] < loops[i].count) {
            return 1;
        }
        *input -= loops[i].count * loops[i].input_stride;
        *output -= loops[i].count * loops[i].output_stride;
        at[i] = 0;
    }
    return 0;
}

void tfser_copy_s8(const tfser_loop *loops, int32_t depth, const int8_t *input, int8_t *output) {
    int32_t at[DEPTH_MOST] = {0};
    const tfser_loop inner = loops[depth - 1];
    int32_t from = 0;
    int32_t to = 0;
    do {
        if (inner.input_stride == 1 && inner.output_stride == 1) {
            (void)memmove(output + to, input + from, (size_t)inner.count);
        } else {
            for (int32_t i = 0; i < inner.count; i++) {
                output[to + i * inner.output_stride] = input[from + i * inner.input_stride];
            }
        }
    } while (next(loops, depth - 1, at, &from, &to));
}

void tfser_fill_s8(const tfser_loop *loops, int32_t depth, int32_t value, int8_t *output) {
    int32_t at[DEPTH_MOST] = {0};
    const tfser_loop inner = loops[depth - 1];
    int32_t from = 0;
    int32_t to = 0;
    do {
        for (int32_t i = 0; i < inner.count; i++) {
            output[to + i * inner.output_stride] = (int8_t)value;
        }
    } while (next(loops, depth - 1, at, &from, &to));
}
