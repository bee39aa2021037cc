/* What the kernels of the pairs form share: rows of int8 widened, and four of them times packed weights.
 *
 * The depth is taken by pairs: (0, 2), (1, 3) of every whole four elements; of the rest (0, 1), or (0, 2), (1, -),
 * or (0, -). Weights (firmware_gen.emit.packing.pack_pairs) are, for each two outputs a and b, for each pair (p, q),
 * the bytes a[p], b[p], a[q], b[q]; for a last output without a partner a[p], a[r], a[q], a[s] for every two pairs
 * (p, q), (r, s), and a[p], a[q] for a last one. Where the layer is `narrow` 2 the bytes of two outputs are joined:
 * the two at [p] are the int16 256 * b[p] + a[p], so that b's byte is one less where a is negative.
 * Four widened rows: elements less the input's zero point, the missing element of an odd depth 0.
 *   SMLAD, and portable: for each pair, for each row, a word with the first element in its lower half.
 *   Scalar Thumb-2 cores: for each element of each pair, for each row, a word.
 * Assembly takes twice the elements if `narrow`: so are accumulators, and (acc * multiplier + 2^30) >> 31 is the upper
 * word of a rounded product. */
#ifndef TFSER_PAIRS_H
#define TFSER_PAIRS_H

#include <stdint.h>
#include <string.h>

#include "tfser_dense.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Assembly for GCC and clang. */
#if defined(__thumb2__) && defined(__GNUC__) && defined(__ARM_FEATURE_DSP)
#define TFSER_SMLAD 1
#elif defined(__thumb2__) && defined(__GNUC__)
#define TFSER_MLA 1
#endif

#define TFSER_PAIRS_ROWS 4
#if defined(TFSER_MLA)
#define TFSER_PAIRS_STEP 8 /* words from one pair to the next */
#else
#define TFSER_PAIRS_STEP 4
#endif

static inline int32_t tfser_pairs_count(const tfser_dense *layer) { return (layer->depth + 1) / 2; }

/* Left shift of widened elements. */
static inline int32_t tfser_pairs_doubled(const tfser_dense *layer) {
#if defined(TFSER_SMLAD) || defined(TFSER_MLA)
    return layer->narrow != 0 ? 1 : 0;
#else
    (void)layer;
    return 0;
#endif
}

static inline uint32_t tfser_pairs_load(const int8_t *from) {
    uint32_t word;
    (void)memcpy(&word, from, sizeof word);
    return word;
}

#if defined(TFSER_SMLAD)
/* Bytes 0 and 2, or 1 and 3, of a word as int16, plus the halves of `plus`. */
static inline uint32_t tfser_pairs_even(uint32_t plus, uint32_t word) {
    uint32_t halves;
    __asm__("sxtab16 %0, %1, %2" : "=r"(halves) : "r"(plus), "r"(word));
    return halves;
}
static inline uint32_t tfser_pairs_odd(uint32_t plus, uint32_t word) {
    uint32_t halves;
    __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(halves) : "r"(plus), "r"(word));
    return halves;
}
/* The same bytes alone. */
static inline uint32_t tfser_pairs_low(uint32_t word) {
    uint32_t halves;
    __asm__("sxtb16 %0, %1" : "=r"(halves) : "r"(word));
    return halves;
}
static inline uint32_t tfser_pairs_high(uint32_t word) {
    uint32_t halves;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(halves) : "r"(word));
    return halves;
}
static inline int32_t tfser_pairs_smlad(uint32_t a, uint32_t b, int32_t sum) {
    int32_t next;
    __asm__("smlad %0, %1, %2, %3" : "=r"(next) : "r"(a), "r"(b), "r"(sum));
    return next;
}
#endif

/* Elements [at, at + count) of a row to its place in `wide`, which points to the first of its words. `at` is a
 * multiple of 4, and so is count unless the row ends there. */
void tfser_pairs_widen(const tfser_dense *layer, uint32_t *wide, int32_t at, const int8_t *from, int32_t count);
/* Zero for the same elements: taps outside of the input. */
void tfser_pairs_clear(uint32_t *wide, int32_t at, int32_t count);
/* `count` whole rows. */
void tfser_pairs_widen_rows(const tfser_dense *layer, uint32_t *wide, const int8_t *input, int32_t stride,
                            int32_t count);

/* `rows` of the four widened rows times all outputs; the others hold anything. */
void tfser_pairs_block(const tfser_dense *layer, const int8_t *weights, const int32_t *bias, const uint32_t *wide,
                       int32_t rows, int8_t *output, int32_t output_stride);

/* For tfser_pairs_block. */
void tfser_pairs_block_asm(const tfser_dense *layer, const int8_t *weights, const int32_t *bias, const uint32_t *wide,
                           int32_t rows, int8_t *output, int32_t output_stride);

/* Where the factors of output n begin, those of the pair (p, q) at [0] and [second]; the next pair is 4 bytes on. */
static inline const int8_t *tfser_pairs_weights(const tfser_dense *layer, const int8_t *weights, int32_t n) {
    return weights + n / 2 * 4 * tfser_pairs_count(layer) + n % 2;
}
static inline int tfser_pairs_is_alone(const tfser_dense *layer, int32_t n) {
    return n % 2 == 0 && n == layer->outputs - 1;
}

/* Factors of pair i of an output less their zero point. `weights` is that of tfser_pairs_weights. */
static inline void tfser_pairs_factors(const tfser_dense *layer, const int8_t *weights, int32_t n, int32_t i,
                                       int32_t factor[2]) {
    const int8_t *at = weights + 4 * i;
    int32_t second = 2;
    if (tfser_pairs_is_alone(layer, n)) {
        at = weights + 4 * (i / 2) + i % 2;
        second = i % 2 == 0 && i == tfser_pairs_count(layer) - 1 ? 1 : 2;
    }
    factor[0] = at[0] - layer->weights_zero_point;
    factor[1] = at[second] - layer->weights_zero_point;
    if (layer->narrow == 2 && n % 2 != 0) {
        factor[0] += at[-1] < 0 ? 1 : 0;
        factor[1] += at[1] < 0 ? 1 : 0;
    }
}

#ifdef __cplusplus
}
#endif

#endif /* TFSER_PAIRS_H */
