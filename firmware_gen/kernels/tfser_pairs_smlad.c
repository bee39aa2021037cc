/* Blocks of the pairs form with SMLAD: four widened rows times two outputs at a time (tfser_pairs.h).
 *
 * Eight sums stay in r4 to r11: rows 0 to 3 of output a, then of output b. A word of packed weights holds, for one pair
 * of the depth, 256 * b + a in each half (joined), or a and b in bytes of their own.
 *   Bytes: SXTB16 gives the factors of a, SXTB16 of the word turned by 8 those of b; 13 instructions for 16 products.
 *   Joined: the word itself is the factor for 256 * sum_b + sum_a, SXTB16 gives those of a; sum_b is a difference,
 *   shifted by 8, exact where |doubled sum_b| < 2^23. One register is free then and, with weights waiting in the
 *   registers of the FPU, another, so that one LDM reads the four rows: 11 instructions.
 * Loops are unrolled and entered in their midst where the depth is not in whole rounds.
 * Codes: twice the sum was taken, so that SMMLAR, which rounds acc * multiplier / 2^32 ties up, adds the output's zero
 * point and a half shifted left by n - 1: (2 * zero_point + 1) << (n - 1), n = -shift. Adding the sum's sign makes the
 * shift right by n round ties away from zero: a negative sum of which the product rounds to 0 gives a half less 1,
 * which is 0 after the shift. ASR by n - 1; SSAT shifts by the last bit and saturates. */
#include "tfser_pairs.h"
#include "tfser_requantize.h"

#if defined(TFSER_SMLAD)

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

enum { PER_OUTPUT, PER_TENSOR, SUMS };
enum { NO_LIMITS, LIMITS, TABLE };

/* What the assembly keeps on its stack, at these offsets. */
typedef struct {
    uint32_t start[8];     /* 0: what the sums begin with */
    int8_t *output;        /* 32 */
    int32_t row[3];        /* 36: rows 1 to 3 from row 0 */
    const int8_t *end;     /* 48: of the outputs of row 0 */
    const int8_t *weights; /* 52 */
    const uint32_t *wide;   /* 56 */
    const uint32_t *wide_end; /* 60 */
    uint32_t factor[2];    /* 64: addresses of shift and multiplier; the multiplier, twice; address of the sums */
    int32_t zero_point;    /* 72: 2 * output_zero_point + 1 */
    int32_t shifts;        /* 76: n - 1 in the lowest byte and in the next */
    const int32_t *bias;   /* 80 */
    const int8_t *table;   /* 84: entry of code 0 */
    int32_t low, high;     /* 88, 92 */
    int32_t entry;         /* 96: bytes from the loop's first entry; then the address */
    int32_t scaling;       /* 100: PER_OUTPUT, ...; then the address */
    int32_t limits;        /* 104: NO_LIMITS, ...; then the address */
    int32_t joined;        /* 108: 0, 1, or 2 for two rows; then the address of the loop's entry, after the bias */
} tfser_pairs_job;

_Static_assert(sizeof(tfser_pairs_job) == 112, "offsets in the assembly");

void tfser_pairs_run(const tfser_pairs_job *job);

#if defined(__ARM_FP)
#define WORDS "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14"
/* From each entry as many words of weights are fetched as are left of the round. */
#define JOINED_LOOP                                                                                                    \
    "30: .irp s," WORDS "\n vldm r0!, {s\\s-s15}\n str.w r0, [sp, #52]\n b.w 4\\s\\()f\n .endr\n"                        \
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
#define CODES(sums, multiplier)                                                                                        \
    ".irp r," sums "\n smmlar lr, r\\r, " multiplier ", r1\n add r\\r, lr, r\\r, asr #31\n"                            \
    "asr r\\r, r\\r, r3\n ssat r\\r, #8, r\\r, asr #1\n .endr\n"
/* The address of label `none`, or of `one` or `two` where a register is 1 or 2, to a place on the stack. */
#define CHOOSE(register, none, one, two, place)                                                                        \
    "adr.w r5, " none "f\n cbz " register ", 1f\n adr.w r5, " one "f\n cmp " register ", #1\n beq 1f\n"                \
    "adr.w r5, " two "f\n 1: orr r5, r5, #1\n str r5, [sp, #" place "]\n"

/* All pairs of outputs, or with SUMS the first. 10: next pair, 11 to 13: bias, 60 to 64: codes, 70: store, 71: limits,
 * 72: table. */
__attribute__((naked, noinline)) void tfser_pairs_run(const tfser_pairs_job *job __attribute__((unused))) {
    __asm__ volatile(
        ".p2align 2\n push {r4-r11, lr}\n sub sp, sp, #112\n mov r12, sp\n" /* ADR counts from whole words */
        "ldm r0!, {r1-r11, lr}\n stm r12!, {r1-r11, lr}\n ldm r0!, {r1-r11, lr}\n stm r12!, {r1-r11, lr}\n"
        "ldm r0, {r1-r4}\n"
        "adr.w r5, 20f\n cbz r4, 1f\n adr.w r5, 30f\n cmp r4, #1\n beq 1f\n adr.w r5, 32f\n 1: add r5, r5, r1\n orr r5, r5, #1\n str r5, [sp, #108]\n"
        "ldr r6, [sp, #80]\n cbz r6, 2f\n adr.w r5, 11f\n cbz r4, 1f\n adr.w r5, 12f\n 1: orr r5, r5, #1\n"
        "2: str r5, [sp, #96]\n" CHOOSE("r2", "60", "63", "64", "100") CHOOSE("r3", "70", "71", "72", "104")
        "10: ldm sp, {r4-r11}\n ldrd r0, r1, [sp, #52]\n ldr pc, [sp, #96]\n"
        "11: ldr r12, [sp, #80]\n ldrd r2, r3, [r12], #8\n b 13f\n"
        "12: ldr r12, [sp, #80]\n ldrd r2, r3, [r12], #8\n add r3, r2, r3, lsl #8\n"
        "13: str r12, [sp, #80]\n .irp r,4,5,6,7\n add r\\r, r\\r, r2, lsl #1\n .endr\n"
        ".irp r,8,9,10,11\n add r\\r, r\\r, r3, lsl #1\n .endr\n ldr pc, [sp, #108]\n"
        PLAIN_LOOP "ldr pc, [sp, #100]\n"
        TWO_LOOP "b 33f\n" JOINED_LOOP "33: sub r8, r8, r4\n sub r9, r9, r5\n sub r10, r10, r6\n sub r11, r11, r7\n"
        ".irp r,8,9,10,11\n asr r\\r, r\\r, #8\n .endr\n ldr pc, [sp, #100]\n"
        "60: ldrd r0, r1, [sp, #64]\n ldrh r3, [r0], #2\n ldrd r2, r12, [r1], #8\n strd r0, r1, [sp, #64]\n"
        "ldr r0, [sp, #72]\n mvn r3, r3\n"
        "61: lsl r1, r0, r3\n" CODES("4,5,6,7", "r2") "lsr r3, r3, #8\n lsl r1, r0, r3\n" CODES("8,9,10,11", "r12")
        "ldr pc, [sp, #104]\n"
        "70: add r12, sp, #32\n ldm r12, {r0, r1, r2, r3, r12}\n"
        "strb r7, [r0, r3]\n strb r6, [r0, r2]\n strb r5, [r0, r1]\n strb r4, [r0], #1\n"
        "strb r11, [r0, r3]\n strb r10, [r0, r2]\n strb r9, [r0, r1]\n strb r8, [r0], #1\n"
        "str r0, [sp, #32]\n cmp r0, r12\n bne.w 10b\n"
        "add sp, sp, #112\n pop {r4-r11, pc}\n"
        "63: ldrd r2, r12, [sp, #64]\n ldrd r0, r3, [sp, #72]\n b 61b\n"
        "64: ldr r12, [sp, #64]\n stm r12, {r4-r11}\n add sp, sp, #112\n pop {r4-r11, pc}\n"
        "71: ldrd r0, r1, [sp, #88]\n .irp r,4,5,6,7,8,9,10,11\n cmp r\\r, r0\n it lt\n movlt r\\r, r0\n"
        "cmp r\\r, r1\n it gt\n movgt r\\r, r1\n .endr\n ldr r0, [sp, #84]\n cmp r0, #0\n beq.w 70b\n"
        "72: ldr r0, [sp, #84]\n .irp r,4,5,6,7,8,9,10,11\n ldrsb r\\r, [r0, r\\r]\n .endr\n b.w 70b\n");
}

/* Which loop, and where to enter it. */
static void tfser_pairs_loop(const tfser_dense *layer, int32_t rows, tfser_pairs_job *job) {
    const int32_t rest = tfser_pairs_count(layer) - 1;
    if (layer->narrow != 2) {
        job->joined = 0;
        job->entry = (PLAIN_ROUND - 1 - rest % PLAIN_ROUND) * PLAIN_ENTRY;
    } else if (rows > 2) {
        job->joined = 1;
        job->entry = (JOINED_ROUND - 1 - rest % JOINED_ROUND) * JOINED_ENTRY;
    } else {
        job->joined = 2;
        job->entry = (TWO_ROUND - 1 - rest % TWO_ROUND) * TWO_ENTRY;
    }
}

/* Sums begin with what the zero point of the weights takes off, weights_zero_point * sum_k wide[k]. */
static void tfser_pairs_start(const tfser_dense *layer, const uint32_t *wide, tfser_pairs_job *job) {
    const uint32_t zero_point = (uint32_t)layer->weights_zero_point;
    int32_t sum[TFSER_PAIRS_ROWS] = {0, 0, 0, 0};
    for (; zero_point != 0 && wide != job->wide_end; wide += TFSER_PAIRS_STEP) {
        for (int32_t r = 0; r < TFSER_PAIRS_ROWS; r++) {
            sum[r] = tfser_pairs_smlad(wide[r], 0x10001, sum[r]);
        }
    }
    for (int32_t r = 0; r < TFSER_PAIRS_ROWS; r++) {
        job->start[r] = 0u - zero_point * (uint32_t)sum[r];
        job->start[4 + r] = job->joined != 0 ? 257u * job->start[r] : job->start[r];
    }
}

/* Four sums of a last output without a partner. */
static void tfser_pairs_alone(const int8_t *weights, const uint32_t *wide, int32_t pairs, int32_t *sums) {
    for (int32_t i = 0; i < pairs; i += 2) {
        uint32_t word = 0;
        (void)memcpy(&word, weights + 2 * i, 2);
        word = (word & 0xFFu) | (word & 0xFF00u) << 8; /* the last pair of an odd number lies alone */
        uint32_t even = tfser_pairs_low(word);
        uint32_t odd = 0;
        if (i + 1 < pairs) {
            word = tfser_pairs_load(weights + 2 * i);
            even = tfser_pairs_low(word);
            odd = tfser_pairs_high(word);
        }
        for (int32_t r = 0; r < TFSER_PAIRS_ROWS; r++) {
            sums[r] = tfser_pairs_smlad(even, wide[r], sums[r]);
            if (i + 1 < pairs) {
                sums[r] = tfser_pairs_smlad(odd, wide[TFSER_PAIRS_STEP + r], sums[r]);
            }
        }
        wide += 2 * TFSER_PAIRS_STEP;
    }
}

/* Sums of `rows` rows to codes of output n. */
static void tfser_pairs_codes(const tfser_dense *layer, const int32_t *bias, int32_t n, const int32_t *sums,
                              int32_t rows, int8_t *output, int32_t output_stride) {
    const uint32_t more = bias != 0 ? (uint32_t)bias[n] : 0u;
    for (int32_t r = 0; r < rows; r++) {
        const int32_t sum = layer->narrow != 0 ? sums[r] >> 1 : sums[r];
        output[r * output_stride + n] = tfser_requantize(layer, n, (int32_t)((uint32_t)sum + more));
    }
}

static void tfser_pairs_requantisation(const tfser_dense *layer, tfser_pairs_job *job) {
    if (layer->per_channel != 0) {
        job->scaling = PER_OUTPUT;
        job->factor[0] = (uint32_t)(uintptr_t)layer->shift;
        job->factor[1] = (uint32_t)(uintptr_t)layer->multiplier;
        job->shifts = 0;
    } else {
        job->scaling = PER_TENSOR;
        job->factor[0] = (uint32_t)layer->multiplier[0];
        job->factor[1] = job->factor[0];
        job->shifts = (-1 - layer->shift[0]) * 257;
    }
    job->zero_point = 2 * layer->output_zero_point + 1;
    job->low = layer->output_min;
    job->high = layer->output_max;
    job->table = layer->table != 0 ? layer->table + 128 : 0;
    job->limits = layer->table != 0 ? TABLE : NO_LIMITS;
    if (layer->output_min > -128 || layer->output_max < 127) {
        job->limits = LIMITS;
    }
}

void tfser_pairs_block_smlad(const tfser_dense *layer, const int8_t *weights, const int32_t *bias, const uint32_t *wide,
                             int32_t rows, int8_t *output, int32_t output_stride) {
    const int32_t pairs = tfser_pairs_count(layer);
    const int32_t twos = layer->outputs & -2;
    tfser_pairs_job job;
    int32_t sums[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    job.wide = wide;
    job.wide_end = wide + pairs * TFSER_PAIRS_STEP;
    tfser_pairs_loop(layer, rows, &job);
    tfser_pairs_start(layer, wide, &job);
    tfser_pairs_requantisation(layer, &job);
    job.row[0] = rows > 1 ? output_stride : 0;
    job.row[1] = rows > 2 ? 2 * output_stride : job.row[0];
    job.row[2] = rows > 3 ? 3 * output_stride : job.row[1];
    job.output = output;
    job.end = output + twos;
    job.weights = weights;
    job.bias = bias;
    if (layer->narrow != 0 && twos != 0) {
        tfser_pairs_run(&job);
    } else if (layer->narrow == 0) {
        job.scaling = SUMS;
        job.factor[0] = (uint32_t)(uintptr_t)sums;
        job.bias = 0;
        for (int32_t n = 0; n < twos; n += 2) {
            tfser_pairs_run(&job);
            job.weights += 4 * pairs;
            tfser_pairs_codes(layer, bias, n, sums, rows, output, output_stride);
            tfser_pairs_codes(layer, bias, n + 1, sums + 4, rows, output, output_stride);
        }
    }
    if (twos != layer->outputs) {
        (void)memcpy(sums, job.start, 4 * sizeof sums[0]);
        tfser_pairs_alone(weights + twos / 2 * 4 * pairs, wide, pairs, sums);
        tfser_pairs_codes(layer, bias, twos, sums, rows, output, output_stride);
    }
}
#endif
