/* Loops and codes of tfser_pairs_asm.c for scalar Thumb-2 cores: r4 to r7 sums of rows 0 to 3 with output a, r8 to r11
 * with output b.
 *
 * For one element of the depth: a's and b's weight from bytes, or 256 * b + a from the two (joined), times four words.
 * 12 instructions for 8 products.
 * Codes: SMLAL rounds acc * multiplier / 2^32, ties up, by the half that its lower word begins with, and adds. */
#ifndef TFSER_PAIRS_MLA_H
#define TFSER_PAIRS_MLA_H

#define JOINED_ROUND 32 /* elements in a round of the loop */
#define JOINED_ENTRY 48 /* bytes of code of one */
#define TWO_ROUND 8
#define TWO_ENTRY 28
#define PLAIN_ROUND 16
#define PLAIN_ENTRY 48
#define WORDS_A_PAIR 2u

#define FOUR_ROWS                                                                                                      \
    "ldrd r12, lr, [r1], #8\n"                                                                                         \
    "mla r4, r2, r12, r4\n mla r8, r3, r12, r8\n mla r5, r2, lr, r5\n mla r9, r3, lr, r9\n ldrd r12, lr, [r1], #8\n"   \
    "mla r6, r2, r12, r6\n mla r10, r3, r12, r10\n mla r7, r2, lr, r7\n mla r11, r3, lr, r11\n"
#define PLAIN_LOOP                                                                                                     \
    "20: .rept 16\n ldrsb r2, [r0], #1\n ldrsb r3, [r0], #1\n" FOUR_ROWS ".endr\n"                                     \
    "ldr r12, [sp, #60]\n cmp r1, r12\n bne.w 20b\n str r0, [sp, #52]\n"
#define JOINED_LOOP                                                                                                    \
    "30: .rept 32\n ldrsb r2, [r0]\n ldrsh r3, [r0], #2\n" FOUR_ROWS ".endr\n"                                         \
    "ldr r12, [sp, #60]\n cmp r1, r12\n bne.w 30b\n str r0, [sp, #52]\n"
/* Two rows. */
#define TWO_LOOP                                                                                                       \
    "32: .rept 8\n ldrsb r2, [r0]\n ldrsh r3, [r0], #2\n ldrd r12, lr, [r1], #16\n"                                    \
    "mla r4, r2, r12, r4\n mla r8, r3, r12, r8\n mla r5, r2, lr, r5\n mla r9, r3, lr, r9\n .endr\n"                    \
    "ldr r12, [sp, #60]\n cmp r1, r12\n bne.w 32b\n str r0, [sp, #52]\n"

/* Codes of four sums; r1: what is added, r3: n - 1. r0 is lost. */
#define CODES_RESTORE "ldr r0, [sp, #72]\n"
#define CODES(sums, multiplier)                                                                                        \
    ".irp r," sums "\n mov lr, #0x80000000\n add r0, r1, r\\r, asr #31\n smlal lr, r0, r\\r, " multiplier "\n"         \
    "asr r\\r, r0, r3\n ssat r\\r, #8, r\\r, asr #1\n .endr\n"

#endif /* TFSER_PAIRS_MLA_H */
