/* Kernels of tfser_features.h. */
#include "tfser_features.h"

static inline int8_t clamped(int32_t code) {
#if defined(__ARM_FEATURE_SAT)
    __asm("ssat %0, #8, %0" : "+r"(code));
    return (int8_t)code;
#else
    return (int8_t)(code < -128 ? -128 : code > 127 ? 127 : code);
#endif
}

/* 64 max(x, 0), x below 2^25. */
static inline int32_t above_zero(int32_t x) {
#if defined(__ARM_FEATURE_SAT)
    __asm("usat %0, #31, %0, lsl #6" : "+r"(x));
    return x;
#else
    return x > 0 ? x * 64 : 0;
#endif
}

void tfser_features_put(uint16_t *high, uint8_t *low, const uint32_t *value, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        high[i] = (uint16_t)(value[i] >> 8);
        low[i] = (uint8_t)value[i];
    }
}

static void clear(uint32_t *histogram) {
    for (uint32_t i = 0; i < 256; i++) {
        histogram[i] = 0;
    }
}

/* The bucket that holds the element `*rank`, which becomes its rank within the bucket. */
static uint32_t bucket(const uint32_t *histogram, uint32_t *rank) {
    uint32_t i = 0;
    while (*rank >= histogram[i]) {
        *rank -= histogram[i++];
    }
    return i;
}

/* The upper byte of high[i]: a load and nothing else where it has an address of its own. */
static inline uint32_t top_byte(const uint16_t *high, uint32_t i) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return ((const uint8_t *)high)[2 * i + 1];
#else
    return (uint32_t)high[i] >> 8;
#endif
}

/* Four at a time: the loops below are most of what a decision costs beside the model. */
#define EACH(count, i, does)                             \
    do {                                                 \
        uint32_t i = 0;                                  \
        for (; i + 4 <= (count); i += 4) {               \
            does(i);                                     \
            does(i + 1);                                 \
            does(i + 2);                                 \
            does(i + 3);                                 \
        }                                                \
        for (; i < (count); i++) {                       \
            does(i);                                     \
        }                                                \
    } while (0)

#define COUNT_TOP(i) histogram[top_byte(high, i)]++
#define COUNT_UPPER(i) (void)((uint32_t)high[i] >> 8 == top && histogram[high[i] & 0xFFu]++ != 0)
#define COUNT_LOW(i) (void)(high[i] == upper && histogram[low[i]]++ != 0)

uint32_t tfser_features_select(const uint16_t *high, const uint8_t *low, uint32_t count, uint32_t rank,
                               uint32_t *histogram) {
    clear(histogram);
    EACH(count, i, COUNT_TOP);
    const uint32_t top = bucket(histogram, &rank);
    clear(histogram);
    EACH(count, i, COUNT_UPPER);
    const uint32_t upper = top << 8 | bucket(histogram, &rank);
    clear(histogram);
    EACH(count, i, COUNT_LOW);
    return upper << 8 | bucket(histogram, &rank);
}

typedef struct {
    int32_t base, multiplier, addend;
    uint32_t bits;
} band_codes;

static inline int8_t code(band_codes band, uint32_t high, uint32_t low) {
    const int32_t x = above_zero((int32_t)(high << 8 | low) - band.base);
    return clamped(((int32_t)(((int64_t)x * band.multiplier) >> 32) + band.addend) >> band.bits);
}

void tfser_features_quantise(const tfser_features_codes *codes, const uint16_t *high, const uint8_t *low, uint32_t rows,
                             uint32_t level, int8_t *output) {
    const uint32_t bands = codes->bands, bits = codes->fraction_bits;
    const int32_t base = (int32_t)level + codes->lowest, half = (int32_t)1 << (bits - 1);
    for (uint32_t b = 0; b < bands; b++) {
        const band_codes band = {base, codes->multiplier[b], codes->addend[b] + half, bits};
        uint32_t at = b;
        for (uint32_t pairs = rows / 2; pairs != 0; pairs--, at += 2 * bands) {
            output[at] = code(band, high[at], low[at]);
            output[at + bands] = code(band, high[at + bands], low[at + bands]);
        }
        if (rows % 2 != 0) {
            output[at] = code(band, high[at], low[at]);
        }
    }
}
