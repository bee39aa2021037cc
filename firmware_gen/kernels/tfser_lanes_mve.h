/* Helium: four int32 lanes, for tfser_lanes.h. Lanes past the end of a row hold 0 where they are loaded. */
#ifndef TFSER_LANES_MVE_H
#define TFSER_LANES_MVE_H

#include <arm_mve.h>

#include "tfser_helium.h"

#define TFSER_LANES 4
typedef int32x4_t tfser_lane;

static inline tfser_lane tfser_load_s8(const int8_t *x, int32_t remaining) {
    return remaining >= TFSER_LANES ? vldrbq_s32(x) : vldrbq_z_s32(x, vctp32q((uint32_t)remaining));
}

static inline tfser_lane tfser_all_s8(int8_t code) { return vdupq_n_s32(code); }

static inline void tfser_store_s8(int8_t *y, int32_t remaining, tfser_lane codes) {
    if (remaining >= TFSER_LANES) {
        vstrbq_s32(y, codes);
    } else {
        vstrbq_p_s32(y, codes, vctp32q((uint32_t)remaining));
    }
}

/* The addition of an offset below zero wraps. */
static inline tfser_lane tfser_table_s8(const int8_t table[256], tfser_lane code) {
    return vldrbq_gather_offset_s32(table + 128, vreinterpretq_u32_s32(code));
}

static inline tfser_lane tfser_lane_all(int32_t x) { return vdupq_n_s32(x); }
static inline tfser_lane tfser_lane_add(tfser_lane a, tfser_lane b) { return vaddq_s32(a, b); }
static inline tfser_lane tfser_lane_sub(tfser_lane a, tfser_lane b) { return vsubq_s32(a, b); }
static inline tfser_lane tfser_lane_mul(tfser_lane a, tfser_lane b) { return vmulq_s32(a, b); }
static inline tfser_lane tfser_lane_min(tfser_lane a, tfser_lane b) { return vminq_s32(a, b); }
static inline tfser_lane tfser_lane_max(tfser_lane a, tfser_lane b) { return vmaxq_s32(a, b); }
static inline tfser_lane tfser_lane_times(tfser_lane x, int32_t factor) { return vmulq_n_s32(x, factor); }
static inline tfser_lane tfser_lane_mla(tfser_lane acc, tfser_lane x, int32_t factor) {
    return vmlaq_n_s32(acc, x, factor);
}
static inline tfser_lane tfser_lane_add_shifted(tfser_lane acc, tfser_lane x, int32_t shift) {
    return vmlaq_n_s32(acc, x, (int32_t)1 << shift);
}
static inline tfser_lane tfser_lane_sign(tfser_lane x) { return vshrq_n_s32(x, 31); }

static inline tfser_lane tfser_lane_centre(tfser_lane x, int32_t zero_point, int32_t left_shift) {
    return vshlq_r_s32(vsubq_n_s32(x, zero_point), left_shift);
}

/* VRSHL takes ties up; one less where negative, it takes them away from zero. */
static inline tfser_lane tfser_lane_rescale(tfser_lane x, int32_t multiplier, int32_t shift) {
    if (shift >= 0) {
        return vqrdmulhq_n_s32(vshlq_r_s32(x, shift), multiplier);
    }
    return vrshlq_n_s32(vaddq_s32(vqrdmulhq_n_s32(x, multiplier), vshrq_n_s32(x, 31)), shift);
}

static inline tfser_lane tfser_lane_clamp(tfser_lane x, int32_t zero_point, int32_t low, int32_t high) {
    return vminq_s32(vmaxq_s32(vaddq_n_s32(x, zero_point), vdupq_n_s32(low)), vdupq_n_s32(high));
}

static inline tfser_lane tfser_lane_factor(tfser_lane x, int32_t zero_point) { return vsubq_n_s32(x, zero_point); }
static inline tfser_lane tfser_lane_square(tfser_lane x) { return vmulq_s32(x, x); }
static inline tfser_lane tfser_lane_add_high(tfser_lane x, int32_t multiplier, int32_t constant) {
    return vaddq_n_s32(vrmulhq_s32(x, vdupq_n_s32(multiplier)), constant);
}
static inline tfser_lane tfser_lane_scale(tfser_lane product, int32_t multiplier, int32_t constant) {
    return vaddq_n_s32(vqrdmulhq_n_s32(product, multiplier), constant);
}

static inline tfser_lane tfser_lane_code(tfser_lane acc, int32_t shift, int32_t low, int32_t high) {
    return vminq_s32(vmaxq_s32(vshlq_r_s32(acc, -shift), vdupq_n_s32(low)), vdupq_n_s32(high));
}

#endif /* TFSER_LANES_MVE_H */
