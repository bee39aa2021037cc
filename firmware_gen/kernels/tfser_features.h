/* The feature window: a ring of log-mel rows, their level, and the int8 codes that the model takes. */
#ifndef TFSER_FEATURES_H
#define TFSER_FEATURES_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Values are those of tfser_frame.h: unsigned, 24 bits, log2 above the floor of the power. A window of `count` values
 * is kept in two planes, the upper 16 bits and the lower 8, in any order of its rows. Golden: 0x123456 -> 0x1234,
 * 0x56. */
void tfser_features_put(uint16_t *high, uint8_t *low, const uint32_t *value, uint32_t count);

/* The value that would stand at position `rank` (from 0) if the window were sorted. count: 1 to 2^31; rank < count.
 * histogram: [256], for the time of the call. Golden: values 5, 3, 9, rank 1 -> 5. */
uint32_t tfser_features_select(const uint16_t *high, const uint8_t *low, uint32_t count, uint32_t rank,
                               uint32_t *histogram);

/* How values become codes:
 *   x = max(value - level - lowest, 0);  code[b] = (hi32((x * 64) * multiplier[b]) + addend[b] + half) >> fraction_bits
 * clamped to int8, where hi32 is the upper word of the product (rounded down) and half = 2^(fraction_bits - 1).
 * lowest: [-2^24, 0]; fraction_bits: 4 to 16; the sum before the shift fits int32 for every x. */
typedef struct {
    uint32_t bands, fraction_bits;
    int32_t lowest;
    const int32_t *multiplier, *addend;
} tfser_features_codes;

/* `rows` rows of bands. level: what is taken from every value, below 2^24.
 * Golden, lowest -4096, multiplier 2^26, addend -4016, 4 bits, level 8192: 9216, 8192, 8191, 1 -> 69, 5, 5, -128. */
void tfser_features_quantise(const tfser_features_codes *codes, const uint16_t *high, const uint8_t *low, uint32_t rows,
                             uint32_t level, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif /* TFSER_FEATURES_H */
