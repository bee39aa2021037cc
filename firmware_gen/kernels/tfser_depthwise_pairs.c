/* Depthwise convolution, pairs form (tfser_conv.h). Weights [output channel][taps].
 *
 * A channel at a time: rows of its image are widened into scratch with a border of the zero point, so that no output
 * needs a test; the bias takes the zero point back. The longer side of the output is the row of the plane, whichever
 * it is in the image. A dilation along the row is undone by phases: a row holds the columns 0, d, 2d, ..., then 1,
 * d + 1, ..., so that the taps of an output lie side by side. A plane larger than TFSER_PLANE_BYTES is made strip by
 * strip, rows that the next strip needs too being moved to its start: an output on its input overwrites only what
 * has been read. firmware_gen.plan.scratch_pairs.depthwise_scratch counts the same bytes. */
#include "tfser_depthwise_scalar.h"
#include "tfser_depthwise_smlad.h"

#define TFSER_PLANE_BYTES 2048
#define TFSER_HELD 160 /* sums at a time */

static void tfser_swap(int32_t *a, int32_t *b) {
    const int32_t kept = *a;
    *a = *b;
    *b = kept;
}

static void tfser_transpose(tfser_depthwise *of) {
    tfser_window *window = &of->window;
    tfser_swap(&window->input_height, &window->input_width);
    tfser_swap(&window->kernel_height, &window->kernel_width);
    tfser_swap(&window->stride_height, &window->stride_width);
    tfser_swap(&window->dilation_height, &window->dilation_width);
    tfser_swap(&window->pad_top, &window->pad_left);
    tfser_swap(&window->output_height, &window->output_width);
    tfser_swap(&of->input_row, &of->input_column);
    tfser_swap(&of->output_row, &of->output_column);
    tfser_swap(&of->weight_row, &of->weight_column);
}

/* Rows of the plane that one row of the output reads. */
static inline int32_t tfser_span(const tfser_window *window) {
    return (window->kernel_height - 1) * window->dilation_height + 1;
}

/* Columns of the padded image that a row of the output reads. */
static inline int32_t tfser_columns(const tfser_window *window) {
    return (window->output_width - 1) * window->stride_width + (window->kernel_width - 1) * window->dilation_width + 1;
}

static int32_t tfser_taps_of(const tfser_window *window) {
    const int32_t step = window->stride_width;
    if (step > 2 || (step == 2 && window->dilation_width > 1)) {
        return TFSER_ANY_TAPS;
    }
    if (window->kernel_height == 3 && window->kernel_width == 3) {
        return step == 1 ? TFSER_THREE : TFSER_THREE_BY_2;
    }
    return step == 1 ? TFSER_NEIGHBOURS : TFSER_NEIGHBOURS_BY_2;
}

/* What does not depend on the layer's codes. */
static void tfser_lay_out(tfser_depthwise *of, void *scratch) {
    const tfser_window *window = &of->window;
    of->phases = window->stride_width == 1 ? window->dilation_width : 1;
    of->tap = window->stride_width == 1 ? 1 : window->dilation_width;
    of->taps = tfser_taps_of(window);
    of->pitch = ((tfser_columns(window) + of->phases - 1) / of->phases + 1) & -2;
    of->row = of->phases * of->pitch;
    const int32_t span = tfser_span(window), pairs = tfser_tap_pairs(window);
    const int32_t fit = TFSER_PLANE_BYTES / (2 * of->row) - span;
    of->strip_outputs = fit < 0 ? 1 : tfser_least(fit / window->stride_height + 1, window->output_height);
    of->strip_rows = (of->strip_outputs - 1) * window->stride_height + span;
    of->weights = scratch;
    of->sums.weights = of->weights;
    of->sums.row = 2 * window->dilation_height * of->row - (of->taps >= TFSER_THREE ? 0 : 4 * pairs);
    of->sums.next = 2 * window->stride_height * of->row;
    of->sums.taps = window->kernel_height;
    of->sums.twos = pairs / 2;
    of->sums.odd = pairs % 2;
    of->sums.sums = of->weights + 2 + 2 * window->kernel_height * pairs;
    const int32_t width = (window->output_width + of->phases - 1) / of->phases;
    of->plane = (int16_t *)(void *)(of->sums.sums + tfser_least(of->strip_outputs * ((width + 3) & -4), TFSER_HELD));
}

static void tfser_prepare_codes(tfser_depthwise *of) {
    const tfser_dense *layer = of->layer;
#if defined(TFSER_SMMULR)
    of->scale = layer->narrow != 0 ? 2 : 1;
#else
    of->scale = 1;
#endif
    of->all_codes = layer->output_min == INT8_MIN && layer->output_max == INT8_MAX;
    of->codes.sums = of->sums.sums;
    of->codes.step = of->phases * of->output_column;
    of->codes.zero_point = layer->output_zero_point;
    of->codes.table = layer->table != 0 ? layer->table + 128 : 0;
    of->codes.next = of->output_row;
}

static void tfser_fill(int16_t *to, int32_t value, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        to[i] = (int16_t)value;
    }
}

/* Rows [first, first + count) of the padded image to the plane's row `at` and on, inside of the border. */
static TFSER_APART void tfser_load_rows(const tfser_depthwise *of, const int8_t *input, int32_t first, int32_t count,
                                        int32_t at) {
    const tfser_window *window = &of->window;
    const int32_t above = tfser_least(first < window->pad_top ? window->pad_top - first : 0, count);
    const int32_t y = first + above - window->pad_top;
    const int32_t inside = y < window->input_height ? tfser_least(count - above, window->input_height - y) : 0;
    int16_t *to = of->plane + at * of->row;
    if (of->strip_outputs < window->output_height) { /* else the border is there already */
        tfser_fill(to, of->layer->input_zero_point, above * of->row);
        tfser_fill(to + (above + inside) * of->row, of->layer->input_zero_point, (count - above - inside) * of->row);
    }
    const int32_t end = tfser_least(window->input_width, tfser_columns(window) - window->pad_left);
    for (int32_t phase = 0; phase < of->phases; phase++) {
        const int32_t before = window->pad_left - phase;
        const int32_t skipped = before > 0 ? (before + of->phases - 1) / of->phases : 0;
        const int32_t x = skipped * of->phases - before;
        const int32_t columns = x < end ? (end - x + of->phases - 1) / of->phases : 0;
        if (columns > 0 && inside > 0) {
            const int32_t step = of->phases * of->input_column, head = skipped % 2;
            const tfser_widening rows = {input + y * of->input_row + x * of->input_column,
                                         to + above * of->row + phase * of->pitch + skipped, step, 3 * step,
                                         of->input_row, 2 * of->row, inside, head, (columns - head) / 4,
                                         (columns - head) % 4};
            tfser_widen_rows(&rows);
        }
    }
}

/* Rows of one phase of an output channel from the plane: `rows` rows of `width` outputs. */
static TFSER_APART void tfser_phase(tfser_depthwise *of, const int16_t *x, int32_t width, int32_t rows,
                                    int8_t *output) {
    tfser_sums *sums = &of->sums;
    tfser_codes *codes = &of->codes;
    const int32_t batch = TFSER_HELD / tfser_held(of, tfser_least(width, TFSER_HELD));
    for (int32_t y = 0; y < rows; y += batch) {
        sums->rows = tfser_least(rows - y, batch);
        for (int32_t at = 0; at < width; at += TFSER_HELD) {
            const int32_t count = tfser_least(width - at, TFSER_HELD), held = tfser_held(of, count);
            sums->x = x + y * (sums->next / 2) + at * of->window.stride_width;
            tfser_rows_of_sums(of, sums, count, held);
            const int32_t joined = held == count && codes->next == count * codes->step ? sums->rows : 1;
            codes->output = output + y * codes->next + at * codes->step;
            codes->rows = joined > 1 ? 1 : sums->rows;
            codes->fours = joined * count / 4;
            codes->singles = joined * count % 4;
            codes->skipped = 4 * (held - count);
            tfser_rows_of_codes(of, codes);
        }
    }
}

/* `rows` rows of output channel n from the plane. */
static TFSER_APART void tfser_strip(tfser_depthwise *of, int32_t n, const int8_t *weights, int32_t bias, int32_t rows,
                                    int8_t *output) {
    const tfser_dense *layer = of->layer;
    const int32_t at = layer->per_channel != 0 ? n : 0, right = -layer->shift[at];
    /* The zero point is in the plane: take back what it contributes. */
    const int32_t sum = tfser_load_taps(of, weights);
    of->weights[0] =
        (int32_t)((uint32_t)bias * (uint32_t)of->scale - (uint32_t)layer->input_zero_point * (uint32_t)sum);
    of->codes.multiplier = layer->multiplier[at];
    of->codes.right = right;
    of->codes.factor = right >= 2 ? (int32_t)((uint32_t)1 << (32 - right)) + 1 : 0;
    for (int32_t phase = 0; phase < of->phases && phase < of->window.output_width; phase++) {
        tfser_phase(of, of->plane + phase * of->pitch, (of->window.output_width - phase + of->phases - 1) / of->phases,
                    rows, output + phase * of->output_column);
    }
}

/* All outputs of an input channel: output channels [n, n + multiple). */
static void tfser_channel(tfser_depthwise *of, int32_t n, int32_t multiple, const int8_t *weights,
                          const int32_t *bias, const int8_t *input, int8_t *output) {
    const tfser_window *window = &of->window;
    const int32_t advance = of->strip_outputs * window->stride_height;
    const int32_t kept = of->strip_rows > advance ? of->strip_rows - advance : 0;
    for (int32_t y = 0; y < window->output_height; y += of->strip_outputs) {
        const int32_t rows = tfser_least(of->strip_outputs, window->output_height - y);
        const int32_t needed = (rows - 1) * window->stride_height + tfser_span(window);
        int32_t held = 0;
        if (y > 0) {
            held = kept;
            for (int32_t i = 0; i < kept * of->row; i++) {
                of->plane[i] = of->plane[advance * of->row + i];
            }
        }
        tfser_load_rows(of, input, y * window->stride_height + held, needed - held, held);
        for (int32_t j = n; j < n + multiple; j++) {
            tfser_strip(of, j, weights + j * of->layer->depth, bias != 0 ? bias[j] : 0, rows,
                        output + j + y * of->output_row);
        }
    }
}

void tfser_depthwise_pairs_s8(const tfser_dense *layer, const tfser_window *window, int32_t depth_multiplier,
                              const int8_t *weights, const int32_t *bias, const int8_t *input, int32_t pixel_stride,
                              int8_t *output, int32_t output_stride, void *scratch) {
    tfser_depthwise of = {.layer = layer,
                          .window = *window,
                          .input_row = window->input_width * pixel_stride,
                          .input_column = pixel_stride,
                          .output_row = window->output_width * output_stride,
                          .output_column = output_stride,
                          .weight_row = window->kernel_width,
                          .weight_column = 1};
    if (window->output_height > window->output_width) {
        tfser_transpose(&of);
    }
    tfser_lay_out(&of, scratch);
    tfser_prepare_codes(&of);
    tfser_fill(of.plane, layer->input_zero_point, of.strip_rows * of.row);
    for (int32_t c = 0; c < window->input_channels; c++) {
        tfser_channel(&of, c * depth_multiplier, depth_multiplier, weights, bias, input + c, output);
    }
}
