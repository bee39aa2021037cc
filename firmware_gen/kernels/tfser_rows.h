/* What the kernels of the rows form share: the order of packed weights and the code of one accumulator.
 *
 * Rows form of a matrix w[n][k], K deep, N outputs, as many bytes as the matrix has elements:
 *   for each tile of TFSER_ROWS_TILE outputs (the last may be smaller)
 *     for each chunk of 16 of the depth (the last may be smaller)
 *       for each output of the tile: its bytes of the chunk. */
#ifndef TFSER_ROWS_H
#define TFSER_ROWS_H

#include <stdint.h>
#include <string.h>

#include "tfser_dense.h"
#include "tfser_helium.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TFSER_ROWS_TILE 64
#define TFSER_ROWS_CHUNK 16

/* Scratch of the block function: the sums of four rows with the outputs of a tile. */
static inline int32_t tfser_rows_sums_bytes(const tfser_dense *layer) {
    const int32_t outputs = (layer->outputs + 3) & -4;
    return 16 * (outputs < TFSER_ROWS_TILE ? outputs : TFSER_ROWS_TILE);
}

/* `count` rows, 1 to 4, times the matrix; the pointers of fewer than four repeat the last. No output may lie on a row
 * that is read. */
void tfser_rows_block_s8(const tfser_dense *layer, const int8_t *weights, const int32_t *bias,
                         const int8_t *const row[4], int32_t count, int8_t *output, int32_t output_stride,
                         int32_t *sums);

static inline int32_t tfser_rows_least(int32_t a, int32_t b) { return a < b ? a : b; }

/* memcpy, which is a loop over bytes in some C libraries. */
static inline void tfser_rows_copy(int8_t *to, const int8_t *from, int32_t size) {
#if defined(TFSER_HELIUM)
    for (; size >= 16; size -= 16) {
        vstrbq_s8(to, vldrbq_s8(from));
        to += 16;
        from += 16;
    }
    if (size > 0) {
        const mve_pred16_t bytes = vctp8q((uint32_t)size);
        vstrbq_p_s8(to, vldrbq_z_s8(from, bytes), bytes);
    }
#else
    (void)memcpy(to, from, (size_t)size);
#endif
}

static inline void tfser_rows_fill(int8_t *to, int32_t value, int32_t size) {
#if defined(TFSER_HELIUM)
    const int8x16_t all = vdupq_n_s8((int8_t)value);
    for (; size >= 16; size -= 16) {
        vstrbq_s8(to, all);
        to += 16;
    }
    vstrbq_p_s8(to, all, vctp8q((uint32_t)size));
#else
    (void)memset(to, (int)value, (size_t)size);
#endif
}

/* Code of an accumulator, output n; acc * 2^max(shift, 0) is taken modulo 2^32. Two roundings:
 * (acc * multiplier + 2^30) >> 31, ties up; then / 2^-shift, ties away from zero. Golden: (1, 2^30, -1) -> 1. */
static inline int8_t tfser_rows_code(const tfser_dense *layer, int32_t n, int32_t acc) {
    const int32_t at = layer->per_channel != 0 ? n : 0;
    const int32_t shift = layer->shift[at];
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift < 0 ? -shift : 0;
    const int64_t product = (int64_t)(int32_t)((uint32_t)acc << left) * layer->multiplier[at];
    int64_t y = (product + ((int64_t)1 << 30)) >> 31;
    if (right > 0) {
        y = (y + ((int64_t)1 << (right - 1)) - (y < 0 ? 1 : 0)) >> right;
    }
    y += layer->output_zero_point;
    y = y < layer->output_min ? layer->output_min : y;
    y = y > layer->output_max ? layer->output_max : y;
    return layer->table != 0 ? layer->table[y + 128] : (int8_t)y;
}

#ifdef __cplusplus
}
#endif

#endif /* TFSER_ROWS_H */
