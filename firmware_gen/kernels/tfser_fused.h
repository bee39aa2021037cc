/* Products and sums in one rounding, on every core alike. */
#ifndef TFSER_FUSED_H
#define TFSER_FUSED_H

/* a * b + c. Where there is no instruction for it, the product is exact in double precision, and only a sum that falls
 * between two floats to 29 bits can be rounded to the other one. */
static inline float tfser_fused(float a, float b, float c) {
#if defined(__FP_FAST_FMAF) || defined(__ARM_FEATURE_FMA)
    return __builtin_fmaf(a, b, c);
#else
    return (float)((double)a * b + c);
#endif
}

#endif /* TFSER_FUSED_H */
