/* Loops and codes of tfser_pairs_asm.c with SMLAD: r4 to r7 sums of rows 0 to 3 with output a, r8 to r11 with output b.
 *
 * A word of packed weights holds, for one pair of the depth, 256 * b + a in each half (joined), or a and b in bytes.
 *   Bytes: SXTB16 gives the factors of a, SXTB16 of the word turned by 8 those of b; 13 instructions for 16 products.
 *   Joined: the word itself gives 256 * sum_b + sum_a, SXTB16 of it sum_a. Only one register is needed for weights
 *   then; with weights waiting in registers of the FPU their address needs none, and one LDM reads the four rows: 11
 *   instructions.
 * Codes: SMMLAR rounds acc * multiplier / 2^32, ties up, and adds. */
#ifndef TFSER_PAIRS_SMLAD_H
#define TFSER_PAIRS_SMLAD_H

#if defined(__ARM_FP)
#define JOINED_ROUND 16 /* words of weights in a round of the loop */
#define JOINED_ENTRY 12 /* bytes of code from one entry to the next */
#else
#define JOINED_ROUND 8
#define JOINED_ENTRY 48
#endif
#define TWO_ROUND 8
#define TWO_ENTRY 28
#define PLAIN_ROUND 8
#define PLAIN_ENTRY 52
#define WORDS_A_PAIR 1u

#if defined(__ARM_FP)
#define WORDS "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14"
/* From each entry as many words of weights are fetched as are left of the round. */
#define JOINED_LOOP                                                                                                    \
    "30: .irp s," WORDS "\n vldm r0!, {s\\s-s15}\n str.w r0, [sp, #52]\n b.w 4\\s\\()f\n .endr\n"                      \
    "vldm r0!, {s15}\n str.w r0, [sp, #52]\n b.w 415f\n"                                                               \
    "31: ldr r0, [sp, #52]\n vldm r0!, {s0-s15}\n str r0, [sp, #52]\n"                                                 \
    ".irp s," WORDS ",15\n 4\\s: vmov r2, s\\s\n ldm r1!, {r0, r3, r12, lr}\n"                                         \
    "smlad r8, r2, r0, r8\n smlad r9, r2, r3, r9\n smlad r10, r2, r12, r10\n smlad r11, r2, lr, r11\n"                 \
    "sxtb16 r2, r2\n smlad r4, r2, r0, r4\n smlad r5, r2, r3, r5\n smlad r6, r2, r12, r6\n smlad r7, r2, lr, r7\n"     \
    ".endr\n ldr r12, [sp, #60]\n cmp r1, r12\n bne.w 31b\n"
#else
#define JOINED_LOOP                                                                                                    \
    "30: .rept 8\n ldr r2, [r0], #4\n ldrd r12, lr, [r1], #8\n sxtb16 r3, r2\n"                                        \
    "smlad r4, r3, r12, r4\n smlad r8, r2, r12, r8\n smlad r5, r3, lr, r5\n smlad r9, r2, lr, r9\n"                    \
    "ldrd r12, lr, [r1], #8\n"                                                                                         \
    "smlad r6, r3, r12, r6\n smlad r10, r2, r12, r10\n smlad r7, r3, lr, r7\n smlad r11, r2, lr, r11\n .endr\n"        \
    "ldr r12, [sp, #60]\n cmp r1, r12\n bne.w 30b\n str r0, [sp, #52]\n"
#endif
/* Two rows. */
#define TWO_LOOP                                                                                                       \
    "32: .rept 8\n ldr r2, [r0], #4\n ldrd r12, lr, [r1], #16\n smlad r8, r2, r12, r8\n smlad r9, r2, lr, r9\n"        \
    "sxtb16 r2, r2\n smlad r4, r2, r12, r4\n smlad r5, r2, lr, r5\n .endr\n"                                           \
    "ldr r12, [sp, #60]\n cmp r1, r12\n bne.w 32b\n str r0, [sp, #52]\n"
#define PLAIN_LOOP                                                                                                     \
    "20: .rept 8\n ldr r2, [r0], #4\n ldrd r12, lr, [r1], #8\n sxtb16 r3, r2, ror #8\n sxtb16 r2, r2\n"                \
    "smlad r4, r2, r12, r4\n smlad r8, r3, r12, r8\n smlad r5, r2, lr, r5\n smlad r9, r3, lr, r9\n"                    \
    "ldrd r12, lr, [r1], #8\n"                                                                                         \
    "smlad r6, r2, r12, r6\n smlad r10, r3, r12, r10\n smlad r7, r2, lr, r7\n smlad r11, r3, lr, r11\n .endr\n"        \
    "ldr r12, [sp, #60]\n cmp r1, r12\n bne.w 20b\n str r0, [sp, #52]\n"

/* Codes of four sums; r1: what is added, r3: n - 1. */
#define CODES_RESTORE ""
#define CODES(sums, multiplier)                                                                                        \
    ".irp r," sums "\n smmlar lr, r\\r, " multiplier ", r1\n add r\\r, lr, r\\r, asr #31\n"                            \
    "asr r\\r, r\\r, r3\n ssat r\\r, #8, r\\r, asr #1\n .endr\n"

#endif /* TFSER_PAIRS_SMLAD_H */
