/* A depthwise convolution of the pairs form, channel by channel: rows of its image are widened into scratch with a border
 * of the zero point, so that no output needs a test; the bias takes the zero point back. The longer side of the output
 * is the row of the plane, whichever it is in the image. A dilation along the row is undone by phases: a row holds the
 * columns 0, d, 2d, ..., then 1, d + 1, ..., so that the taps of an output lie side by side. A plane larger than
 * TFSER_PLANE_BYTES is made strip by strip, rows that the next strip needs too being moved to its start: an output on
 * its input overwrites only what has been read. firmware_gen.plan.scratch_pairs.depthwise_scratch counts the same bytes.
 *
 * Included by one source a kernel, which defines
 *   TFSER_PHASED  1 where a row of the plane may have more than one phase;
 *   TFSER_ROUND   what the sums of a row are a multiple of;
 *   tfser_taps(of, weights)  taps of a channel to scratch, times `scale`; gives their sum, times `scale`;
 *   tfser_rows_of_sums(of)   sums of of->sums.rows rows of of->count outputs, of->held apart. */
#ifndef TFSER_DEPTHWISE_CORE_H
#define TFSER_DEPTHWISE_CORE_H

#include "tfser_depthwise_thumb.h"

#define TFSER_PLANE_BYTES 2048
#define TFSER_HELD 160 /* sums at a time */

#if TFSER_PHASED
#define TFSER_PHASES(of) ((of)->phases)
#else
#define TFSER_PHASES(of) 1
#endif

static void tfser_rows_of_sums(tfser_depthwise *of);
static int32_t tfser_taps(const tfser_depthwise *of, const int8_t *weights);

#if !defined(TFSER_THUMB)
static inline void tfser_widen_rows(const tfser_widening *of) {
    const int32_t count = of->head + 4 * of->fours + of->singles;
    for (int32_t y = 0; y < of->rows; y++) {
        const int8_t *from = of->from + y * of->from_row;
        int16_t *to = of->to + y * of->to_row / 2;
        for (int32_t x = 0; x < count; x++, from += of->step) {
            *to++ = *from;
        }
    }
}
#endif

/* Sums of a row of outputs, any taps. */
static inline void tfser_any_sums(const tfser_depthwise *of, const int16_t *x, int32_t *sums) {
    for (int32_t i = 0; i < of->count; i++, x += of->along.stride) {
        uint32_t sum = (uint32_t)of->weights[0];
        for (int32_t ky = 0; ky < of->down.kernel; ky++) {
            const int16_t *from = x + ky * (of->sums.row / 2);
            for (int32_t kx = 0; kx < of->along.kernel; kx++, from += of->tap) {
                sum += (uint32_t)(tfser_tap(of, ky, kx) * *from);
            }
        }
        *sums++ = (int32_t)sum;
    }
}

/* Codes of output channel n. */
static inline void tfser_rows_of_codes(const tfser_depthwise *of, int32_t n) {
    const tfser_dense *layer = of->layer;
    const tfser_codes *codes = &of->codes;
#if defined(TFSER_THUMB)
    const int32_t shift = layer->shift[layer->per_channel != 0 ? n : 0];
    if (of->scale == 2 && shift <= -2 && shift >= -12 && layer->output_min == INT8_MIN &&
        layer->output_max == INT8_MAX) {
        tfser_fast_codes(codes);
        return;
    }
#endif
    const int32_t *sums = codes->sums;
    for (int32_t y = 0; y < codes->rows; y++, sums += codes->skipped / 4) {
        int8_t *to = codes->output + y * codes->next;
        for (int32_t x = 4 * codes->fours + codes->singles; x > 0; x--, to += codes->step) {
            *to = tfser_requantize(layer, n, *sums++ / of->scale);
        }
    }
}

/* Output channel n of one phase: `rows` rows of `width` outputs. */
static TFSER_APART void tfser_phase(tfser_depthwise *of, int32_t n, const int16_t *x, int32_t width, int32_t rows,
                                    int8_t *output) {
    tfser_codes *codes = &of->codes;
    const int32_t most = tfser_least(width, TFSER_HELD);
    const int32_t batch = TFSER_HELD / ((most + TFSER_ROUND - 1) & -TFSER_ROUND);
    for (int32_t y = 0; y < rows; y += batch) {
        of->sums.rows = codes->rows = tfser_least(rows - y, batch);
        for (int32_t at = 0; at < width; at += TFSER_HELD) {
            of->count = tfser_least(width - at, TFSER_HELD);
            of->held = (of->count + TFSER_ROUND - 1) & -TFSER_ROUND;
            of->sums.x = x + at * of->along.stride;
            tfser_rows_of_sums(of);
            int32_t outputs = of->count;
            codes->skipped = 4 * (of->held - outputs);
            if (codes->skipped == 0 && codes->next == outputs * codes->step) { /* rows follow each other */
                outputs *= codes->rows;
                codes->rows = 1;
            }
            codes->output = output + at * codes->step;
            codes->fours = outputs / 4;
            codes->singles = outputs % 4;
            tfser_rows_of_codes(of, n);
        }
        x += batch * (of->sums.next / 2);
        output += batch * codes->next;
    }
}

/* Output channel n of a strip: `rows` rows of outputs. */
static TFSER_APART void tfser_strip(tfser_depthwise *of, int32_t n, const int8_t *weights, int32_t bias, int32_t rows,
                                    int8_t *output) {
    const tfser_dense *layer = of->layer;
    const int32_t at = layer->per_channel != 0 ? n : 0;
    /* The zero point is in the plane: take back what it contributes. */
    const int32_t sum = tfser_taps(of, weights);
    const uint32_t start = (uint32_t)bias * (uint32_t)of->scale - (uint32_t)layer->input_zero_point * (uint32_t)sum;
    for (int32_t i = 0; i < TFSER_BIASES; i++) {
        of->weights[i] = (int32_t)start;
    }
    of->codes.multiplier = layer->multiplier[at];
    of->codes.factor = (int32_t)((uint32_t)1 << ((32 + layer->shift[at]) & 31)) + 1;
#if TFSER_PHASED
    for (int32_t phase = 0; phase < tfser_least(of->phases, of->along.outputs); phase++) {
        tfser_phase(of, n, of->plane + phase * of->pitch,
                    (of->along.outputs - phase + of->phases - 1) / of->phases, rows,
                    output + phase * of->along.output_step);
    }
#else
    tfser_phase(of, n, of->plane, of->along.outputs, rows, output);
#endif
}

static TFSER_APART void tfser_fill_rows(const tfser_depthwise *of, int32_t at, int32_t rows) {
    int16_t *to = of->plane + at * of->row;
    for (int32_t i = rows * of->row; i > 0; i--) {
        *to++ = (int16_t)of->layer->input_zero_point;
    }
}

/* Where the columns of a phase go: x, x + phases, ... of the image behind a border. */
static void tfser_place_columns(tfser_depthwise *of, int32_t phase) {
    const int32_t columns = (of->along.outputs - 1) * of->along.stride +
                            (of->along.kernel - 1) * of->along.dilation + 1;
    const int32_t end = tfser_least(of->along.size, columns - of->along.pad), phases = TFSER_PHASES(of);
    const int32_t left = of->along.pad - phase, border = left > 0 ? (left + phases - 1) / phases : 0;
    const int32_t x = border * phases - left;
    int32_t count = x < end ? (end - x + phases - 1) / phases : 0;
    of->first_from = x * of->along.input_step;
    of->first_to = of->plane + phase * of->pitch + border;
    of->widening.head = count > 0 ? border % 2 : 0;
    count -= of->widening.head;
    of->widening.fours = count / 4;
    of->widening.singles = count % 4;
}

/* Rows [first, first + count) of the padded image to the plane's row `at` and on, inside of the border. */
static TFSER_APART void tfser_load_rows(tfser_depthwise *of, const int8_t *input, int32_t first, int32_t count,
                                        int32_t at) {
    const int32_t top = first - of->down.pad;
    const int32_t above = top < 0 ? tfser_least(-top, count) : 0;
    const int32_t below = tfser_least(count - above, of->down.size - top - above);
    const int32_t rows = below > 0 ? below : 0;
    if (of->strips != 0) { /* else the border stays */
        tfser_fill_rows(of, at, above);
        tfser_fill_rows(of, at + above + rows, count - above - rows);
    }
    for (int32_t phase = 0; phase < TFSER_PHASES(of) && rows > 0; phase++) {
#if TFSER_PHASED
        tfser_place_columns(of, phase);
#endif
        of->widening.from = input + (top + above) * of->widening.from_row + of->first_from;
        of->widening.to = of->first_to + (at + above) * of->row;
        of->widening.rows = rows;
        tfser_widen_rows(&of->widening);
    }
}

/* Input channel c: all of its output channels. */
static void tfser_channel(tfser_depthwise *of, int32_t c, int32_t multiple, const int8_t *weights, const int32_t *bias,
                          const int8_t *input, int8_t *output) {
    const int32_t advance = of->outputs * of->down.stride;
    int32_t held = 0;
    for (int32_t y = 0; y < of->down.outputs; y += of->outputs) {
        const int32_t rows = tfser_least(of->outputs, of->down.outputs - y);
        tfser_load_rows(of, input + c, y * of->down.stride + held,
                        of->rows - (of->outputs - rows) * of->down.stride - held, held);
        for (int32_t n = c * multiple; n < (c + 1) * multiple; n++) {
            tfser_strip(of, n, weights + n * of->layer->depth, bias != 0 ? bias[n] : 0, rows,
                        output + n + y * of->down.output_step);
        }
        if (of->strips != 0) {
            held = of->rows > advance ? of->rows - advance : 0;
            for (int32_t i = 0; i < held * of->row; i++) {
                of->plane[i] = of->plane[advance * of->row + i];
            }
        }
    }
}

/* Both axes, and what follows from them. */
static void tfser_lay_out(tfser_depthwise *of, const tfser_window *window, int32_t pixel_stride, int32_t output_stride) {
    const int32_t turned = window->output_height > window->output_width;
    tfser_axis *const tall = turned ? &of->along : &of->down, *const wide = turned ? &of->down : &of->along;
    tall->size = window->input_height;
    wide->size = window->input_width;
    tall->kernel = window->kernel_height;
    wide->kernel = window->kernel_width;
    tall->stride = window->stride_height;
    wide->stride = window->stride_width;
    tall->dilation = window->dilation_height;
    wide->dilation = window->dilation_width;
    tall->pad = window->pad_top;
    wide->pad = window->pad_left;
    tall->outputs = window->output_height;
    wide->outputs = window->output_width;
    tall->input_step = window->input_width * pixel_stride;
    wide->input_step = pixel_stride;
    tall->output_step = window->output_width * output_stride;
    wide->output_step = output_stride;
    tall->weight_step = window->kernel_width;
    wide->weight_step = 1;
}

static void tfser_divide_scratch(tfser_depthwise *of, void *scratch) {
    const int32_t stride = of->along.stride, dilation = of->along.dilation;
    const int32_t span = (of->down.kernel - 1) * of->down.dilation + 1;
    const int32_t columns = (of->along.outputs - 1) * stride + (of->along.kernel - 1) * dilation + 1;
    of->phases = TFSER_PHASED && stride == 1 ? dilation : 1;
    of->tap = TFSER_PHASED && stride != 1 ? dilation : 1;
    of->pitch = ((columns + of->phases - 1) / of->phases + 1) & -2;
    of->row = of->phases * of->pitch;
    const int32_t fit = TFSER_PLANE_BYTES / (2 * of->row) - span;
    of->outputs = fit < 0 ? 1 : tfser_least(fit / of->down.stride + 1, of->down.outputs);
    of->strips = of->outputs < of->down.outputs;
    of->rows = (of->outputs - 1) * of->down.stride + span;
    of->weights = scratch;
    of->sums.sums = of->weights + TFSER_BIASES + 2 * of->down.kernel * tfser_tap_pairs(of);
    const int32_t width = (of->along.outputs + of->phases - 1) / of->phases;
    of->plane = (int16_t *)(void *)(of->sums.sums + tfser_least(of->outputs * ((width + 3) & -4), TFSER_HELD));
}

static void tfser_run_depthwise(const tfser_dense *layer, const tfser_window *window, int32_t multiple,
                                const int8_t *weights, const int32_t *bias, const int8_t *input, int32_t pixel_stride,
                                int8_t *output, int32_t output_stride, void *scratch) {
    tfser_depthwise of;
    of.layer = layer;
    of.scale = layer->narrow != 0 ? 2 : 1;
    tfser_lay_out(&of, window, pixel_stride, output_stride);
    tfser_divide_scratch(&of, scratch);
    of.sums.weights = of.weights;
    of.sums.row = 2 * of.down.dilation * of.row;
    of.sums.next = 2 * of.down.stride * of.row;
    of.sums.taps = of.down.kernel;
    tfser_count_turns(&of);
    of.codes.sums = of.sums.sums;
    of.codes.step = of.phases * of.along.output_step;
    of.codes.zero_point = layer->output_zero_point;
    of.codes.table = layer->table != 0 ? layer->table + 128 : 0;
    of.codes.next = of.down.output_step;
    of.widening.step = of.phases * of.along.input_step;
    of.widening.third = 3 * of.widening.step;
    of.widening.from_row = of.down.input_step;
    of.widening.to_row = 2 * of.row;
    tfser_place_columns(&of, 0);
    tfser_fill_rows(&of, 0, of.rows);
    for (int32_t c = 0; c < window->input_channels; c++) {
        tfser_channel(&of, c, multiple, weights, bias, input, output);
    }
}

#endif /* TFSER_DEPTHWISE_CORE_H */
