/* Blocks of the pairs form in assembly: four widened rows times two outputs at a time (tfser_pairs.h).
 *
 * Loops (tfser_pairs_smlad.h, tfser_pairs_mla.h) are unrolled and entered in their midst where the depth is not in
 * whole rounds. Of joined weights sum_b is a difference, shifted by 8, exact where |doubled sum_b| < 2^23. A sum may
 * leave int32 on the way; only the last one must not.
 * Codes: twice the sum was taken, so that the upper word of its product with the multiplier, rounded, is (acc *
 * multiplier + 2^30) >> 31. The output's zero point and a half are added, shifted left by n - 1: (2 * zero_point + 1)
 * << (n - 1), n = -shift; then the sum's sign, by which the shift right by n rounds ties away from zero. (A negative
 * sum whose product rounds to 0 leaves a half less 1, which is 0 after the shift.) ASR shifts by n - 1, SSAT by the
 * last bit and saturates. */
#include "tfser_pairs.h"
#include "tfser_requantize.h"

#if defined(TFSER_SMLAD)
#include "tfser_pairs_smlad.h"
#elif defined(TFSER_MLA)
#include "tfser_pairs_mla.h"
#endif

#if defined(TFSER_SMLAD) || defined(TFSER_MLA)

enum { PER_OUTPUT, PER_TENSOR, SUMS, PER_OUTPUT_TWO };
enum { NO_LIMITS, LIMITS, TABLE };

/* What the assembly keeps on its stack, at these offsets. */
typedef struct {
    uint32_t start[8];        /* 0: what the sums begin with */
    int8_t *output;           /* 32 */
    int32_t row[3];           /* 36: rows 1 to 3 from row 0; rows that are not wanted lie on the last that is */
    const int8_t *end;        /* 48: of the outputs of row 0 */
    const int8_t *weights;    /* 52 */
    const uint32_t *wide;     /* 56 */
    const uint32_t *wide_end; /* 60 */
    uint32_t factor[2];       /* 64: addresses of shift and multiplier; the multiplier, twice; address of the sums */
    int32_t zero_point;       /* 72: 2 * output_zero_point + 1 */
    int32_t shifts;           /* 76: n - 1 in the lowest byte and in the next */
    const int32_t *bias;      /* 80 */
    const int8_t *table;      /* 84: entry of code 0 */
    int32_t low, high;        /* 88, 92 */
    uint32_t entry;           /* 96: bytes from the loop's first entry; then its address, or that of the bias */
    int32_t scaling;          /* 100: PER_OUTPUT, ...; then the address */
    int32_t limits;           /* 104: NO_LIMITS, ...; then the address */
    int32_t joined;           /* 108: 0, 1, or 2 for two rows; then the address of the loop's entry */
} tfser_pairs_job;

_Static_assert(sizeof(tfser_pairs_job) == 112, "offsets in the assembly");

void tfser_pairs_run(const tfser_pairs_job *job);

/* The address of label `none`, or of `one` or `two` where a register is 1 or 2, to a place on the stack. */
#define CHOOSE(register, none, one, two, place)                                                                        \
    "adr.w r5, " none "f\n cbz " register ", 1f\n adr.w r5, " one "f\n cmp " register ", #1\n beq 1f\n"                \
    "adr.w r5, " two "f\n 1: orr r5, r5, #1\n str r5, [sp, #" place "]\n"

/* Next pair: r2 and r12 its multipliers, r3 its n - 1 in two bytes, r0 the zero point. */
#define FACTORS                                                                                                        \
    "ldrd r0, r1, [sp, #64]\n ldrh r3, [r0], #2\n ldrd r2, r12, [r1], #8\n strd r0, r1, [sp, #64]\n"                   \
    "ldr r0, [sp, #72]\n mvn r3, r3\n"

/* All pairs of outputs, or with SUMS the first. 10: next pair, 11 to 13: bias, 20 to 33: sums, 60 to 65: codes,
 * 70: store, 71: limits, 72: table. Rows are stored from the last to the first. */
__attribute__((naked, noinline)) void tfser_pairs_run(const tfser_pairs_job *job __attribute__((unused))) {
    __asm__ volatile(
        ".p2align 2\n push {r4-r11, lr}\n sub sp, sp, #112\n mov r12, sp\n" /* ADR counts from whole words */
        "ldm r0!, {r1-r11, lr}\n stm r12!, {r1-r11, lr}\n ldm r0!, {r1-r11, lr}\n stm r12!, {r1-r11, lr}\n"
        "ldm r0, {r1-r4}\n"
        "adr.w r5, 20f\n cbz r4, 1f\n adr.w r5, 30f\n cmp r4, #1\n beq 1f\n adr.w r5, 32f\n"
        "1: add r5, r5, r1\n orr r5, r5, #1\n str r5, [sp, #108]\n"
        "ldr r6, [sp, #80]\n cbz r6, 2f\n adr.w r5, 11f\n cbz r4, 1f\n adr.w r5, 12f\n 1: orr r5, r5, #1\n"
        "2: str r5, [sp, #96]\n" CHOOSE("r2", "60", "63", "64", "100")
        "cmp r2, #3\n bne 1f\n adr.w r5, 65f\n orr r5, r5, #1\n str r5, [sp, #100]\n 1:\n" CHOOSE("r3", "70", "71", "72", "104")
        "10: ldm sp, {r4-r11}\n ldrd r0, r1, [sp, #52]\n ldr pc, [sp, #96]\n"
        "11: ldr r12, [sp, #80]\n ldrd r2, r3, [r12], #8\n b 13f\n"
        "12: ldr r12, [sp, #80]\n ldrd r2, r3, [r12], #8\n add r3, r2, r3, lsl #8\n"
        "13: str r12, [sp, #80]\n .irp r,4,5,6,7\n add r\\r, r\\r, r2, lsl #1\n .endr\n"
        ".irp r,8,9,10,11\n add r\\r, r\\r, r3, lsl #1\n .endr\n ldr pc, [sp, #108]\n"
        PLAIN_LOOP "ldr pc, [sp, #100]\n"
        TWO_LOOP "sub r8, r8, r4\n sub r9, r9, r5\n asr r8, r8, #8\n asr r9, r9, #8\n ldr pc, [sp, #100]\n"
        JOINED_LOOP "sub r8, r8, r4\n sub r9, r9, r5\n sub r10, r10, r6\n sub r11, r11, r7\n"
        ".irp r,8,9,10,11\n asr r\\r, r\\r, #8\n .endr\n ldr pc, [sp, #100]\n"
        "60: " FACTORS "61: lsl r1, r0, r3\n" CODES("4,5,6,7", "r2")
        "lsr r3, r3, #8\n" CODES_RESTORE "lsl r1, r0, r3\n" CODES("8,9,10,11", "r12")
        "ldr pc, [sp, #104]\n"
        "70: add r12, sp, #32\n ldm r12, {r0, r1, r2, r3, r12}\n"
        "strb r7, [r0, r3]\n strb r6, [r0, r2]\n strb r5, [r0, r1]\n strb r4, [r0], #1\n"
        "strb r11, [r0, r3]\n strb r10, [r0, r2]\n strb r9, [r0, r1]\n strb r8, [r0], #1\n"
        "str r0, [sp, #32]\n cmp r0, r12\n bne.w 10b\n"
        "add sp, sp, #112\n pop {r4-r11, pc}\n"
        "65: " FACTORS "lsl r1, r0, r3\n" CODES("4,5", "r2")
        "lsr r3, r3, #8\n" CODES_RESTORE "lsl r1, r0, r3\n" CODES("8,9", "r12")
        "ldrd r0, r1, [sp, #32]\n ldr r12, [sp, #48]\n strb r5, [r0, r1]\n strb r4, [r0], #1\n"
        "strb r9, [r0, r1]\n strb r8, [r0], #1\n str r0, [sp, #32]\n cmp r0, r12\n bne.w 10b\n"
        "add sp, sp, #112\n pop {r4-r11, pc}\n"
        "63: ldrd r2, r12, [sp, #64]\n ldrd r0, r3, [sp, #72]\n b 61b\n"
        "64: ldr r12, [sp, #64]\n stm r12, {r4-r11}\n add sp, sp, #112\n pop {r4-r11, pc}\n"
        "71: ldrd r0, r1, [sp, #88]\n .irp r,4,5,6,7,8,9,10,11\n cmp r\\r, r0\n it lt\n movlt r\\r, r0\n"
        "cmp r\\r, r1\n it gt\n movgt r\\r, r1\n .endr\n ldr r0, [sp, #84]\n cmp r0, #0\n beq.w 70b\n"
        "72: ldr r0, [sp, #84]\n .irp r,4,5,6,7,8,9,10,11\n ldrsb r\\r, [r0, r\\r]\n .endr\n b.w 70b\n");
}

/* Which loop, and where to enter it. */
static void tfser_pairs_loop(const tfser_dense *layer, int32_t rows, tfser_pairs_job *job) {
    const uint32_t rest = (uint32_t)tfser_pairs_count(layer) * WORDS_A_PAIR - 1u;
    if (layer->narrow != 2) {
        job->joined = 0;
        job->entry = (PLAIN_ROUND - 1u - rest % PLAIN_ROUND) * PLAIN_ENTRY;
    } else if (rows > 2) {
        job->joined = 1;
        job->entry = (JOINED_ROUND - 1u - rest % JOINED_ROUND) * JOINED_ENTRY;
    } else {
        job->joined = 2;
        job->entry = (TWO_ROUND - 1u - rest % TWO_ROUND) * TWO_ENTRY;
    }
}

/* A sum and what a widened word holds. */
static inline int32_t tfser_pairs_total(uint32_t word, int32_t sum) {
#if defined(TFSER_SMLAD)
    return tfser_pairs_smlad(word, 0x10001, sum);
#else
    return sum + (int32_t)word;
#endif
}

/* Sums begin with what the zero point of the weights takes off, weights_zero_point * sum_k wide[k]. */
__attribute__((noinline)) static void tfser_pairs_start(const tfser_dense *layer, tfser_pairs_job *job) {
    const uint32_t zero_point = (uint32_t)layer->weights_zero_point;
    const uint32_t factor = job->joined != 0 ? 257 : 1;
    int32_t sum[TFSER_PAIRS_ROWS] = {0, 0, 0, 0};
    for (const uint32_t *at = job->wide; at != job->wide_end; at += TFSER_PAIRS_ROWS) {
        sum[0] = tfser_pairs_total(at[0], sum[0]);
        sum[1] = tfser_pairs_total(at[1], sum[1]);
        sum[2] = tfser_pairs_total(at[2], sum[2]);
        sum[3] = tfser_pairs_total(at[3], sum[3]);
    }
    for (int32_t r = 0; r < TFSER_PAIRS_ROWS; r++) {
        job->start[r] = 0u - zero_point * (uint32_t)sum[r];
        job->start[4 + r] = factor * job->start[r];
    }
}

/* Four sums of a last output without a partner, of bytes, in `sums` what they begin with. */
#if defined(TFSER_SMLAD)
static void tfser_pairs_alone(const tfser_dense *layer, const int8_t *weights, const uint32_t *wide, int32_t *sums) {
    const int32_t pairs = tfser_pairs_count(layer);
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
#else
static void tfser_pairs_alone(const tfser_dense *layer, const int8_t *weights, const uint32_t *wide, int32_t *sums) {
    const int32_t pairs = tfser_pairs_count(layer);
    for (int32_t i = 0; i < pairs; i++) {
        int32_t factor[2];
        tfser_pairs_factors(layer, weights, layer->outputs - 1, i, factor);
        for (int32_t r = 0; r < TFSER_PAIRS_ROWS; r++) {
            const uint32_t more = wide[r] * (uint32_t)factor[0] + wide[TFSER_PAIRS_ROWS + r] * (uint32_t)factor[1];
            sums[r] = (int32_t)((uint32_t)sums[r] + more);
        }
        wide += TFSER_PAIRS_STEP;
    }
}
#endif

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

/* All pairs of outputs without fast requantisation. */
__attribute__((noinline)) static void tfser_pairs_wide_sums(const tfser_dense *layer, const int32_t *bias, int32_t rows,
                                                            int32_t output_stride, tfser_pairs_job *job) {
    int32_t sums[8];
    job->scaling = SUMS;
    job->factor[0] = (uint32_t)(uintptr_t)sums;
    job->bias = 0;
    for (int32_t n = 0; n + 2 <= layer->outputs; n += 2) {
        tfser_pairs_run(job);
        job->weights += 4 * tfser_pairs_count(layer);
        tfser_pairs_codes(layer, bias, n, sums, rows, job->output, output_stride);
        tfser_pairs_codes(layer, bias, n + 1, sums + 4, rows, job->output, output_stride);
    }
}

/* A last output without a partner. */
__attribute__((noinline)) static void tfser_pairs_last(const tfser_dense *layer, const int8_t *weights,
                                                       const int32_t *bias, int32_t rows, int32_t output_stride,
                                                       const tfser_pairs_job *job) {
    const int32_t n = layer->outputs - 1;
    int32_t sums[TFSER_PAIRS_ROWS] = {0, 0, 0, 0};
#if defined(TFSER_SMLAD)
    (void)memcpy(sums, job->start, sizeof sums); /* else factors come without their zero point */
#endif
    tfser_pairs_alone(layer, tfser_pairs_weights(layer, weights, n), job->wide, sums);
    tfser_pairs_codes(layer, bias, n, sums, rows, job->output, output_stride);
}

void tfser_pairs_block_asm(const tfser_dense *layer, const int8_t *weights, const int32_t *bias, const uint32_t *wide,
                             int32_t rows, int8_t *output, int32_t output_stride) {
    tfser_pairs_job job;
    job.wide = wide;
    job.wide_end = wide + tfser_pairs_count(layer) * TFSER_PAIRS_STEP;
    tfser_pairs_loop(layer, rows, &job);
    job.start[0] = job.start[1] = job.start[2] = job.start[3] = 0; /* memset is a loop over bytes in some libraries */
    job.start[4] = job.start[5] = job.start[6] = job.start[7] = 0;
    if (layer->weights_zero_point != 0) {
        tfser_pairs_start(layer, &job);
    }
    tfser_pairs_requantisation(layer, &job);
    job.row[0] = rows > 1 ? output_stride : 0;
    job.row[1] = rows > 2 ? 2 * output_stride : job.row[0];
    job.row[2] = rows > 3 ? 3 * output_stride : job.row[1];
    job.output = output;
    job.end = output + (layer->outputs & -2);
    job.weights = weights;
    job.bias = bias;
    if (rows == 2 && job.scaling == PER_OUTPUT && job.limits == NO_LIMITS) {
        job.scaling = PER_OUTPUT_TWO;
    }
    if (layer->narrow == 0) {
        tfser_pairs_wide_sums(layer, bias, rows, output_stride, &job);
    } else if (layer->outputs > 1) {
        tfser_pairs_run(&job);
    }
    if (layer->outputs % 2 != 0) {
        tfser_pairs_last(layer, weights, bias, rows, output_stride, &job);
    }
}
#endif
