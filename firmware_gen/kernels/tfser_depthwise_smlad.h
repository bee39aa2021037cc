/* Armv7E-M: sums of neighbouring outputs, four at a time, and their codes. Written as assembly: compilers load and
 * store words one by one.
 *
 * Weights of a row of taps w0, w1, ... : for each pair of columns the words (0, w0), (w0, w1), (w1, w2), (w2, w3), ...
 * (two a pair), so that outputs at odd columns read aligned words as well as those at even ones; zeros at the end. */
#ifndef TFSER_DEPTHWISE_SMLAD_H
#define TFSER_DEPTHWISE_SMLAD_H

#include <stdint.h>

/* Members are loaded in this order. */
typedef struct {
    const int16_t *x;       /* the first tap of the first output, aligned to 4 */
    const int32_t *weights; /* the bias, a word, then the taps row by row */
    int32_t row;            /* bytes between rows of taps */
    int32_t blocks;         /* of four outputs, or of two; at least one */
    int32_t *sums;
    int32_t rows, twos, odd; /* of taps; pairs of columns by twos, and one more */
} tfser_sums;

#define TFSER_SUMS_BEGIN \
    "push {r7}\n"        \
    "ldm r0, {r9, r10, r11, r12, lr}\n"
#define TFSER_SUMS_END : "+r"(of) : : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory"

/* 3 x 3 taps: in r7 (w0, w1), in r8 (w1, w2) of the row of taps at hand; columns in r4, r5, r6. */
#define TFSER_TAPS_OF_3(offset) "ldrd r7, r8, [r10, #" offset "]\n"
#define TFSER_FOUR_OF_3(bias)         \
    "ldm r9, {r4, r5, r6}\n"          \
    "smlatb r1, r4, r7, " bias("r1")  \
    "smlad r2, r5, r7, " bias("r2")   \
    "smlatb r3, r5, r7, " bias("r3")  \
    "smlad r0, r4, r7, r0\n"          \
    "smlad r1, r5, r8, r1\n"          \
    "smlabt r2, r6, r8, r2\n"         \
    "smlad r3, r6, r8, r3\n"          \
    "smlabt r0, r5, r8, r0\n"
#define TFSER_TWO_OF_3(bias)          \
    "ldrd r4, r5, [r9]\n"             \
    "smlatb r1, r4, r7, " bias("r1")  \
    "smlad r0, r4, r7, r0\n"          \
    "smlad r1, r5, r8, r1\n"          \
    "smlabt r0, r5, r8, r0\n"
#define TFSER_FOUR_OF_3_BY_2(bias)    \
    "ldm r9, {r4, r5, r6}\n"          \
    "smlad r1, r5, r7, " bias("r1")   \
    "smlad r2, r6, r7, " bias("r2")   \
    "smlad r0, r4, r7, r0\n"          \
    "smlabt r1, r6, r8, r1\n"         \
    "smlabt r0, r5, r8, r0\n"         \
    "ldrd r4, r5, [r9, #12]\n"        \
    "smlad r3, r4, r7, " bias("r3")   \
    "smlabt r2, r4, r8, r2\n"         \
    "smlabt r3, r5, r8, r3\n"
#define TFSER_TWO_OF_3_BY_2(bias)     \
    "ldm r9, {r4, r5, r6}\n"          \
    "smlad r1, r5, r7, " bias("r1")   \
    "smlad r0, r4, r7, r0\n"          \
    "smlabt r1, r6, r8, r1\n"         \
    "smlabt r0, r5, r8, r0\n"
#define TFSER_FIRST(sum) "r0\n"
#define TFSER_NEXT(sum) sum "\n"
#define TFSER_DEFINE_SUMS_OF_3(name, row, advance, store)                                                             \
    static __attribute__((noinline)) void name(const tfser_sums *sums) {                                              \
        register const tfser_sums *of __asm("r0") = sums;                                                             \
        __asm volatile(TFSER_SUMS_BEGIN                                                                               \
                       "1: ldr r0, [r10]\n" TFSER_TAPS_OF_3("8") row(TFSER_FIRST)                                     \
                       "add r9, r11\n" TFSER_TAPS_OF_3("24") row(TFSER_NEXT)                                          \
                       "add r9, r11\n" TFSER_TAPS_OF_3("40") row(TFSER_NEXT)                                          \
                       "sub r9, r9, r11, lsl #1\n"                                                                    \
                       "add r9, #" advance "\n"                                                                       \
                       "stm lr!, {" store "}\n"                                                                       \
                       "subs r12, #1\n"                                                                               \
                       "bne 1b\n"                                                                                     \
                       "pop {r7}\n" TFSER_SUMS_END);                                                                  \
    }
TFSER_DEFINE_SUMS_OF_3(tfser_four_of_3, TFSER_FOUR_OF_3, "8", "r0, r1, r2, r3")
TFSER_DEFINE_SUMS_OF_3(tfser_two_of_3, TFSER_TWO_OF_3, "4", "r0, r1")
TFSER_DEFINE_SUMS_OF_3(tfser_four_of_3_by_2, TFSER_FOUR_OF_3_BY_2, "16", "r0, r1, r2, r3")
TFSER_DEFINE_SUMS_OF_3(tfser_two_of_3_by_2, TFSER_TWO_OF_3_BY_2, "8", "r0, r1")

/* Any taps, four neighbouring outputs. Two pairs of columns a turn; sums in r0 to r3, weights in r7 to r10, columns in
 * r4 to r6. On the stack: `of`, then the rows left. */
static __attribute__((noinline)) void tfser_four_neighbours(tfser_sums *sums) {
    register tfser_sums *of __asm("r0") = sums;
    __asm volatile("push {r0, r1, r7}\n"
                   "1: ldr lr, [sp]\n" /* a block */
                   "ldrd r11, r12, [lr]\n"
                   "add r0, r11, #8\n"
                   "str r0, [lr]\n"
                   "ldr r0, [r12], #4\n"
                   "ldr r4, [lr, #20]\n"
                   "mov r1, r0\n"
                   "mov r2, r0\n"
                   "mov r3, r0\n"
                   "2: str r4, [sp, #4]\n" /* a row of taps */
                   "ldr lr, [lr, #24]\n"
                   "cmp lr, #0\n"
                   "beq 4f\n"
                   "3: ldm r12!, {r7, r8, r9, r10}\n"
                   "ldm r11, {r4, r5, r6}\n"
                   "add r11, #8\n"
                   "smlad r0, r4, r8, r0\n"
                   "smlad r1, r4, r7, r1\n"
                   "smlad r2, r5, r8, r2\n"
                   "smlad r3, r5, r7, r3\n"
                   "smlad r0, r5, r10, r0\n"
                   "smlad r1, r5, r9, r1\n"
                   "smlad r2, r6, r10, r2\n"
                   "smlad r3, r6, r9, r3\n"
                   "subs lr, #1\n"
                   "bne 3b\n"
                   "4: ldr lr, [sp]\n"
                   "ldr r4, [lr, #28]\n"
                   "cbz r4, 5f\n"
                   "ldrd r7, r8, [r12], #8\n"
                   "ldrd r4, r5, [r11], #4\n"
                   "smlad r0, r4, r8, r0\n"
                   "smlad r1, r4, r7, r1\n"
                   "smlad r2, r5, r8, r2\n"
                   "smlad r3, r5, r7, r3\n"
                   "5: ldr r4, [sp, #4]\n"
                   "ldr r5, [lr, #8]\n"
                   "subs r4, #1\n"
                   "add r11, r5\n"
                   "bne 2b\n"
                   "ldrd r5, r6, [lr, #12]\n"
                   "stm r6!, {r0, r1, r2, r3}\n"
                   "subs r5, #1\n"
                   "strd r5, r6, [lr, #12]\n"
                   "bne 1b\n"
                   "pop {r0, r1, r7}\n"
                   : "+r"(of)
                   :
                   : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
}

/* Members are loaded in this order. */
typedef struct {
    const int32_t *sums; /* doubled */
    int8_t *output;
    int32_t step;        /* bytes between outputs */
    int32_t fours;       /* outputs / 4, at least one */
    int32_t multiplier;
    int32_t factor;      /* 2^(32 - right) + 1, right in [2, 12] */
    int32_t zero_point;
    const int8_t *table; /* its middle, for code 0 */
} tfser_codes;

/* With y = (2 * sum * multiplier + 2^31) >> 32: (y * factor + 2^31) >> 32 is y / 2^right to nearest; what the factor has
 * above 2^(32 - right) takes ties away from zero, and is too small to count otherwise where |y| < 2^(32 - right);
 * beyond, the code is at its limit. */
#define TFSER_SCALE(sum)              \
    "smmulr " sum ", " sum ", r7\n"   \
    "smmlar " sum ", " sum ", r8, r9\n" \
    "ssat " sum ", #8, " sum "\n"
#define TFSER_KEEP(code) ""
#define TFSER_LOOK_UP(code) "ldrsb " code ", [r10, " code "]\n"
#define TFSER_DEFINE_CODES_OF(name, look_up)                                                                          \
    static __attribute__((noinline)) void name(const tfser_codes *codes) {                                            \
        register const tfser_codes *of __asm("r0") = codes;                                                           \
        __asm volatile("push {r7}\n"                                                                                  \
                       "ldm r0, {r4, r5, r6, r7, r8, r9, r10, r11}\n"                                                 \
                       "mov r12, r7\n"                                                                                \
                       "mov r7, r8\n"                                                                                 \
                       "mov r8, r9\n"                                                                                 \
                       "mov r9, r10\n"                                                                                \
                       "mov r10, r11\n"                                                                               \
                       "1: ldm r4!, {r0, r1, r2, r3}\n"                                                               \
                       "add r11, r5, r6, lsl #1\n" TFSER_SCALE("r0") TFSER_SCALE("r1") TFSER_SCALE("r2")              \
                           TFSER_SCALE("r3") look_up("r0") look_up("r1") look_up("r2") look_up("r3")                  \
                       "strb r0, [r5]\n"                                                                              \
                       "strb r1, [r5, r6]\n"                                                                          \
                       "strb r2, [r11]\n"                                                                             \
                       "strb r3, [r11, r6]\n"                                                                         \
                       "add r5, r11, r6, lsl #1\n"                                                                    \
                       "subs r12, #1\n"                                                                               \
                       "bne 1b\n"                                                                                     \
                       "pop {r7}\n" TFSER_SUMS_END);                                                                  \
    }
TFSER_DEFINE_CODES_OF(tfser_four_codes, TFSER_KEEP)
TFSER_DEFINE_CODES_OF(tfser_four_codes_looked_up, TFSER_LOOK_UP)

/* `fours` times four codes, `step` bytes apart, to pairs of int16. */
static inline int16_t *tfser_widen_fours(int16_t *to, const int8_t *from, int32_t step, int32_t fours) {
    int32_t a, b, c, d;
    const int32_t third = 3 * step;
    __asm volatile("1: ldrsb %[a], [%[from]]\n"
                   "ldrsb %[b], [%[from], %[step]]\n"
                   "ldrsb %[c], [%[from], %[step], lsl #1]\n"
                   "ldrsb %[d], [%[from], %[third]]\n"
                   "add %[from], %[from], %[step], lsl #2\n"
                   "pkhbt %[a], %[a], %[b], lsl #16\n"
                   "pkhbt %[c], %[c], %[d], lsl #16\n"
                   "strd %[a], %[c], [%[to]], #8\n"
                   "subs %[fours], #1\n"
                   "bne 1b\n"
                   : [from] "+r"(from), [to] "+r"(to), [fours] "+r"(fours), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c),
                     [d] "=&r"(d)
                   : [step] "r"(step), [third] "r"(third)
                   : "cc", "memory");
    return to;
}

#endif /* TFSER_DEPTHWISE_SMLAD_H */
