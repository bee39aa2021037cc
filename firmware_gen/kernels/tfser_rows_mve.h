/* Helium: the accumulators of four rows, or of one, with up to TFSER_ROWS_TILE outputs, one chunk of the depth at a
 * time. VMLADAV adds 16 products into an even core register; eight of them are in use, so that a chunk costs 2 loads
 * of weights, 8 VMLADAV, and one LDM and STM for 8 sums. Core registers are named: the compiler would spill them. */
#ifndef TFSER_ROWS_MVE_H
#define TFSER_ROWS_MVE_H

#include <arm_mve.h>

#include "tfser_rows.h"

#define TFSER_SUMS "{r0, r2, r4, r6, r8, r10, r12, lr}"
#define TFSER_CLOBBERED "r0", "r2", "r4", "r6", "r8", "r10", "r12", "lr", "cc", "memory"

/* Sums of outputs a and b with rows x0 to x3; `mla` is vmladav for the first chunk and vmladava for the others. */
#define TFSER_PAIR_SUMS(mla)                  \
    mla ".s8 r0, q0, q4\n"             \
    mla ".s8 r2, q1, q4\n"             \
    mla ".s8 r4, q2, q4\n"             \
    mla ".s8 r6, q3, q4\n"             \
    mla ".s8 r8, q0, q5\n"             \
    mla ".s8 r10, q1, q5\n"            \
    mla ".s8 r12, q2, q5\n"            \
    mla ".s8 lr, q3, q5\n"             \
    "stm %[sum]!, " TFSER_SUMS "\n"
#define TFSER_PAIR(load, mla)                 \
    load                                      \
    "vldrb.8 q4, [%[w]], #16\n"            \
    "vldrb.8 q5, [%[w]], #16\n"            \
    TFSER_PAIR_SUMS(mla)
#define TFSER_PAIR_TAIL(load, mla)            \
    load                                      \
    "vpstt\n"                                 \
    "vldrbt.8 q4, [%[w]]\n"                \
    "vldrbt.8 q5, [%[v]]\n"                \
    "add %[w], %[w], %[step]\n"               \
    "add %[v], %[v], %[step]\n"               \
    TFSER_PAIR_SUMS(mla)
#define TFSER_LOAD_SUMS "ldm %[sum], " TFSER_SUMS "\n"

/* A last output without a partner. */
#define TFSER_SINGLE_SUMS(load, mla)          \
    load                                      \
    mla ".s8 r0, q0, q4\n"             \
    mla ".s8 r2, q1, q4\n"             \
    mla ".s8 r4, q2, q4\n"             \
    mla ".s8 r6, q3, q4\n"             \
    "stm %[sum]!, {r0, r2, r4, r6}\n"
#define TFSER_LOAD_SINGLE "ldm %[sum], {r0, r2, r4, r6}\n"

/* What a chunk begins with, loaded in this order into r0, r2, r4, r6, r8, r10 and r12. */
typedef struct {
    const int8_t *row[4]; /* each moves on by 16 a chunk */
    int32_t outputs;
    int32_t *sums; /* [outputs][4] */
    int32_t tail;  /* bytes of the last chunk where it is not whole */
} tfser_four_rows;

#define TFSER_VECTORS "q0", "q1", "q2", "q3", "q4", "q5"

/* sums (+)= rows times weights[outputs][16], `chunks` times. Returns the weights that follow. */
#define TFSER_DEFINE_FOUR(name, load, load_single, mla)                                                               \
    static inline const int8_t *name(const int8_t *weights, int32_t chunks, tfser_four_rows *rows) {                  \
        int32_t n;                                                                                                    \
        int32_t *sums;                                                                                                \
        __asm volatile("1: ldm %[rows], {r0, r2, r4, r6, r8, r10}\n"                                                  \
                       "vldrb.8 q0, [r0], #16\n"                                                                      \
                       "vldrb.8 q1, [r2], #16\n"                                                                      \
                       "vldrb.8 q2, [r4], #16\n"                                                                      \
                       "vldrb.8 q3, [r6], #16\n"                                                                      \
                       "stm %[rows], {r0, r2, r4, r6}\n"                                                              \
                       "mov %[sum], r10\n"                                                                            \
                       "subs %[n], r8, #8\n"                                                                          \
                       "blt 2f\n"                                                                                     \
                       "3:\n" TFSER_PAIR(load, mla) TFSER_PAIR(load, mla)                                             \
                       TFSER_PAIR(load, mla) TFSER_PAIR(load, mla)                                                    \
                       "subs %[n], #8\n"                                                                              \
                       "bge 3b\n"                                                                                     \
                       "2: adds %[n], #6\n"                                                                           \
                       "blt 5f\n"                                                                                     \
                       "4:\n" TFSER_PAIR(load, mla)                                                                   \
                       "subs %[n], #2\n"                                                                              \
                       "bge 4b\n"                                                                                     \
                       "5: adds %[n], #1\n"                                                                           \
                       "blt 6f\n"                                                                                     \
                       "vldrb.8 q4, [%[w]], #16\n" TFSER_SINGLE_SUMS(load_single, mla)                                \
                       "6: subs %[chunks], #1\n"                                                                      \
                       "bne 1b\n"                                                                                     \
                       : [w] "+r"(weights), [n] "=&r"(n), [sum] "=&r"(sums), [chunks] "+r"(chunks)                    \
                       : [rows] "r"(rows)                                                                             \
                       : TFSER_CLOBBERED, TFSER_VECTORS);                                                             \
        return weights;                                                                                               \
    }
TFSER_DEFINE_FOUR(tfser_four_first, "", "", "vmladav")
TFSER_DEFINE_FOUR(tfser_four_next, TFSER_LOAD_SUMS, TFSER_LOAD_SINGLE, "vmladava")

/* The same for a last chunk of `tail` < 16; no byte past it is read. */
#define TFSER_DEFINE_FOUR_TAIL(name, load, load_single, mla)                                                          \
    static inline const int8_t *name(const int8_t *weights, const tfser_four_rows *rows) {                            \
        int32_t n, step;                                                                                              \
        int32_t *sums;                                                                                                \
        __asm volatile("ldm %[v], {r0, r2, r4, r6, r8, r10, r12}\n"                                                   \
                       "vctp.8 r12\n"                                                                                 \
                       "vpstttt\n"                                                                                    \
                       "vldrbt.8 q0, [r0]\n"                                                                          \
                       "vldrbt.8 q1, [r2]\n"                                                                          \
                       "vldrbt.8 q2, [r4]\n"                                                                          \
                       "vldrbt.8 q3, [r6]\n"                                                                          \
                       "mov %[sum], r10\n"                                                                            \
                       "lsl %[step], r12, #1\n"                                                                       \
                       "add %[v], %[w], r12\n"                                                                        \
                       "subs %[n], r8, #2\n"                                                                          \
                       "blt 5f\n"                                                                                     \
                       "4:\n" TFSER_PAIR_TAIL(load, mla)                                                              \
                       "subs %[n], #2\n"                                                                              \
                       "bge 4b\n"                                                                                     \
                       "5: adds %[n], #1\n"                                                                           \
                       "blt 6f\n"                                                                                     \
                       "vpst\n"                                                                                       \
                       "vldrbt.8 q4, [%[w]]\n"                                                                        \
                       "add %[w], %[w], %[step], lsr #1\n" TFSER_SINGLE_SUMS(load_single, mla)                        \
                       "6:\n"                                                                                         \
                       : [w] "+r"(weights), [v] "+r"(rows), [n] "=&r"(n), [sum] "=&r"(sums), [step] "=&r"(step)       \
                       :                                                                                              \
                       : TFSER_CLOBBERED, TFSER_VECTORS);                                                             \
        return weights;                                                                                               \
    }
TFSER_DEFINE_FOUR_TAIL(tfser_four_tail_first, "", "", "vmladav")
TFSER_DEFINE_FOUR_TAIL(tfser_four_tail_next, TFSER_LOAD_SUMS, TFSER_LOAD_SINGLE, "vmladava")

/* One row: sums of neighbouring outputs of a tile, += row times weights, over all whole chunks, at least one.
 * `skip`: bytes of weights of the tile's other outputs in a chunk. */
#define TFSER_ONE(sum) "vldrb.8 q1, [%[w]], #16\n vmladava.s8 " sum ", q0, q1\n"
#define TFSER_DEFINE_ONE(name, registers, each)                                                                       \
    __attribute__((noinline)) static void name(const int8_t *weights, int32_t skip, int32_t chunks,                   \
                                               const int8_t *row, int32_t *sums) {                                    \
        __asm volatile("ldm %[sum], " registers "\n"                                                                  \
                       "1: vldrb.8 q0, [%[x]], #16\n" each                                                            \
                       "add %[w], %[w], %[skip]\n"                                                                    \
                       "subs %[chunks], #1\n"                                                                         \
                       "bne 1b\n"                                                                                     \
                       "stm %[sum], " registers "\n"                                                                  \
                       : [w] "+r"(weights), [x] "+r"(row), [chunks] "+r"(chunks)                                      \
                       : [skip] "r"(skip), [sum] "r"(sums)                                                            \
                       : TFSER_CLOBBERED, "q0", "q1");                                                                \
    }
#define TFSER_ONE_FOUR TFSER_ONE("r0") TFSER_ONE("r2") TFSER_ONE("r4") TFSER_ONE("r6")
TFSER_DEFINE_ONE(tfser_one_by_eight, TFSER_SUMS,
                 TFSER_ONE_FOUR TFSER_ONE("r8") TFSER_ONE("r10") TFSER_ONE("r12") TFSER_ONE("lr"))
TFSER_DEFINE_ONE(tfser_one_by_four, "{r0, r2, r4, r6}", TFSER_ONE_FOUR)
TFSER_DEFINE_ONE(tfser_one_by_one, "{r0, r2}", TFSER_ONE("r0"))

/* sums[n] += row times weights, `chunks` whole chunks. Sums, of which there is room for a multiple of four. */
static inline void tfser_one_sums(const int8_t *weights, int32_t outputs, int32_t chunks, const int8_t *row,
                                  int32_t *sums) {
    for (int32_t n = 0, count; n < outputs && chunks > 0; n += count) {
        const int32_t left = outputs - n;
        count = left >= 8 ? 8 : left >= 4 ? 4 : 1;
        const int32_t skip = (outputs - count) * TFSER_ROWS_CHUNK;
        const int8_t *from = weights + n * TFSER_ROWS_CHUNK;
        if (count == 8) {
            tfser_one_by_eight(from, skip, chunks, row, sums + n);
        } else if (count == 4) {
            tfser_one_by_four(from, skip, chunks, row, sums + n);
        } else {
            tfser_one_by_one(from, skip, chunks, row, sums + n);
        }
    }
}

#endif /* TFSER_ROWS_MVE_H */
