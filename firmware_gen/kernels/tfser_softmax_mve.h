/* Helium: softmax of one row by table, TensorFlow Lite Micro's fixed point bit for bit (tfser_softmax.h). */
#ifndef TFSER_SOFTMAX_MVE_H
#define TFSER_SOFTMAX_MVE_H

#include <stdint.h>

#include "tfser_helium.h"

/* 1 / d for d = sum * 2^zeros, Q0.31 of [1, 2): three Newton-Raphson steps in Q2.29 on d / 2, then Q0.31. */
static inline int32_t tfser_softmax_reciprocal(int32_t sum, int32_t zeros) {
    const int32x4_t half = vdupq_n_s32((int32_t)(((uint32_t)sum << zeros) >> 1));
    int32x4_t x = vaddq_n_s32(vqrdmulhq_n_s32(half, -1010580540), 1515870810); /* 48 / 17 - 32 / 17 * half */
    for (int32_t step = 0; step < 3; step++) {
        const int32x4_t error = vsubq_s32(vdupq_n_s32(1 << 29), vqrdmulhq_s32(half, x));
        x = vaddq_s32(x, vqshlq_n_s32(vqrdmulhq_s32(x, error), 2));
    }
    return vgetq_lane_s32(vqshlq_n_s32(x, 1), 0);
}

/* Output exactly on the input, or apart from it. depth >= 1. */
static inline void tfser_softmax_row(const int32_t exp_table[256], int32_t depth, const int8_t *input, int8_t *output) {
    const int8_t *from = input;
    int32_t most = -128;
    __asm volatile("dlstp.8 lr, %[depth]\n"
                   "1: vldrb.8 q0, [%[from]], #16\n"
                   "vmaxv.s8 %[most], q0\n"
                   "letp lr, 1b\n"
                   : [from] "+r"(from), [most] "+r"(most)
                   : [depth] "r"(depth)
                   : "lr", "q0", "cc", "memory");
    /* Code x at 4 * x bytes from here; the addition of an offset below zero wraps. */
    const uintptr_t exps = (uintptr_t)exp_table + 4 * (uintptr_t)(255 - most);
    int32_t sum = 0;
    from = input;
    __asm volatile("dlstp.32 lr, %[depth]\n"
                   "1: vldrb.s32 q0, [%[from]], #4\n"
                   "vldrw.u32 q1, [%[exps], q0, uxtw #2]\n"
                   "vrshr.s32 q1, q1, #12\n"
                   "vaddva.s32 %[sum], q1\n"
                   "letp lr, 1b\n"
                   : [from] "+l"(from), [sum] "+Te"(sum)
                   : [depth] "r"(depth), [exps] "r"(exps)
                   : "lr", "q0", "q1", "cc", "memory");
    const int32_t zeros = __builtin_clz((uint32_t)sum);
    const int32_t reciprocal = tfser_softmax_reciprocal(sum, zeros);
    from = input;
    /* No value is negative: VRSHL rounds as the reference does. */
    __asm volatile("vdup.32 q2, %[largest]\n"
                   "dlstp.32 lr, %[depth]\n"
                   "1: vldrb.s32 q0, [%[from]], #4\n"
                   "vldrw.u32 q1, [%[exps], q0, uxtw #2]\n"
                   "vqrdmulh.s32 q1, q1, %[reciprocal]\n"
                   "vrshl.s32 q1, %[shift]\n"
                   "vmin.s32 q1, q1, q2\n"
                   "vadd.i32 q1, q1, %[zero_point]\n"
                   "vstrb.32 q1, [%[output]], #4\n"
                   "letp lr, 1b\n"
                   : [from] "+l"(from), [output] "+l"(output)
                   : [depth] "r"(depth), [exps] "r"(exps), [reciprocal] "r"(reciprocal), [shift] "r"(zeros - 35),
                     [zero_point] "r"(-128), [largest] "r"(255)
                   : "lr", "q0", "q1", "q2", "cc", "memory");
}

#endif /* TFSER_SOFTMAX_MVE_H */
