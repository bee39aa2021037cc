/* Armv7E-M: sums of neighbouring outputs, four at a time, their codes, and codes widened. Written as assembly:
 * compilers load and store words one by one, and find no registers for so many numbers. */
#ifndef TFSER_DEPTHWISE_SMLAD_H
#define TFSER_DEPTHWISE_SMLAD_H

#include "tfser_depthwise_scalar.h"

#if defined(TFSER_SMMULR)

/* r0 points to a structure and stays on the stack, with two words of scratch behind it. */
#define TFSER_BEGIN "push {r0, r1, r2, r7}\n"
#define TFSER_END                      \
    "pop {r0, r1, r2, r7}\n"           \
    : "+r"(of)                         \
    :                                  \
    : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory"
#define TFSER_ASSEMBLY(name, type, text)                      \
    static __attribute__((noinline)) void name(type *state) { \
        register type *of __asm("r0") = state;                \
        __asm volatile(TFSER_BEGIN text TFSER_END);           \
    }

/* 3 x 3 taps: r7 (w0, w1) and r8 (w1, w2) of the row of taps at hand, columns in r4, r5, r6, sums in r0 to r3. Of the
 * first row of taps all sums but the first begin with r0, the bias. */
#define TFSER_TAPS_OF_3(offset) "ldrd r7, r8, [r10, #" offset "]\n"
#define TFSER_FOUR_OF_3(bias)        \
    "ldm r9, {r4, r5, r6}\n"         \
    "smlatb r1, r4, r7, " bias("r1") \
    "smlad r2, r5, r7, " bias("r2")  \
    "smlatb r3, r5, r7, " bias("r3") \
    "smlad r0, r4, r7, r0\n"         \
    "smlad r1, r5, r8, r1\n"         \
    "smlabt r2, r6, r8, r2\n"        \
    "smlad r3, r6, r8, r3\n"         \
    "smlabt r0, r5, r8, r0\n"
#define TFSER_TWO_OF_3(bias)         \
    "ldrd r4, r5, [r9]\n"            \
    "smlatb r1, r4, r7, " bias("r1") \
    "smlad r0, r4, r7, r0\n"         \
    "smlad r1, r5, r8, r1\n"         \
    "smlabt r0, r5, r8, r0\n"
#define TFSER_FOUR_OF_3_BY_2(bias)   \
    "ldrd r4, r5, [r9, #12]\n"       \
    "smlad r3, r4, r7, " bias("r3")  \
    "smlabt r2, r4, r8, " bias("r2") \
    "smlabt r3, r5, r8, r3\n"        \
    "ldm r9, {r4, r5, r6}\n"         \
    "smlad r1, r5, r7, " bias("r1")  \
    "smlad r2, r6, r7, r2\n"         \
    "smlad r0, r4, r7, r0\n"         \
    "smlabt r1, r6, r8, r1\n"        \
    "smlabt r0, r5, r8, r0\n"
#define TFSER_TWO_OF_3_BY_2(bias)    \
    "ldm r9, {r4, r5, r6}\n"         \
    "smlad r1, r5, r7, " bias("r1")  \
    "smlad r0, r4, r7, r0\n"         \
    "smlabt r1, r6, r8, r1\n"        \
    "smlabt r0, r5, r8, r0\n"
#define TFSER_FROM_BIAS(sum) "r0\n"
#define TFSER_FROM_SUM(sum) sum "\n"
#define TFSER_BLOCK_OF_3(row)                                       \
    "ldr r0, [r10]\n" TFSER_TAPS_OF_3("8") row(TFSER_FROM_BIAS)     \
    "add r9, r11\n" TFSER_TAPS_OF_3("24") row(TFSER_FROM_SUM)       \
    "add r9, r11\n" TFSER_TAPS_OF_3("40") row(TFSER_FROM_SUM)

#define TFSER_SUMS_OF_3(four, two, advance)              \
    "ldm r0, {r9, r10, r11, lr}\n"                       \
    "ldr r4, [r0, #16]\n"                                \
    "strd r9, r4, [sp, #4]\n" /* a row, rows left */     \
    "1: ldr r12, [r0, #24]\n"                            \
    "cmp r12, #0\n"                                      \
    "beq 3f\n"                                           \
    "2:\n" TFSER_BLOCK_OF_3(four)                        \
    "sub r9, r9, r11, lsl #1\n"                          \
    "add r9, #" advance "\n"                             \
    "stm lr!, {r0, r1, r2, r3}\n"                        \
    "subs r12, #1\n"                                     \
    "bne 2b\n"                                           \
    "ldr r0, [sp]\n"                                     \
    "3: ldr r1, [r0, #28]\n"                             \
    "cmp r1, #0\n"                                       \
    "beq 4f\n" TFSER_BLOCK_OF_3(two)                     \
    "stm lr!, {r0, r1}\n"                                \
    "ldr r0, [sp]\n"                                     \
    "4: ldrd r9, r4, [sp, #4]\n"                         \
    "ldr r1, [r0, #20]\n"                                \
    "add r9, r1\n"                                       \
    "subs r4, #1\n"                                      \
    "strd r9, r4, [sp, #4]\n"                            \
    "bne 1b\n"
TFSER_ASSEMBLY(tfser_sums_of_3, const tfser_sums, TFSER_SUMS_OF_3(TFSER_FOUR_OF_3, TFSER_TWO_OF_3, "8"))
TFSER_ASSEMBLY(tfser_sums_of_3_by_2, const tfser_sums, TFSER_SUMS_OF_3(TFSER_FOUR_OF_3_BY_2, TFSER_TWO_OF_3_BY_2, "16"))

/* Any taps: sums in r0 to r3, weights in r7 to r10 (where words of odd outputs are not needed they are columns). Two
 * pairs of columns, and one. */
#define TFSER_TWO_PAIRS            \
    "ldm r12!, {r7, r8, r9, r10}\n" \
    "ldm r11, {r4, r5, r6}\n"      \
    "add r11, #8\n"                \
    "smlad r0, r4, r8, r0\n"       \
    "smlad r1, r4, r7, r1\n"       \
    "smlad r2, r5, r8, r2\n"       \
    "smlad r3, r5, r7, r3\n"       \
    "smlad r0, r5, r10, r0\n"      \
    "smlad r1, r5, r9, r1\n"       \
    "smlad r2, r6, r10, r2\n"      \
    "smlad r3, r6, r9, r3\n"
#define TFSER_ONE_PAIR             \
    "ldrd r7, r8, [r12], #8\n"     \
    "ldrd r4, r5, [r11], #4\n"     \
    "smlad r0, r4, r8, r0\n"       \
    "smlad r1, r4, r7, r1\n"       \
    "smlad r2, r5, r8, r2\n"       \
    "smlad r3, r5, r7, r3\n"
#define TFSER_TWO_PAIRS_BY_2       \
    "ldm r12!, {r7, r8, r9, r10}\n" \
    "ldrd r7, r9, [r11, #12]\n"    \
    "ldm r11, {r4, r5, r6}\n"      \
    "add r11, #8\n"                \
    "smlad r3, r7, r8, r3\n"       \
    "smlad r2, r7, r10, r2\n"      \
    "smlad r3, r9, r10, r3\n"      \
    "smlad r0, r4, r8, r0\n"       \
    "smlad r1, r5, r8, r1\n"       \
    "smlad r2, r6, r8, r2\n"       \
    "smlad r0, r5, r10, r0\n"      \
    "smlad r1, r6, r10, r1\n"
#define TFSER_ONE_PAIR_BY_2        \
    "ldrd r7, r8, [r12], #8\n"     \
    "ldr r7, [r11, #12]\n"         \
    "ldm r11, {r4, r5, r6}\n"      \
    "add r11, #4\n"                \
    "smlad r3, r7, r8, r3\n"       \
    "smlad r0, r4, r8, r0\n"       \
    "smlad r1, r5, r8, r1\n"       \
    "smlad r2, r6, r8, r2\n"

/* Sums of a row, on the stack the rows of taps left and where the block begins. */
#define TFSER_SUMS_OF_ANY(two_pairs, one_pair, advance) \
    "ldr r9, [r0]\n"                                    \
    "ldr r12, [r0, #24]\n"                              \
    "ldr r11, [r0, #12]\n"                              \
    "1: push {r9, r11, r12}\n"    /* a block */         \
    "ldr lr, [sp, #12]\n"                               \
    "mov r11, r9\n"                                     \
    "ldr r12, [lr, #4]\n"                               \
    "ldr r4, [lr, #32]\n"                               \
    "ldr r0, [r12], #4\n"                               \
    "mov r1, r0\n"                                      \
    "mov r2, r0\n"                                      \
    "mov r3, r0\n"                                      \
    "2: str r4, [sp, #16]\n" /* a row of taps */        \
    "ldr lr, [lr, #36]\n"                               \
    "cmp lr, #0\n"                                      \
    "beq 4f\n"                                          \
    "3:\n" two_pairs                                    \
    "subs lr, #1\n"                                     \
    "bne 3b\n"                                          \
    "4: ldr lr, [sp, #12]\n"                            \
    "ldr r4, [lr, #40]\n"                               \
    "cbz r4, 5f\n" one_pair                             \
    "5: ldr r4, [sp, #16]\n"                            \
    "ldr r5, [lr, #8]\n"                                \
    "subs r4, #1\n"                                     \
    "add r11, r5\n"                                     \
    "bne 2b\n"                                          \
    "pop {r9, r11, r12}\n"                              \
    "stm r11!, {r0, r1, r2, r3}\n"                      \
    "add r9, #" advance "\n"                            \
    "subs r12, #1\n"                                    \
    "bne 1b\n"
TFSER_ASSEMBLY(tfser_sums_of_any, const tfser_sums, TFSER_SUMS_OF_ANY(TFSER_TWO_PAIRS, TFSER_ONE_PAIR, "8"))
TFSER_ASSEMBLY(tfser_sums_of_any_by_2, const tfser_sums,
               TFSER_SUMS_OF_ANY(TFSER_TWO_PAIRS_BY_2, TFSER_ONE_PAIR_BY_2, "16"))

/* Codes of doubled sums, right in [2, 12], limits -128 and 127. With y = (2 * sum * multiplier + 2^31) >> 32 and factor =
 * 2^(32 - right) + 1, (y * factor + 2^31) >> 32 is y / 2^right to nearest: what the factor has above 2^(32 - right) takes
 * ties away from zero, and is too small to count otherwise where |y| < 2^(32 - right); beyond, the code is at a limit. */
#define TFSER_SCALE(sum)                \
    "smmulr " sum ", " sum ", r7\n"     \
    "smmlar " sum ", " sum ", r8, r9\n" \
    "ssat " sum ", #8, " sum "\n"
#define TFSER_KEEP(code) ""
#define TFSER_LOOK_UP(code) "ldrsb " code ", [r10, " code "]\n"
#define TFSER_CODES(look_up)                                                                                    \
    "ldm r0, {r4, r5, r6, r7, r8, r9, r10, r12}\n"                                                              \
    "strd r5, r12, [sp, #4]\n" /* a row, rows left */                                                           \
    "1: ldr r12, [r0, #36]\n"                                                                                   \
    "cmp r12, #0\n"                                                                                             \
    "beq 3f\n"                                                                                                  \
    "2: ldm r4!, {r0, r1, r2, r3}\n"                                                                            \
    "add r11, r5, r6, lsl #1\n"                                                                                 \
    TFSER_SCALE("r0") TFSER_SCALE("r1") TFSER_SCALE("r2") TFSER_SCALE("r3")                                     \
    look_up("r0") look_up("r1") look_up("r2") look_up("r3")                                                     \
    "strb r0, [r5]\n"                                                                                           \
    "strb r1, [r5, r6]\n"                                                                                       \
    "strb r2, [r11]\n"                                                                                          \
    "strb r3, [r11, r6]\n"                                                                                      \
    "add r5, r11, r6, lsl #1\n"                                                                                 \
    "subs r12, #1\n"                                                                                            \
    "bne 2b\n"                                                                                                  \
    "ldr r0, [sp]\n"                                                                                            \
    "3: ldrd r12, r11, [r0, #40]\n"                                                                             \
    "cmp r12, #0\n"                                                                                             \
    "beq 5f\n"                                                                                                  \
    "4: ldr r1, [r4], #4\n" TFSER_SCALE("r1") look_up("r1")                                                     \
    "strb r1, [r5]\n"                                                                                           \
    "add r5, r6\n"                                                                                              \
    "subs r12, #1\n"                                                                                            \
    "bne 4b\n"                                                                                                  \
    "5: ldrd r5, r2, [sp, #4]\n"                                                                                \
    "ldr r3, [r0, #32]\n"                                                                                       \
    "add r4, r11\n"                                                                                             \
    "add r5, r3\n"                                                                                              \
    "subs r2, #1\n"                                                                                             \
    "strd r5, r2, [sp, #4]\n"                                                                                   \
    "bne 1b\n"
TFSER_ASSEMBLY(tfser_codes_plain, const tfser_codes, TFSER_CODES(TFSER_KEEP))
TFSER_ASSEMBLY(tfser_codes_looked_up, const tfser_codes, TFSER_CODES(TFSER_LOOK_UP))

/* Rows of codes to rows of int16. */
TFSER_ASSEMBLY(tfser_widen_rows, const tfser_widening,
               "ldm r0, {r4, r5, r6, r7, r8, r9, r10}\n"
               "1: ldr r1, [r0, #28]\n"
               "mov r11, r4\n"
               "mov r12, r5\n"
               "cbz r1, 2f\n"
               "ldrsb r1, [r11]\n"
               "add r11, r6\n"
               "strh r1, [r12], #2\n"
               "2: ldr r0, [r0, #32]\n"
               "cbz r0, 4f\n"
               "3: ldrsb r1, [r11]\n"
               "ldrsb r2, [r11, r6]\n"
               "ldrsb r3, [r11, r6, lsl #1]\n"
               "ldrsb lr, [r11, r7]\n"
               "add r11, r11, r6, lsl #2\n"
               "pkhbt r1, r1, r2, lsl #16\n"
               "pkhbt r3, r3, lr, lsl #16\n"
               "strd r1, r3, [r12], #8\n"
               "subs r0, #1\n"
               "bne 3b\n"
               "4: ldr r0, [sp]\n"
               "ldr r2, [r0, #36]\n"
               "cbz r2, 6f\n"
               "5: ldrsb r1, [r11]\n"
               "add r11, r6\n"
               "strh r1, [r12], #2\n"
               "subs r2, #1\n"
               "bne 5b\n"
               "6: add r4, r8\n"
               "add r5, r9\n"
               "subs r10, #1\n"
               "bne 1b\n")

/* A row of taps w0, w1, ... to scratch as 0, w0, w0, w1, w1, w2, w2, w3, w3, ..., two words a pair: (w0, w1) for an
 * output at an even column, (0, w0) for its neighbour. Gives their sum; all times `scale`. */
static inline int32_t tfser_load_any(const tfser_depthwise *of, const int8_t *weights) {
    const int32_t column = of->weight_column, scale = of->scale;
    int16_t *to = tfser_first_tap(of);
    int32_t sum = 0;
    for (int32_t ky = 0; ky < of->window.kernel_height; ky++, weights += of->weight_row) {
        const int8_t *from = weights;
        int32_t before = 0;
        for (int32_t kx = of->window.kernel_width; kx >= 0; kx -= 2) {
            const int32_t first = kx > 0 ? from[0] * scale : 0, second = kx > 1 ? from[column] * scale : 0;
            from += kx > 1 ? 2 * column : 0;
            sum += first + second;
            to[0] = (int16_t)before;
            to[1] = to[2] = (int16_t)first;
            to[3] = (int16_t)second;
            before = second;
            to += 4;
        }
    }
    return sum;
}

/* The same for 3 x 3 taps, of whose words only (w0, w1) and (w1, w2) are read. */
static inline int32_t tfser_load_three(const tfser_depthwise *of, const int8_t *weights) {
    const int32_t column = of->weight_column, scale = of->scale;
    int32_t *to = of->weights + 2;
    int32_t sum = 0;
    for (int32_t ky = 0; ky < 3; ky++, weights += of->weight_row, to += 4) {
        const int32_t a = weights[0] * scale, b = weights[column] * scale, c = weights[2 * column] * scale;
        sum += a + b + c;
        to[0] = (int32_t)(((uint32_t)a & 0xFFFFu) | (uint32_t)b << 16);
        to[1] = (int32_t)(((uint32_t)b & 0xFFFFu) | (uint32_t)c << 16);
    }
    return sum;
}

static inline int32_t tfser_load_taps(const tfser_depthwise *of, const int8_t *weights) {
    return of->taps >= TFSER_THREE ? tfser_load_three(of, weights) : tfser_load_any(of, weights);
}

static inline void tfser_rows_of_sums(const tfser_depthwise *of, tfser_sums *todo, int32_t count, int32_t held) {
    if (of->taps >= TFSER_THREE) {
        todo->fours = (count + 1) / 4;
        todo->two = (held - 4 * todo->fours) / 2;
        of->taps == TFSER_THREE ? tfser_sums_of_3(todo) : tfser_sums_of_3_by_2(todo);
        return;
    }
    int32_t *const sums = todo->sums;
    todo->fours = held / 4;
    for (int32_t y = 0; y < todo->rows; y++) {
        if (of->taps == TFSER_ANY_TAPS) {
            tfser_any_sums(of, todo->x, count, todo->sums);
        } else {
            of->taps == TFSER_NEIGHBOURS ? tfser_sums_of_any(todo) : tfser_sums_of_any_by_2(todo);
        }
        todo->x += todo->next / 2;
        todo->sums += held;
    }
    todo->sums = sums;
}

static inline void tfser_rows_of_codes(const tfser_depthwise *of, const tfser_codes *todo) {
    if (of->scale != 2 || of->all_codes == 0 || todo->right < 2 || todo->right > 12) {
        tfser_any_codes(of, todo);
    } else {
        todo->table != 0 ? tfser_codes_looked_up(todo) : tfser_codes_plain(todo);
    }
}

#endif

#endif /* TFSER_DEPTHWISE_SMLAD_H */
