/* From accumulators to codes. */
#ifndef TFSER_REQUANTIZE_H
#define TFSER_REQUANTIZE_H

#include <stdint.h>

#include "tfser_dense.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__) && defined(__GNUC__)
#define TFSER_SMMULR 1
#endif

/* acc + (a * b + 2^31) / 2^32, rounded down, modulo 2^32. */
static inline int32_t tfser_add_high(int32_t acc, int32_t a, int32_t b) {
#if defined(TFSER_SMMULR)
    int32_t y;
    __asm("smmlar %0, %1, %2, %3" : "=r"(y) : "r"(a), "r"(b), "r"(acc));
    return y;
#elif defined(__thumb2__) && defined(__GNUC__)
    int32_t low = INT32_MIN;
    __asm("smlal %0, %1, %2, %3" : "+r"(low), "+r"(acc) : "r"(a), "r"(b));
    return acc;
#else
    const int64_t product = (int64_t)a * b + ((int64_t)1 << 31);
    return (int32_t)((uint32_t)acc + (uint32_t)(product >> 32));
#endif
}

/* x within [-128, 127]. */
static inline int32_t tfser_saturate(int32_t x) {
#if defined(__thumb2__) && defined(__GNUC__)
    int32_t y;
    __asm("ssat %0, #8, %1" : "=r"(y) : "r"(x));
    return y;
#else
    return x < -128 ? -128 : x > 127 ? 127 : x;
#endif
}

/* x + zero_point, modulo 2^32, within [low, high]. */
static inline int32_t tfser_clamp(int32_t x, int32_t zero_point, int32_t low, int32_t high) {
    const int32_t code = (int32_t)((uint32_t)x + (uint32_t)zero_point);
    const int32_t above = code < low ? low : code;
    return above > high ? high : above;
}

/* y / 2^right to nearest, ties away from zero; right in [0, 31], any y. */
static inline int32_t tfser_shift_right(int32_t y, int32_t right) {
    const int32_t mask = (int32_t)(((uint32_t)1 << right) - 1u);
    const int32_t rest = y & mask;
    return (y >> right) + (rest > (mask >> 1) + (y < 0 ? 1 : 0) ? 1 : 0);
}

/* x * multiplier / 2^(31 - shift) with two roundings: (x * 2^max(shift, 0) * multiplier + 2^30) >> 31, ties up; then
 * / 2^max(-shift, 0), ties away from zero. x * 2^max(shift, 0) is taken modulo 2^32.
 * multiplier in [0, 2^31), shift in [-31, 30]. Golden: (1, 2^30, -1) -> 1, (-1, 2^30, -1) -> 0. */
static inline int32_t tfser_rescale(int32_t x, int32_t multiplier, int32_t shift) {
    const int32_t left = shift > 0 ? shift : 0;
    const int64_t product = (int64_t)(int32_t)((uint32_t)x << left) * multiplier;
    return tfser_shift_right((int32_t)((product + ((int64_t)1 << 30)) >> 31), shift < 0 ? -shift : 0);
}

/* The same with shift = -right, right in [0, 31], for |x| < 2^30. */
static inline int32_t tfser_rescale_narrow(int32_t x, int32_t multiplier, int32_t right) {
#if defined(TFSER_SMMULR)
    int32_t y;
    __asm("smmulr %0, %1, %2" : "=r"(y) : "r"(x * 2), "r"(multiplier));
#else
    const int32_t y = (int32_t)(((int64_t)x * multiplier + ((int64_t)1 << 30)) >> 31);
#endif
    /* |y| < 2^30: the sum fits. */
    return right == 0 ? y : (y + (int32_t)((uint32_t)1 << (right - 1)) - (y < 0 ? 1 : 0)) >> right;
}

/* Code of an accumulator of any int32, output n: tfser_rescale, zero point, limits, table. */
static inline int8_t tfser_requantize(const tfser_dense *layer, int32_t n, int32_t acc) {
    const int32_t at = layer->per_channel != 0 ? n : 0;
    const int32_t y = tfser_rescale(acc, layer->multiplier[at], layer->shift[at]);
    const int32_t code = tfser_clamp(y, layer->output_zero_point, layer->output_min, layer->output_max);
    return layer->table != 0 ? layer->table[code + 128] : (int8_t)code;
}

#ifdef __cplusplus
}
#endif

#endif /* TFSER_REQUANTIZE_H */
