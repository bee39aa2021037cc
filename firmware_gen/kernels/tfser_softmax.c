#include "tfser_softmax.h"

#include <string.h>

#include "tfser_helium.h"
#include "tfser_requantize.h"

#if defined(TFSER_HELIUM)
#include "tfser_softmax_mve.h"
#else

#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__) && defined(__GNUC__)
#define SOFTMAX_DSP 1
#elif defined(__thumb2__) && defined(__GNUC__)
#define SOFTMAX_LONG 1
#endif

static inline int32_t leading_zeros(uint32_t x) {
#if defined(__GNUC__)
    return __builtin_clz(x);
#else
    int32_t zeros = 0;
    for (; (x >> 31) == 0; x <<= 1) {
        zeros++;
    }
    return zeros;
#endif
}

#if defined(SOFTMAX_DSP)
/* The larger of each byte of `four` and of the four elements x. */
static inline uint32_t larger(uint32_t four, const int8_t *x) {
    uint32_t word, difference;
    memcpy(&word, x, 4);
    __asm("ssub8 %1, %2, %0\n sel %0, %2, %0" : "+r"(four), "=&r"(difference) : "r"(word) : "cc");
    return four;
}
#endif

static inline int32_t maximum(const int8_t *x, int32_t depth) {
    int32_t most = x[0], k = depth & 3;
#if defined(SOFTMAX_DSP)
    if (depth >= 4) {
        uint32_t four;
        memcpy(&four, x, 4); /* some of its elements come again */
        for (; k + 8 <= depth; k += 8) {
            four = larger(larger(four, x + k), x + k + 4);
        }
        four = k < depth ? larger(four, x + k) : four;
        const int32_t a = (int8_t)(four & 0xFF), b = (int8_t)(four >> 8 & 0xFF);
        const int32_t c = (int8_t)(four >> 16 & 0xFF), d = (int8_t)(four >> 24);
        const int32_t ab = a > b ? a : b, cd = c > d ? c : d;
        return ab > cd ? ab : cd;
    }
#endif
    for (int32_t i = 1; i < k; i++) {
        most = x[i] > most ? x[i] : most;
    }
    for (; k < depth; k += 4) {
        most = x[k] > most ? x[k] : most;
        most = x[k + 1] > most ? x[k + 1] : most;
        most = x[k + 2] > most ? x[k + 2] : most;
        most = x[k + 3] > most ? x[k + 3] : most;
    }
    return most;
}

/* For a code at 4 * code bytes from `exps`, which may lie outside of the table. */
static inline int32_t exp_of(uintptr_t exps, int32_t code) {
    return *(const int32_t *)(exps + 4 * (uintptr_t)(intptr_t)code);
}

/* sum + e / 2^12 rounded, ties up: Q12.19; no exponential is negative. */
static inline uint32_t add_exp(uint32_t sum, int32_t e) {
#if defined(SOFTMAX_DSP)
    return (uint32_t)tfser_add_high((int32_t)sum, e, 1 << 20);
#else
    return sum + (((uint32_t)e + 2048u) >> 12);
#endif
}

static inline uint32_t sum_of_exps(uintptr_t exps, int32_t depth, const int8_t *x) {
    uint32_t sum = 0;
    int32_t k = 0;
    for (; k + 4 <= depth; k += 4) {
        sum = add_exp(sum, exp_of(exps, x[k]));
        sum = add_exp(sum, exp_of(exps, x[k + 1]));
        sum = add_exp(sum, exp_of(exps, x[k + 2]));
        sum = add_exp(sum, exp_of(exps, x[k + 3]));
    }
    for (; k < depth; k++) {
        sum = add_exp(sum, exp_of(exps, x[k]));
    }
    return sum;
}

/* 1 / d for d in [1, 2) as Q0.31, given as d * 2^31 - 2^32: three Newton-Raphson steps in Q2.29 on d / 2. The
 * reference multiplies by d / 2, (d / 2 * x + 2^30) >> 31, which is x + ((d - 2^32) * x + 2^31 >> 32) for an even d. */
static inline int32_t reciprocal(int32_t less) {
    int32_t x = tfser_add_high(-1010580540, less & -2, -1010580540) + 1515870810; /* 48 / 17 - 32 / 17 * d / 2 */
    for (int32_t step = 0; step < 3; step++) {
        const int32_t error = (1 << 29) - tfser_add_high(x, less & -2, x);
        x += tfser_add_high(0, error * 2, x) * 4; /* |error| < 2^26 */
    }
    return x > INT32_MAX / 2 ? INT32_MAX : x * 2;
}

/* What a row's codes are made with: code + 128 = (r * e + 2^30 + 2^(30 + right) >> 31) >> right. */
typedef struct {
    uintptr_t exps;
    int32_t reciprocal; /* r, less 2^31 and doubled for SMMLAR: (r * e + 2^30) >> 31 is e + the rounded high word */
    uint32_t rounding;  /* 2^(right - 1), halved where it is added to the high word */
    int32_t right;      /* one less there */
} row_state;

static inline uint32_t share(const row_state *row, int32_t code) {
    const int32_t e = exp_of(row->exps, code);
#if defined(SOFTMAX_DSP)
    return (uint32_t)tfser_add_high((int32_t)((uint32_t)e + row->rounding), row->reciprocal, e) >> row->right;
#elif defined(SOFTMAX_LONG)
    uint32_t low = 1u << 30, high = row->rounding;
    __asm("umlal %0, %1, %2, %3" : "+r"(low), "+r"(high) : "r"(row->reciprocal), "r"(e));
    return high >> row->right;
#else
    const uint64_t start = (uint64_t)row->rounding << 32 | 1u << 30;
    return (uint32_t)((start + (uint64_t)(uint32_t)row->reciprocal * (uint32_t)e) >> 32) >> row->right;
#endif
}

/* The row's sum is not 0: its largest element adds 2^19. */
static inline row_state prepare(uintptr_t exps, uint32_t sum) {
    const int32_t zeros = leading_zeros(sum);
    const int32_t r = reciprocal((int32_t)(sum << zeros));
    /* Below 2^31 before the last rounding, which divides by 2^32 at least where a row is that long. */
    const int32_t right = zeros < 4 ? 31 : 35 - zeros;
    const uint32_t rounding = zeros < 4 ? 0 : (uint32_t)1 << (right - 1);
#if defined(SOFTMAX_DSP)
    const row_state row = {exps, (int32_t)((uint32_t)r * 2u), rounding, right};
#else
    const row_state row = {exps, r, rounding / 2, right - 1};
#endif
    return row;
}

static inline void store_four(int8_t *y, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
#if defined(__ARMEL__)
    const uint32_t four = (a | b << 8 | c << 16 | d << 24) ^ 0x80808080u;
    memcpy(y, &four, 4);
#else
    y[0] = (int8_t)(a ^ 128);
    y[1] = (int8_t)(b ^ 128);
    y[2] = (int8_t)(c ^ 128);
    y[3] = (int8_t)(d ^ 128);
#endif
}

static void tfser_softmax_row(const int32_t exp_table[256], int32_t depth, const int8_t *input, int8_t *output) {
    const int32_t most = maximum(input, depth);
    const uintptr_t exps = (uintptr_t)exp_table + 4 * (uintptr_t)(255 - most);
    const row_state row = prepare(exps, sum_of_exps(exps, depth, input));
    int32_t k = 0;
    if (share(&row, most) < 256) {
        for (; k + 4 <= depth; k += 4) {
            const uint32_t a = share(&row, input[k]), b = share(&row, input[k + 1]);
            const uint32_t c = share(&row, input[k + 2]), d = share(&row, input[k + 3]);
            store_four(output + k, a, b, c, d);
        }
    }
    for (; k < depth; k++) {
        const uint32_t y = share(&row, input[k]);
        output[k] = (int8_t)((int32_t)(y > 255 ? 255 : y) - 128);
    }
}

#endif

void tfser_softmax_s8(const int32_t exp_table[256], int32_t depth, const int8_t *input, int32_t input_stride,
                      int32_t rows, int8_t *output, int32_t output_stride) {
    for (int32_t r = 0; r < rows; r++) {
        tfser_softmax_row(exp_table, depth, input + r * input_stride, output + r * output_stride);
    }
}
