/* Rows of int8 to widened rows (tfser_pairs.h). */
#ifndef TFSER_PAIRS_WIDEN_H
#define TFSER_PAIRS_WIDEN_H

#include "tfser_pairs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What takes the input's zero point off an element, in each half, or doubled. */
static inline uint32_t tfser_pairs_less(const tfser_dense *layer) {
#if defined(TFSER_SMLAD)
    return ((uint32_t)-layer->input_zero_point & 0xFFFFu) * 0x10001u;
#else
    return (uint32_t)-layer->input_zero_point << tfser_pairs_doubled(layer);
#endif
}

/* A pair of elements to its word, or to its two. */
static inline void tfser_pairs_put(uint32_t *to, int32_t first, int32_t second) {
#if defined(TFSER_MLA)
    to[0] = (uint32_t)first;
    to[TFSER_PAIRS_ROWS] = (uint32_t)second;
#else
    to[0] = ((uint32_t)first & 0xFFFFu) | (uint32_t)second << 16;
#endif
}

#if defined(TFSER_SMLAD)
#define TFSER_DOUBLE(halves) "sadd16 " halves ", " halves ", " halves "\n"
#define TFSER_DOUBLED_FOUR                                                                                             \
    "ldr %[odd], [%[from]], #4\n sxtab16 %[even], %[less], %[odd]\n sxtab16 %[odd], %[less], %[odd], ror #8\n"         \
    TFSER_DOUBLE("%[even]") TFSER_DOUBLE("%[odd]") "str %[even], [%[to]], #16\n str %[odd], [%[to]], #16\n"
#define TFSER_DOUBLED_FOURS(four)                                                                                      \
    __asm__ volatile("1:\n add %[end], %[from], %[run]\n 2:\n" four                                                    \
                     "cmp %[from], %[end]\n bne 2b\n add %[from], %[from], %[skip]\n subs %[runs], %[runs], #1\n"      \
                     "bne 1b\n"                                                                                        \
                     : [even] "=&r"(even), [odd] "=&r"(odd), [end] "=&r"(end), [from] "+r"(from), [to] "+r"(to),       \
                       [runs] "+r"(runs)                                                                               \
                     : [less] "r"(less), [run] "r"(run), [skip] "r"(pitch - run)                                       \
                     : "memory", "cc")

/* `runs` runs of `run` elements, a multiple of 4 and above 0, which begin every `pitch` bytes. */
static inline void tfser_pairs_runs(uint32_t less, int32_t doubled, uint32_t *to, const int8_t *from, int32_t run,
                                    int32_t pitch, int32_t runs) {
    const int8_t *end;
    uint32_t even;
    uint32_t odd;
    if (doubled != 0 && run % 8 == 0) {
        TFSER_DOUBLED_FOURS(TFSER_DOUBLED_FOUR TFSER_DOUBLED_FOUR);
    } else if (doubled != 0) {
        TFSER_DOUBLED_FOURS(TFSER_DOUBLED_FOUR);
    } else {
        for (; runs > 0; runs--) {
            for (int32_t k = 0; k < run; k += 4) {
                odd = tfser_pairs_load(from + k);
                to[0] = tfser_pairs_even(less, odd);
                to[TFSER_PAIRS_STEP] = tfser_pairs_odd(less, odd);
                to += 2 * TFSER_PAIRS_STEP;
            }
            from += pitch;
        }
    }
}
#else
/* `runs` runs of `run` elements, a multiple of 4 and above 0, which begin every `pitch` bytes. */
static inline void tfser_pairs_runs(uint32_t less, int32_t doubled, uint32_t *to, const int8_t *from, int32_t run,
                                    int32_t pitch, int32_t runs) {
    const int32_t more = (int32_t)less >> doubled;
    const int32_t factor = 1 + doubled;
    for (; runs > 0; runs--) {
        for (int32_t k = 0; k < run; k += 4) {
            tfser_pairs_put(to, (from[k] + more) * factor, (from[k + 2] + more) * factor);
            tfser_pairs_put(to + TFSER_PAIRS_STEP, (from[k + 1] + more) * factor, (from[k + 3] + more) * factor);
            to += 2 * TFSER_PAIRS_STEP;
        }
        from += pitch;
    }
}
#endif

#ifdef __cplusplus
}
#endif

#endif /* TFSER_PAIRS_WIDEN_H */
