/* What the kernels of the pairs form share: rows of int8 widened, and four of them times packed weights.
 *
 * The depth is taken by pairs: (0, 2), (1, 3) of every whole four elements; of the rest (0, 1), or (0, 2), (1, -),
 * or (0, -). Weights (firmware_gen.emit.packing.pack_pairs) are, for each two outputs a and b, for each pair (p, q),
 * the bytes a[p], b[p], a[q], b[q]; for a last output without a partner a[p], a[r], a[q], a[s] for every two pairs
 * (p, q), (r, s), and a[p], a[q] for a last one.
 * Four widened rows: for each pair, for each row, its two elements less the input's zero point, one word; the missing
 * element of an odd depth is 0. With SMLAD and `narrow` they are doubled: so are accumulators, which then give
 * (acc * multiplier + 2^30) >> 31 by one SMMULR. */
#ifndef TFSER_PAIRS_H
#define TFSER_PAIRS_H

#include <stdint.h>
#include <string.h>

#include "tfser_dense.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Assembly for GCC and clang; it takes every register, which a build without optimisation does not give. */
#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__) && defined(__GNUC__) && defined(__OPTIMIZE__)
#define TFSER_SMLAD 1
#endif

#define TFSER_PAIRS_ROWS 4
#define TFSER_PAIRS_BYTES 8 /* of four widened elements, one a row */

static inline int32_t tfser_pairs_count(const tfser_dense *layer) { return (layer->depth + 1) / 2; }

static inline int32_t tfser_pairs_doubled(const tfser_dense *layer) {
#if defined(TFSER_SMLAD)
    return layer->narrow;
#else
    (void)layer;
    return 0;
#endif
}

/* Elements [at, at + count) of a row to its place in `wide`, which points to the first of its words. `at` is a
 * multiple of 4, and so is count unless the row ends there. */
void tfser_pairs_widen(const tfser_dense *layer, int16_t *wide, int32_t at, const int8_t *from, int32_t count);
/* Zero for the same elements: taps outside of the input. */
void tfser_pairs_clear(int16_t *wide, int32_t at, int32_t count);

/* `rows` of the four widened rows times all outputs; the others hold anything that was widened. */
void tfser_pairs_block(const tfser_dense *layer, const int8_t *weights, const int32_t *bias, const int16_t *wide,
                       int32_t rows, int8_t *output, int32_t output_stride);

#ifdef __cplusplus
}
#endif

#endif /* TFSER_PAIRS_H */
