#include "tfser_reduce.h"

#include <string.h>

#include "tfser_helium.h"
#include "tfser_requantize.h"

#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__) && defined(__GNUC__) && !defined(TFSER_HELIUM)
#define REDUCE_DSP 1
#endif

/* From sums to codes. `narrow`: no sum reaches 2^30, the shift is to the right, and the limits are those of int8. */
typedef struct {
    int32_t narrow;
    int32_t offset; /* of the sum: elements times their zero point */
    int32_t multiplier, right, half;
    int32_t below; /* what is taken from values below 0 before the shift: ties go away from zero */
    int32_t zero_point;
} codes_state;

static inline codes_state prepare(const tfser_reduction *to, int32_t count) {
    const int32_t right = to->shift < 0 ? -to->shift : 0;
    const int32_t narrow = count < 1 << 22 && to->shift <= 0 && to->output_min == -128 && to->output_max == 127;
    const codes_state codes = {narrow,
                               -count * to->input_zero_point,
                               to->multiplier,
                               right,
                               right == 0 ? 0 : (int32_t)(1u << (right - 1)),
                               right == 0 ? 0 : 1,
                               to->output_zero_point};
    return codes;
}

/* Code of a sum from which the offset is subtracted already. */
static inline int8_t narrow_code(const codes_state *codes, int32_t acc) {
    const int32_t y = tfser_rescale_narrow(acc, codes->multiplier, 0);
    const int32_t rounded = (y + codes->half - (y < 0 ? codes->below : 0)) >> codes->right;
    return (int8_t)tfser_saturate(rounded + codes->zero_point);
}

static int8_t any_code(const tfser_reduction *to, int32_t acc) {
    const int32_t y = tfser_rescale(acc, to->multiplier, to->shift);
    return (int8_t)tfser_clamp(y, to->output_zero_point, to->output_min, to->output_max);
}

static inline int8_t code(const codes_state *codes, const tfser_reduction *to, int32_t acc) {
    return codes->narrow != 0 ? narrow_code(codes, acc) : any_code(to, acc);
}

#if defined(REDUCE_DSP)
/* Words of four elements whose sums halves of 16 bits can take: 2 * 127 * 128 < 2^15. */
#define HALVES_WORDS 127
#define ADD_WORD(word) "sxtab16 %[halves], %[halves], " word "\n sxtab16 %[halves], %[halves], " word ", ror #8\n"

/* acc's halves + elements 0 and 2. */
static inline uint32_t add_even(uint32_t acc, uint32_t word) {
    __asm("sxtab16 %0, %0, %1" : "+r"(acc) : "r"(word));
    return acc;
}
/* acc's halves + elements 1 and 3. */
static inline uint32_t add_odd(uint32_t acc, uint32_t word) {
    __asm("sxtab16 %0, %0, %1, ror #8" : "+r"(acc) : "r"(word));
    return acc;
}
static inline uint32_t four(const int8_t *x) {
    uint32_t word;
    memcpy(&word, x, 4);
    return word;
}
static inline int32_t low(uint32_t halves) { return (int16_t)(halves & 0xFFFF); }
static inline int32_t high(uint32_t halves) { return (int32_t)halves >> 16; }

/* sum + the elements of `words` words from x, 0 <= words <= HALVES_WORDS. The compiler's loops take half as much
 * again. */
static inline int32_t add_words(int32_t sum, const int8_t *x, int32_t words) {
    uint32_t halves = 0, a, b, c, d;
    __asm("subs %[words], #4\n"
          "blt 2f\n"
          "1: ldr %[a], [%[x]], #4\n"
          "ldr %[b], [%[x]], #4\n"
          "ldr %[c], [%[x]], #4\n"
          "ldr %[d], [%[x]], #4\n" ADD_WORD("%[a]") ADD_WORD("%[b]") ADD_WORD("%[c]") ADD_WORD("%[d]")
          "subs %[words], #4\n"
          "bge 1b\n"
          "2: adds %[words], #4\n"
          "beq 4f\n"
          "3: ldr %[a], [%[x]], #4\n" ADD_WORD("%[a]")
          "subs %[words], #1\n"
          "bne 3b\n"
          "4: sxtah %[sum], %[sum], %[halves]\n"
          "add %[sum], %[sum], %[halves], asr #16\n"
          : [sum] "+r"(sum), [x] "+r"(x), [words] "+r"(words), [halves] "+r"(halves), [a] "=&r"(a), [b] "=&r"(b),
            [c] "=&r"(c), [d] "=&r"(d)
          :
          : "cc", "memory");
    return sum;
}

static int32_t long_sum(int32_t sum, const int8_t *x, int32_t depth) {
    for (; depth > 4 * HALVES_WORDS; depth -= 4 * HALVES_WORDS, x += 4 * HALVES_WORDS) {
        sum = add_words(sum, x, HALVES_WORDS);
    }
    for (; (depth & 3) != 0; depth--, x++) {
        sum += *x;
    }
    return add_words(sum, x, depth / 4);
}

static inline int32_t add_row(int32_t sum, const int8_t *x, int32_t depth) {
    const int32_t is_usual = depth <= 4 * HALVES_WORDS && (depth & 3) == 0;
    return is_usual ? add_words(sum, x, depth >> 2) : long_sum(sum, x, depth);
}
#elif defined(TFSER_HELIUM)
static inline int32_t add_row(int32_t sum, const int8_t *x, int32_t depth) {
    __asm volatile("dlstp.8 lr, %[depth]\n"
                   "1: vldrb.8 q0, [%[x]], #16\n"
                   "vaddva.s8 %[sum], q0\n"
                   "letp lr, 1b\n"
                   : [x] "+r"(x), [sum] "+Te"(sum)
                   : [depth] "r"(depth)
                   : "lr", "q0", "cc", "memory");
    return sum;
}
#else
static inline int32_t add_row(int32_t sum, const int8_t *x, int32_t depth) {
    int32_t k = 0;
    for (; k + 4 <= depth; k += 4) {
        sum += x[k] + x[k + 1] + x[k + 2] + x[k + 3];
    }
    for (; k < depth; k++) {
        sum += x[k];
    }
    return sum;
}
#endif

void tfser_reduce_row_s8(const tfser_reduction *to, int32_t depth, const int8_t *input, int32_t input_stride,
                         int32_t rows, int8_t *output, int32_t output_stride) {
    const codes_state codes = prepare(to, depth);
    if (codes.narrow != 0) {
        for (; rows > 0; rows--, input += input_stride, output += output_stride) {
            *output = narrow_code(&codes, add_row(codes.offset, input, depth));
        }
    }
    for (int32_t r = 0; r < rows; r++) {
        output[r * output_stride] = any_code(to, add_row(codes.offset, input + r * input_stride, depth));
    }
}

/* sum + each of four neighbouring columns. */
static inline void column_sums(int32_t sum, const int8_t *x, int32_t stride, int32_t rows,
                               int32_t sums[4]) {
#if defined(REDUCE_DSP)
    sums[0] = sums[1] = sums[2] = sums[3] = sum;
    for (int32_t left = rows; left > 0;) {
        const int32_t count = left < 255 ? left : 255; /* 255 * 128 < 2^15 */
        uint32_t even = 0, odd = 0;
        for (int32_t r = 0; r < count; r++, x += stride) {
            const uint32_t word = four(x);
            even = add_even(even, word);
            odd = add_odd(odd, word);
        }
        left -= count;
        sums[0] += low(even);
        sums[1] += low(odd);
        sums[2] += high(even);
        sums[3] += high(odd);
    }
#elif defined(TFSER_HELIUM)
    int32x4_t acc = vdupq_n_s32(sum);
    for (int32_t r = 0; r < rows; r++, x += stride) {
        acc = vaddq_s32(acc, vldrbq_s32(x));
    }
    vst1q_s32(sums, acc);
#else
    int32_t a = sum, b = sum, c = sum, d = sum;
    for (int32_t r = 0; r < rows; r++) {
        const int8_t *const row = x + r * stride;
        a += row[0];
        b += row[1];
        c += row[2];
        d += row[3];
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
#endif
}

void tfser_reduce_column_s8(const tfser_reduction *to, int32_t columns, const int8_t *input, int32_t input_stride,
                            int32_t rows, int8_t *output) {
    const codes_state codes = prepare(to, rows);
    int32_t c = 0;
    for (; c + 4 <= columns; c += 4) {
        int32_t sums[4];
        column_sums(codes.offset, input + c, input_stride, rows, sums);
        for (int32_t i = 0; i < 4; i++) {
            output[c + i] = code(&codes, to, sums[i]);
        }
    }
    for (; c < columns; c++) {
        int32_t sum = codes.offset;
        for (int32_t r = 0; r < rows; r++) {
            sum += input[r * input_stride + c];
        }
        output[c] = code(&codes, to, sum);
    }
}
