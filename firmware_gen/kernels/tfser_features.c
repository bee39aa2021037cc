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

#define COUNT_TOP(i) histogram[high[i] >> 8]++
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

void tfser_features_quantise(const tfser_features_codes *codes, const uint16_t *high, const uint8_t *low, uint32_t rows,
                             uint32_t level, int8_t *output) {
    const uint32_t bands = codes->bands, bits = codes->fraction_bits;
    const int32_t down = (int32_t)level * 64, lowest = codes->lowest * 64;
    const int32_t half = (int32_t)1 << (bits - 1);
    for (uint32_t band = 0; band < bands; band++, high++, low++, output++) {
        const int32_t multiplier = codes->multiplier[band], addend = codes->addend[band] + half;
        for (uint32_t row = 0, at = 0; row < rows; row++, at += bands) {
            const int32_t above = (int32_t)((uint32_t)high[at] << 14 | (uint32_t)low[at] << 6) - down;
            const int32_t x = above > lowest ? above : lowest;
            const int32_t code = ((int32_t)(((int64_t)x * multiplier) >> 32) + addend) >> bits;
            output[at] = clamped(code);
        }
    }
}
