/* What the parts of the depthwise kernel of the pairs form hand to each other. Assembly knows the order of the members
 * of tfser_sums, tfser_codes and tfser_widening. */
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

/* Sums of rows of outputs. */
typedef struct {
    const int16_t *x;        /* the first tap of the first output, aligned to 4 */
    const int32_t *weights;  /* the bias, then the taps row by row */
    int32_t row;             /* bytes from the end of a row of taps (3 x 3: from its start) to the next */
    int32_t *sums;
    int32_t rows, next;      /* rows of outputs, and bytes between what they read */
    int32_t fours, two;      /* of a row: blocks of four outputs; 1 for one more of two */
    int32_t taps, twos, odd; /* rows of taps; pairs of columns by twos, and one more */
} tfser_sums;

/* Codes of rows of sums. */
typedef struct {
    const int32_t *sums;
    int8_t *output;
    int32_t step; /* bytes between outputs of a row */
    int32_t multiplier;
    int32_t factor; /* of SMMLAR for the shift to the right */
    int32_t zero_point;
    const int8_t *table; /* its middle, for code 0; or NULL */
    int32_t rows, next;  /* bytes between rows of the output */
    int32_t fours, singles, skipped; /* of a row: outputs / 4, the rest, and bytes of sums that follow */
    int32_t right;                   /* shift, negative is left */
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

/* Which taps, as far as they have code of their own; by 2: every second column is an output's. */
enum { TFSER_ANY_TAPS, TFSER_NEIGHBOURS, TFSER_NEIGHBOURS_BY_2, TFSER_THREE, TFSER_THREE_BY_2 };

typedef struct {
    const tfser_dense *layer;
    tfser_window window; /* of the plane: its width is the longer side */
    int32_t input_row, input_column, output_row, output_column, weight_row, weight_column; /* distances, bytes */
    int32_t phases, pitch, row;        /* of a row; elements of a phase; of all */
    int32_t strip_outputs, strip_rows; /* rows of the output and of the plane in a strip */
    int32_t tap;                       /* elements between taps */
    int32_t taps;
    int32_t scale;     /* of sums; 2: (acc * multiplier + 2^30) >> 31 is one SMMULR */
    int32_t all_codes; /* whether -128 and 127 are the limits */
    int32_t *weights;  /* the bias and the taps of a channel */
    int16_t *plane;
    tfser_sums sums;   /* what all channels have in common filled in */
    tfser_codes codes;
} tfser_depthwise;

static inline int32_t tfser_least(int32_t a, int32_t b) { return a < b ? a : b; }

/* Pairs of columns that a row of the taps takes, for outputs at odd columns too. */
static inline int32_t tfser_tap_pairs(const tfser_window *window) { return window->kernel_width / 2 + 1; }

static inline int16_t *tfser_first_tap(const tfser_depthwise *of) { return (int16_t *)(void *)(of->weights + 1); }

/* Sums that a row of outputs takes, those included that only fill a block. */
static inline int32_t tfser_held(const tfser_depthwise *of, int32_t count) {
    return of->taps >= TFSER_THREE ? (count + 1) & -2 : (count + 3) & -4;
}

#endif /* TFSER_DEPTHWISE_H */
