/* Helium: sums of four rows to codes, four outputs at a time, where every shift is to the right by one or more.
 * Written as one loop of instructions: the compiler's is twice as long. */
#ifndef TFSER_CODES_MVE_H
#define TFSER_CODES_MVE_H

#include <arm_mve.h>

#include "tfser_rows.h"

/* The first seven members are loaded in their order into r1, r3, r5, r7, r8, r9 and r10, the others into q5 to q7. */
typedef struct {
    const int32_t *sums, *bias, *multiplier;
    const int8_t *table, *shift;
    int8_t *output;
    int32_t zero_point; /* of the output, plus 128: codes are made unsigned, as the table's index is */
    int32_t unused;
    uint8_t low[16], high[16];
    uint32_t offsets[4]; /* of the four rows */
} tfser_codes_state;

#define TFSER_CODES_BEGIN               \
    "ldm r3!, {r0, r2, r4, r6}\n"  \
    "vldrw.32 q0, [r1], #16\n" \
    "vldrw.32 q1, [r1], #16\n" \
    "vldrw.32 q2, [r1], #16\n" \
    "vldrw.32 q3, [r1], #16\n" \
    "vadd.i32 q0, q0, r0\n"     \
    "vadd.i32 q1, q1, r2\n"     \
    "vadd.i32 q2, q2, r4\n"     \
    "vadd.i32 q3, q3, r6\n"

/* (acc * multiplier + 2^30) >> 31, less 1 where negative, so that VRSHL, which takes ties up, takes them away from
 * zero; then halfwords, outputs 0 and 2 in q4, 1 and 3 in q2. */
#define TFSER_SCALE_BY_OUTPUT                \
    "ldm r5!, {r0, r2, r4, r6}\n" \
    "vshr.s32 q4, q0, #31\n"          \
    "vqrdmlah.s32 q4, q0, r0\n"       \
    "ldrsb r0, [r8], #4\n"             \
    "vrshl.s32 q4, r0\n"                  \
    "vqmovnb.s32 q4, q4\n"             \
    "vshr.s32 q0, q2, #31\n"         \
    "vqrdmlah.s32 q0, q2, r4\n"      \
    "ldrsb r4, [r8, #-2]\n"            \
    "vrshl.s32 q0, r4\n"                 \
    "vqmovnt.s32 q4, q0\n"            \
    "vshr.s32 q2, q1, #31\n"         \
    "vqrdmlah.s32 q2, q1, r2\n"      \
    "ldrsb r2, [r8, #-3]\n"            \
    "vrshl.s32 q2, r2\n"                 \
    "vqmovnb.s32 q2, q2\n"           \
    "vshr.s32 q1, q3, #31\n"         \
    "vqrdmlah.s32 q1, q3, r6\n"      \
    "ldrsb r6, [r8, #-1]\n"            \
    "vrshl.s32 q1, r6\n"                 \
    "vqmovnt.s32 q2, q1\n"
#define TFSER_SCALE_BY_TENSOR                      \
    "vshr.s32 q4, q0, #31\n"                \
    "vqrdmlah.s32 q4, q0, r5\n"  \
    "vrshl.s32 q4, r8\n"                  \
    "vqmovnb.s32 q4, q4\n"                   \
    "vshr.s32 q0, q2, #31\n"               \
    "vqrdmlah.s32 q0, q2, r5\n" \
    "vrshl.s32 q0, r8\n"                 \
    "vqmovnt.s32 q4, q0\n"                  \
    "vshr.s32 q2, q1, #31\n"               \
    "vqrdmlah.s32 q2, q1, r5\n" \
    "vrshl.s32 q2, r8\n"                 \
    "vqmovnb.s32 q2, q2\n"                 \
    "vshr.s32 q1, q3, #31\n"               \
    "vqrdmlah.s32 q1, q3, r5\n" \
    "vrshl.s32 q1, r8\n"                 \
    "vqmovnt.s32 q2, q1\n"

/* Byte i of word r is the code of output i, row r. */
#define TFSER_CODES_END                         \
    "vqadd.s16 q4, q4, r10\n"   \
    "vqadd.s16 q2, q2, r10\n" \
    "vqmovunb.s16 q4, q4\n"               \
    "vqmovunt.s16 q4, q2\n"              \
    "vmax.u8 q4, q4, q5\n"           \
    "vmin.u8 q4, q4, q6\n"          \
    "cbz r7, 2f\n"                        \
    "vldrb.u8 q0, [r7, q4]\n"      \
    "b 3f\n"                                    \
    "2: movs r0, #128\n"                        \
    "vadd.i8 q0, q4, %[groups]\n"               \
    "3:\n"
#define TFSER_STORE_WORDS                         \
    "vstrw.32 q0, [r9, q7]\n" \
    "adds r9, #4\n"
#define TFSER_STORE_BYTES                         \
    "vstrb.32 q0, [r9, q7]\n" \
    "adds r9, #1\n"                        \
    "vshr.u32 q0, q0, #8\n"               \
    "vstrb.32 q0, [r9, q7]\n" \
    "adds r9, #1\n"                        \
    "vshr.u32 q0, q0, #8\n"               \
    "vstrb.32 q0, [r9, q7]\n" \
    "adds r9, #1\n"                        \
    "vshr.u32 q0, q0, #8\n"               \
    "vstrb.32 q0, [r9, q7]\n" \
    "adds r9, #1\n"

/* `groups` of four outputs, at least one; words where the output and its stride are aligned to 4. */
#define TFSER_DEFINE_CODES(name, prepare, scale, store)                                                               \
    __attribute__((noinline)) static void name(const tfser_codes_state *state, int32_t groups) {                      \
        __asm volatile("dls lr, %[groups]\n"                                                                          \
                       "vldrw.32 q5, [%[state], #32]\n"                                                               \
                       "vldrw.32 q6, [%[state], #48]\n"                                                               \
                       "vldrw.32 q7, [%[state], #64]\n"                                                               \
                       "mov %[groups], #128\n"                                                                        \
                       "ldm %[state], {r1, r3, r5, r7, r8, r9, r10}\n" prepare                                        \
                       "1:\n" TFSER_CODES_BEGIN scale TFSER_CODES_END store                                           \
                       "le lr, 1b\n"                                                                                  \
                       : [groups] "+r"(groups)                                                                        \
                       : [state] "r"(state)                                                                           \
                       : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "lr", "q0", "q1", "q2",   \
                         "q3", "q4", "q5", "q6", "q7", "cc", "memory");                                               \
    }
#define TFSER_ONE_SCALE "ldr r5, [r5]\n ldrsb r8, [r8]\n"
TFSER_DEFINE_CODES(tfser_codes_by_output_words, "", TFSER_SCALE_BY_OUTPUT, TFSER_STORE_WORDS)
TFSER_DEFINE_CODES(tfser_codes_by_output_bytes, "", TFSER_SCALE_BY_OUTPUT, TFSER_STORE_BYTES)
TFSER_DEFINE_CODES(tfser_codes_by_tensor_words, TFSER_ONE_SCALE, TFSER_SCALE_BY_TENSOR, TFSER_STORE_WORDS)
TFSER_DEFINE_CODES(tfser_codes_by_tensor_bytes, TFSER_ONE_SCALE, TFSER_SCALE_BY_TENSOR, TFSER_STORE_BYTES)

#endif /* TFSER_CODES_MVE_H */
