#include "tfser_softmax.h"

#include <string.h>

#include "tfser_helium.h"
#include "tfser_requantize.h"

#if defined(TFSER_HELIUM)
#include "tfser_softmax_mve.h"
#else

#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__) && defined(__GNUC__) && defined(__OPTIMIZE__)
#define SOFTMAX_DSP 1
#elif defined(__thumb2__) && defined(__GNUC__) && defined(__OPTIMIZE__)
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
/* The larger of each byte of two words. */
static inline uint32_t larger(uint32_t four, uint32_t other) {
    uint32_t difference;
    __asm("ssub8 %1, %2, %0\n sel %0, %2, %0" : "+r"(four), "=&r"(difference) : "r"(other) : "cc");
    return four;
}

static inline uint32_t word_of(const int8_t *x) {
    uint32_t word;
    memcpy(&word, x, 4);
    return word;
}
#endif

static inline int32_t maximum(const int8_t *x, int32_t depth) {
    int32_t most = x[0], k = depth & 3;
#if defined(SOFTMAX_DSP)
    if (depth >= 4) {
        uint32_t four = word_of(x); /* some of its elements come again */
        for (; k + 8 <= depth; k += 8) {
            four = larger(larger(four, word_of(x + k)), word_of(x + k + 4));
        }
        four = k < depth ? larger(four, word_of(x + k)) : four;
        four = larger(four, four >> 16 | four << 16);
        return (int8_t)(larger(four, four >> 8) & 0xFF);
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

#if defined(SOFTMAX_DSP) || defined(SOFTMAX_LONG)
#define SOFTMAX_FOURS 1
/* Of four elements at x, which moves on, the exponentials to the registers a to d. */
#define LOAD_EXPS                          \
    "ldrsb %[a], [%[x]], #4\n"             \
    "ldrsb %[b], [%[x], #-3]\n"            \
    "ldrsb %[c], [%[x], #-2]\n"            \
    "ldrsb %[d], [%[x], #-1]\n"            \
    "ldr %[a], [%[exps], %[a], lsl #2]\n" \
    "ldr %[b], [%[exps], %[b], lsl #2]\n" \
    "ldr %[c], [%[exps], %[c], lsl #2]\n" \
    "ldr %[d], [%[exps], %[d], lsl #2]\n"
#if defined(SOFTMAX_DSP)
#define ADD_EXP(e) "smmlar %[sum], " e ", %[unit], %[sum]\n"
#else
#define ADD_EXP(e) "add " e ", " e ", #2048\n add %[sum], %[sum], " e ", lsr #12\n"
#endif

/* sum + the exponentials of `fours` times four elements, at least one. */
static inline uint32_t add_fours(uint32_t sum, uintptr_t exps, int32_t fours, const int8_t *x) {
    uint32_t a, b, c, d;
    __asm("1:\n" LOAD_EXPS ADD_EXP("%[a]") ADD_EXP("%[b]") ADD_EXP("%[c]") ADD_EXP("%[d]")
          "subs %[fours], #1\n"
          "bne 1b\n"
          : [sum] "+r"(sum), [x] "+r"(x), [fours] "+r"(fours), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d)
          : [exps] "r"(exps), [unit] "r"(1 << 20)
          : "cc", "memory");
    return sum;
}
#endif

static inline uint32_t sum_of_exps(uintptr_t exps, int32_t depth, const int8_t *x) {
    uint32_t sum = 0;
    int32_t k = 0;
#if defined(SOFTMAX_FOURS)
    if (depth >= 4) {
        k = depth & ~3;
        sum = add_fours(0, exps, depth / 4, x);
    }
#else
    for (; k + 4 <= depth; k += 4) {
        sum = add_exp(sum, exp_of(exps, x[k]));
        sum = add_exp(sum, exp_of(exps, x[k + 1]));
        sum = add_exp(sum, exp_of(exps, x[k + 2]));
        sum = add_exp(sum, exp_of(exps, x[k + 3]));
    }
#endif
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
    uint32_t rounding;  /* 2^(right - 1), halved where it is added to the high word; 0 where every code is -128 */
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

#if defined(SOFTMAX_DSP)
/* Codes of `fours` times four elements, at least one. The bit that a shift drops last is the carry, which rounds, and
 * the codes before it move on by a byte in the same addition. */
static inline void share_fours(const row_state *row, int32_t fours, const int8_t *x, int8_t *y) {
    uint32_t a, b, c, d;
    __asm volatile("1:\n" LOAD_EXPS
                   "smmlar %[a], %[r], %[a], %[a]\n"
                   "smmlar %[b], %[r], %[b], %[b]\n"
                   "smmlar %[c], %[r], %[c], %[c]\n"
                   "smmlar %[d], %[r], %[d], %[d]\n"
                   "lsrs %[d], %[d], %[right]\n"
                   "adc %[d], %[d], #0\n"
                   "lsrs %[c], %[c], %[right]\n"
                   "adc %[d], %[c], %[d], lsl #8\n"
                   "lsrs %[b], %[b], %[right]\n"
                   "adc %[d], %[b], %[d], lsl #8\n"
                   "lsrs %[a], %[a], %[right]\n"
                   "adc %[d], %[a], %[d], lsl #8\n"
                   "eor %[d], %[d], #0x80808080\n"
                   "str %[d], [%[y]], #4\n"
                   "subs %[fours], #1\n"
                   "bne 1b\n"
                   : [x] "+r"(x), [y] "+r"(y), [fours] "+r"(fours), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c),
                     [d] "=&r"(d)
                   : [exps] "r"(row->exps), [r] "r"(row->reciprocal), [right] "r"(row->right)
                   : "cc", "memory");
}
#elif defined(SOFTMAX_LONG)
/* The code of an exponential. */
#define SHARE(e, result)                           \
    "mov %[low], #0x40000000\n"                    \
    "mov " result ", %[rounding]\n"                \
    "umlal %[low], " result ", %[r], " e "\n"      \
    "lsr " result ", " result ", %[right]\n"
static inline void share_fours(const row_state *row, int32_t fours, const int8_t *x, int8_t *y) {
    uint32_t a, b, low, codes;
    __asm volatile("1: ldrsb %[a], [%[x]], #4\n"
                   "ldrsb %[b], [%[x], #-3]\n"
                   "ldr %[a], [%[exps], %[a], lsl #2]\n"
                   "ldr %[b], [%[exps], %[b], lsl #2]\n" SHARE("%[a]", "%[codes]") SHARE("%[b]", "%[a]")
                   "orr %[codes], %[codes], %[a], lsl #8\n"
                   "ldrsb %[b], [%[x], #-2]\n"
                   "ldr %[b], [%[exps], %[b], lsl #2]\n" SHARE("%[b]", "%[a]")
                   "orr %[codes], %[codes], %[a], lsl #16\n"
                   "ldrsb %[b], [%[x], #-1]\n"
                   "ldr %[b], [%[exps], %[b], lsl #2]\n" SHARE("%[b]", "%[a]")
                   "orr %[codes], %[codes], %[a], lsl #24\n"
                   "eor %[codes], %[codes], #0x80808080\n"
                   "str %[codes], [%[y]], #4\n"
                   "subs %[fours], #1\n"
                   "bne 1b\n"
                   : [x] "+r"(x), [y] "+r"(y), [fours] "+r"(fours), [a] "=&r"(a), [b] "=&r"(b), [low] "=&r"(low),
                     [codes] "=&r"(codes)
                   : [exps] "r"(row->exps), [r] "r"(row->reciprocal), [right] "r"(row->right),
                     [rounding] "r"(row->rounding)
                   : "cc", "memory");
}
#else
static inline void share_fours(const row_state *row, int32_t fours, const int8_t *x, int8_t *y) {
    for (; fours > 0; fours--, x += 4, y += 4) {
        const uint32_t a = share(row, x[0]), b = share(row, x[1]), c = share(row, x[2]), d = share(row, x[3]);
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
}
#endif

static void tfser_softmax_row(const int32_t exp_table[256], int32_t depth, const int8_t *input, int8_t *output) {
    const int32_t most = maximum(input, depth);
    const uintptr_t exps = (uintptr_t)exp_table + 4 * (uintptr_t)(255 - most);
    const row_state row = prepare(exps, sum_of_exps(exps, depth, input));
    int32_t k = 0;
    if (depth >= 4 && row.rounding != 0 && share(&row, most) < 256) {
        share_fours(&row, depth / 4, input, output);
        k = depth & ~3;
    }
    for (; k < depth; k++) {
        const uint32_t y = share(&row, input[k]);
        output[k] = (int8_t)((int32_t)(y - (y >> 8)) - 128); /* at most 256 */
    }
}

#endif

void tfser_softmax_s8(const int32_t exp_table[256], int32_t depth, const int8_t *input, int32_t input_stride,
                      int32_t rows, int8_t *output, int32_t output_stride) {
    for (int32_t r = 0; r < rows; r++) {
        tfser_softmax_row(exp_table, depth, input + r * input_stride, output + r * output_stride);
    }
}
