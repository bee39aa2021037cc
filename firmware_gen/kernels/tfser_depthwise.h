/* What the depthwise kernels of the pairs form have in common. Each is a source of its own that says which taps it takes
 * (TFSER_TAPS), so that a program has the code of its own taps only. Assembly knows the order of the members of
 * tfser_sums, tfser_codes and tfser_widening. */
#ifndef TFSER_DEPTHWISE_H
#define TFSER_DEPTHWISE_H

#include <stdint.h>

#include "tfser_conv.h"
#include "tfser_requantize.h"

#if defined(__GNUC__)
#define TFSER_APART __attribute__((noinline)) /* keeps registers and the stack for the loops inside */
#else
#define TFSER_APART
#endif

#if defined(__thumb2__) && defined(__GNUC__)
#define TFSER_THUMB 1
#endif

#define TFSER_BIASES 4 /* copies of the bias, for as many sums */

/* Sums of rows of outputs. */
typedef struct {
    const int16_t *x;        /* the first tap of the first output, aligned to 4 */
    const int32_t *weights;  /* TFSER_BIASES times the bias, then the taps row by row */
    int32_t row;             /* bytes between what rows of taps read */
    int32_t *sums;
    int32_t rows, next;      /* rows of outputs, and bytes between what they read */
    int32_t fours, two;      /* of a row: blocks of four outputs; 1 for one more of two */
    int32_t taps;            /* rows of taps */
    int32_t turns, rest;     /* in a row of taps: turns of the loop, and what is left then */
    int32_t gap;             /* bytes from behind what a row of taps reads to the next */
} tfser_sums;

/* Codes of rows of sums. */
typedef struct {
    const int32_t *sums;
    int8_t *output;
    int32_t step; /* bytes between outputs of a row */
    int32_t multiplier;
    int32_t factor; /* 2^(32 - right) + 1 for a shift to the right in [2, 12] */
    int32_t zero_point;
    const int8_t *table; /* its middle, for code 0; or NULL */
    int32_t rows, next;  /* bytes between rows of the output */
    int32_t fours, singles, skipped; /* of a row: outputs / 4, the rest, and bytes of sums that follow */
} tfser_codes;

/* Rows of codes to be widened. */
typedef struct {
    const int8_t *from;
    int16_t *to;
    int32_t step, third;          /* bytes between codes, and three times it */
    int32_t from_row, to_row;     /* bytes between rows */
    int32_t rows;                 /* at least one */
    int32_t head, fours, singles; /* of a row: 1 where `to` is not aligned to 4; then by fours; the rest */
} tfser_widening;

/* An axis of the image; steps are distances in bytes. */
typedef struct {
    int32_t size, kernel, stride, dilation, pad, outputs, input_step, output_step, weight_step;
} tfser_axis;

typedef struct {
    const tfser_dense *layer;
    tfser_axis down, along; /* the rows of the plane */
    int32_t phases, pitch, row; /* of a row of the plane; elements of a phase; of all */
    int32_t outputs, rows;      /* of a strip: rows of the output, and of the plane */
    int32_t strips;             /* whether there are more than one */
    int32_t tap;                /* elements between taps */
    int32_t first_from;         /* bytes from the start of a row of the image to what is widened first */
    int16_t *first_to;          /* where it goes in the first row of the plane */
    int32_t scale;              /* of sums; 2: (acc * multiplier + 2^30) >> 31 is one SMMULR */
    int32_t count, held;        /* of a row: outputs at hand, and the sums that they take */
    int32_t *weights;           /* the bias and the taps of a channel */
    int16_t *plane;
    tfser_sums sums;
    tfser_codes codes;
    tfser_widening widening;
} tfser_depthwise;

static inline int32_t tfser_least(int32_t a, int32_t b) { return a < b ? a : b; }

/* Pairs of columns that a row of the taps takes, for outputs at odd columns too. */
static inline int32_t tfser_tap_pairs(const tfser_depthwise *of) { return of->along.kernel / 2 + 1; }

#endif /* TFSER_DEPTHWISE_H */
