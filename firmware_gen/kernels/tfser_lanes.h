/* Element-wise arithmetic in lanes: one int32 on scalar cores, four on Helium.
 *
 * Generated loops are written once in these terms:
 *   for (int32_t j = 0; j < length; j += TFSER_LANES) {
 *       const tfser_lane a = tfser_load_s8(x + j, length - j);
 *       tfser_store_s8(y + j, length - j, tfser_lane_code(tfser_lane_mla(tfser_lane_all(c), a, k), 22, -128, 127));
 *   }
 * A load of fewer than TFSER_LANES remaining elements reads no byte past them; a store writes none.
 * Parameters are constants where the functions are inlined, so that branches on them cost nothing.
 *
 * tfser_add_s8 and its like are the definition. Most loops have a shorter form instead, which was found to give the
 * same code for every pair of codes when the model was compiled (firmware_gen.emit.ops.binary_forms). */
#ifndef TFSER_LANES_H
#define TFSER_LANES_H

#include <stdint.h>

#include "tfser_helium.h"
#include "tfser_requantize.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Functions with a constant shift are always inlined: SSAT takes it as part of the instruction. */
#if defined(__GNUC__)
#define TFSER_ALWAYS_INLINE __attribute__((always_inline)) static inline
#else
#define TFSER_ALWAYS_INLINE static inline
#endif
#if defined(__thumb2__) && defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__)
#define TFSER_SSAT 1
#endif
#if defined(__GNUC__)
#define TFSER_LOOP __attribute__((noinline)) static
#else
#define TFSER_LOOP static
#endif
/* In front of a loop of four iterations: without the counter, it takes half as long. */
#if defined(__GNUC__) && !defined(__clang__)
#define TFSER_UNROLL _Pragma("GCC unroll 4")
#else
#define TFSER_UNROLL
#endif

/* Besides the functions that their names describe:
 *   tfser_lane_times(x, factor)         x * factor
 *   tfser_lane_mla(acc, x, factor)      acc + x * factor
 *   tfser_lane_add_shifted(acc, x, n)   acc + x * 2^n
 *   tfser_lane_sign(x)                  -1 where x < 0, else 0
 *   tfser_lane_centre(x, z, shift)      (x - z) * 2^shift
 *   tfser_lane_rescale(x, m, shift)     tfser_rescale; with shift <= 0 for |x| < 2^30
 *   tfser_lane_clamp(x, z, low, high)   x + z within [low, high]
 *   tfser_lane_code(x, shift, low, high)   x >> shift within [low, high]
 *   tfser_lane_add_high(x, m, constant)    constant + ((x * m + 2^31) >> 32)
 *   tfser_lane_scale(p, m, constant)    constant + ((product * m + 2^30) >> 31) for a product a * (b - z) below 2^30,
 *                                       where p is a * tfser_lane_factor(b, z) */

/* Two inputs with codes a and b, zero points subtracted, to a code clamped to [low, high].
 * add, sub, squared_difference: both shifted left and rescaled first, so that |sum| < 2^30. */
typedef struct {
    int32_t a_zero_point, b_zero_point;
    int32_t left_shift;
    int32_t a_multiplier, a_shift;
    int32_t b_multiplier, b_shift;
    int32_t multiplier, shift;
    int32_t output_zero_point, low, high;
} tfser_binary;

#if defined(TFSER_HELIUM)
#include "tfser_lanes_mve.h"
#else

#define TFSER_LANES 1
typedef int32_t tfser_lane;

static inline tfser_lane tfser_load_s8(const int8_t *x, int32_t remaining) {
    (void)remaining;
    return *x;
}

static inline tfser_lane tfser_all_s8(int8_t code) { return code; }

static inline void tfser_store_s8(int8_t *y, int32_t remaining, tfser_lane codes) {
    (void)remaining;
    *y = (int8_t)codes;
}

static inline tfser_lane tfser_table_s8(const int8_t table[256], tfser_lane code) { return (table + 128)[code]; }

static inline tfser_lane tfser_lane_all(int32_t x) { return x; }
static inline tfser_lane tfser_lane_add(tfser_lane a, tfser_lane b) { return a + b; }
static inline tfser_lane tfser_lane_sub(tfser_lane a, tfser_lane b) { return a - b; }
static inline tfser_lane tfser_lane_mul(tfser_lane a, tfser_lane b) { return a * b; }
static inline tfser_lane tfser_lane_min(tfser_lane a, tfser_lane b) { return a < b ? a : b; }
static inline tfser_lane tfser_lane_max(tfser_lane a, tfser_lane b) { return a > b ? a : b; }
static inline tfser_lane tfser_lane_times(tfser_lane x, int32_t factor) { return x * factor; }
static inline tfser_lane tfser_lane_mla(tfser_lane acc, tfser_lane x, int32_t factor) { return acc + x * factor; }
/* Not by a multiplication: the compiler would take SMLABB, with the factor in a register. */
static inline tfser_lane tfser_lane_add_shifted(tfser_lane acc, tfser_lane x, int32_t shift) {
    return acc + (int32_t)((uint32_t)x << shift);
}
static inline tfser_lane tfser_lane_sign(tfser_lane x) { return x < 0 ? -1 : 0; }
static inline tfser_lane tfser_lane_centre(tfser_lane x, int32_t zero_point, int32_t left_shift) {
    return (x - zero_point) * ((int32_t)1 << left_shift);
}
static inline tfser_lane tfser_lane_rescale(tfser_lane x, int32_t multiplier, int32_t shift) {
    return shift > 0 ? tfser_rescale(x, multiplier, shift) : tfser_rescale_narrow(x, multiplier, -shift);
}
static inline tfser_lane tfser_lane_clamp(tfser_lane x, int32_t zero_point, int32_t low, int32_t high) {
    return tfser_clamp(x, zero_point, low, high);
}
/* Doubled, so that the high word of a product with it has no bit too many; by assembly, for else the compiler doubles
 * the product instead, once an element. */
static inline tfser_lane tfser_lane_factor(tfser_lane x, int32_t zero_point) {
#if defined(TFSER_SSAT)
    int32_t doubled;
    __asm("add %0, %2, %1, lsl #1" : "=r"(doubled) : "r"(x), "r"(-2 * zero_point));
    return doubled;
#else
    return (x - zero_point) * 2;
#endif
}
static inline tfser_lane tfser_lane_square(tfser_lane x) { return x * x; }
static inline tfser_lane tfser_lane_add_high(tfser_lane x, int32_t multiplier, int32_t constant) {
    return tfser_add_high(constant, x, multiplier);
}
static inline tfser_lane tfser_lane_scale(tfser_lane product, int32_t multiplier, int32_t constant) {
    return tfser_add_high(constant, product, multiplier);
}
TFSER_ALWAYS_INLINE tfser_lane tfser_lane_code(tfser_lane acc, int32_t shift, int32_t low, int32_t high) {
#if defined(TFSER_SSAT)
    if (low == -128 && high == 127) {
        int32_t code;
        __asm("ssat %0, #8, %1, asr %2" : "=r"(code) : "r"(acc), "n"(shift));
        return code;
    }
#endif
    return tfser_clamp(acc >> shift, 0, low, high);
}

#endif /* TFSER_HELIUM */

static inline tfser_lane tfser_binary_output(const tfser_binary *p, tfser_lane acc) {
    return tfser_lane_clamp(tfser_lane_rescale(acc, p->multiplier, p->shift), p->output_zero_point, p->low, p->high);
}

static inline tfser_lane tfser_binary_a(const tfser_binary *p, tfser_lane a) {
    return tfser_lane_rescale(tfser_lane_centre(a, p->a_zero_point, p->left_shift), p->a_multiplier, p->a_shift);
}

static inline tfser_lane tfser_binary_b(const tfser_binary *p, tfser_lane b) {
    return tfser_lane_rescale(tfser_lane_centre(b, p->b_zero_point, p->left_shift), p->b_multiplier, p->b_shift);
}

static inline tfser_lane tfser_add_s8(const tfser_binary *p, tfser_lane a, tfser_lane b) {
    return tfser_binary_output(p, tfser_lane_add(tfser_binary_a(p, a), tfser_binary_b(p, b)));
}

static inline tfser_lane tfser_sub_s8(const tfser_binary *p, tfser_lane a, tfser_lane b) {
    return tfser_binary_output(p, tfser_lane_sub(tfser_binary_a(p, a), tfser_binary_b(p, b)));
}

static inline tfser_lane tfser_squared_difference_s8(const tfser_binary *p, tfser_lane a, tfser_lane b) {
    const tfser_lane difference = tfser_lane_sub(tfser_binary_a(p, a), tfser_binary_b(p, b));
    return tfser_binary_output(p, tfser_lane_mul(difference, difference));
}

static inline tfser_lane tfser_mul_s8(const tfser_binary *p, tfser_lane a, tfser_lane b) {
    return tfser_binary_output(p, tfser_lane_mul(tfser_lane_centre(a, p->a_zero_point, 0),
                                                 tfser_lane_centre(b, p->b_zero_point, 0)));
}

#ifdef __cplusplus
}
#endif

#endif /* TFSER_LANES_H */
