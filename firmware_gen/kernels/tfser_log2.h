/* Binary logarithm of a positive integer by table. */
#ifndef TFSER_LOG2_H
#define TFSER_LOG2_H

#include <stdint.h>

#define TFSER_LOG2_BITS 22          /* of the fraction */
#define TFSER_LOG2_TABLE_ENTRIES 129 /* Q22 at 1 + i / 128, raised by half of the chord's error there */

/* log2(mantissa / 2^31) in Q22, 0 to 1: linear between entries, off by at most 6e-6.
 * mantissa: its highest bit is set. table: [TFSER_LOG2_TABLE_ENTRIES].
 * Golden: 2^31 + 2^30 -> 2453521 (log2(1.5) is 2453511; the entry is raised by 10). */
static inline int32_t tfser_log2_mantissa(const uint32_t *table, uint32_t mantissa) {
    const uint32_t *const entry = table + (mantissa >> 24 & 0x7Fu);
    return (int32_t)(entry[0] + ((entry[1] - entry[0]) * (mantissa >> 8 & 0xFFFFu) >> 16));
}

/* Leading zero bits of value, which is not 0. */
static inline uint32_t tfser_leading_zeros(uint32_t value) {
#if defined(__GNUC__)
    return (uint32_t)__builtin_clz(value);
#else
    uint32_t zeros = 0;
    for (; (value & 0x80000000u) == 0; value <<= 1) {
        zeros++;
    }
    return zeros;
#endif
}

#endif /* TFSER_LOG2_H */
