/* Depthwise convolution, pairs form (tfser_conv.h). Weights [output channel][taps].
 *
 * A channel at a time: rows of its image are widened into scratch with a border of the zero point, so that no output
 * needs a test; the bias takes the zero point back. The longer side of the output is the row of the plane, whichever
 * it is in the image. A dilation along the row is undone by phases: a row holds the columns 0, d, 2d, ..., then 1,
 * d + 1, ..., so that the taps of an output lie side by side. A plane larger than TFSER_PLANE_BYTES is made strip by
 * strip, rows that the next strip needs too being moved to its start: an output on its input overwrites only what
 * has been read. firmware_gen.plan.scratch_pairs.depthwise_scratch counts the same bytes. */
#include "tfser_conv.h"
#include "tfser_requantize.h"

#define TFSER_PLANE_BYTES 2048
#define TFSER_SEGMENT 32 /* outputs whose sums are held at a time */

typedef struct {
    const tfser_dense *layer;
    tfser_window window; /* of the plane: its width is the longer side */
    int32_t input_row, input_column, output_row, output_column, weight_row, weight_column; /* distances, bytes */
    int32_t phases, pitch, row;       /* of a row; elements of a phase; of all */
    int32_t strip_outputs, strip_rows; /* rows of the output and of the plane in a strip */
    int32_t tap;                      /* elements between taps */
    int16_t *weights, *plane;
} tfser_depthwise;

static inline int32_t tfser_least(int32_t a, int32_t b) { return a < b ? a : b; }

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

static void tfser_lay_out(tfser_depthwise *of, void *scratch) {
    const tfser_window *window = &of->window;
    of->phases = window->stride_width == 1 ? window->dilation_width : 1;
    of->tap = window->stride_width == 1 ? 1 : window->dilation_width;
    of->pitch = ((tfser_columns(window) + of->phases - 1) / of->phases + 1) & -2;
    of->row = of->phases * of->pitch;
    const int32_t span = tfser_span(window);
    const int32_t fit = TFSER_PLANE_BYTES / (2 * of->row) - span;
    of->strip_outputs = fit < 0 ? 1 : tfser_least(fit / window->stride_height + 1, window->output_height);
    of->strip_rows = (of->strip_outputs - 1) * window->stride_height + span;
    of->weights = scratch;
    of->plane = of->weights + window->kernel_height * (window->kernel_width / 2 + 1) * 4;
}

/* `count` codes, `step` bytes apart. */
static void tfser_widen(int16_t *to, const int8_t *from, int32_t step, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        *to++ = *from;
        from += step;
    }
}

static void tfser_fill(int16_t *to, int32_t value, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        to[i] = (int16_t)value;
    }
}

/* Rows [first, first + count) of the padded image to the plane's row `at` and on, inside of the border. */
static void tfser_load_rows(const tfser_depthwise *of, const int8_t *input, int32_t first, int32_t count, int32_t at) {
    const tfser_window *window = &of->window;
    const int32_t end = tfser_least(window->input_width, tfser_columns(window) - window->pad_left);
    for (int32_t phase = 0; phase < of->phases; phase++) {
        const int32_t before = window->pad_left - phase;
        const int32_t skipped = before > 0 ? (before + of->phases - 1) / of->phases : 0;
        const int32_t x = skipped * of->phases - before;
        const int32_t columns = x < end ? (end - x + of->phases - 1) / of->phases : 0;
        int16_t *to = of->plane + at * of->row + phase * of->pitch;
        for (int32_t r = 0; r < count; r++, to += of->row) {
            const int32_t y = first + r - window->pad_top;
            if (y >= 0 && y < window->input_height) {
                tfser_widen(to + skipped, input + y * of->input_row + x * of->input_column,
                            of->phases * of->input_column, columns);
            } else if (of->strip_outputs < window->output_height) {
                tfser_fill(to, of->layer->input_zero_point, of->pitch);
            }
        }
    }
}

/* Weights of a channel to scratch; the bias less what the zero point contributes. */
static int32_t tfser_load_weights(const tfser_depthwise *of, const int8_t *weights, int32_t bias) {
    const tfser_window *window = &of->window;
    int16_t *to = of->weights;
    int32_t sum = 0;
    for (int32_t ky = 0; ky < window->kernel_height; ky++) {
        const int8_t *from = weights + ky * of->weight_row;
        for (int32_t kx = 0; kx < window->kernel_width; kx++) {
            sum += *from;
            *to++ = *from;
            from += of->weight_column;
        }
    }
    return (int32_t)((uint32_t)bias - (uint32_t)(of->layer->input_zero_point * sum));
}

/* Sums of `count` outputs of a row, the first tap of the first at x. */
static void tfser_row_sums(const tfser_depthwise *of, const int16_t *x, int32_t bias, int32_t count, int32_t *sums) {
    const tfser_window *window = &of->window;
    const int32_t step = window->stride_width;
    for (int32_t i = 0; i < count; i += 4) {
        const int32_t last = count - 1 - i; /* outputs that are not there repeat the last */
        const int32_t second = last < 1 ? 0 : step, third = tfser_least(last, 2) * step;
        const int32_t fourth = tfser_least(last, 3) * step;
        const int16_t *weight = of->weights;
        uint32_t a = (uint32_t)bias, b = a, c = a, d = a;
        for (int32_t ky = 0; ky < window->kernel_height; ky++) {
            const int16_t *from = x + i * step + ky * window->dilation_height * of->row;
            for (int32_t kx = 0; kx < window->kernel_width; kx++) {
                const int32_t w = *weight++;
                a += (uint32_t)(w * from[0]);
                b += (uint32_t)(w * from[second]);
                c += (uint32_t)(w * from[third]);
                d += (uint32_t)(w * from[fourth]);
                from += of->tap;
            }
        }
        sums[i] = (int32_t)a;
        sums[i + 1] = (int32_t)b;
        sums[i + 2] = (int32_t)c;
        sums[i + 3] = (int32_t)d;
    }
}

static void tfser_row_codes(const tfser_depthwise *of, int32_t n, const int32_t *sums, int32_t count, int8_t *output,
                            int32_t step) {
    for (int32_t i = 0; i < count; i++) {
        *output = tfser_requantize(of->layer, n, sums[i]);
        output += step;
    }
}

/* `rows` rows of output channel n from the plane. */
static void tfser_strip(const tfser_depthwise *of, int32_t n, int32_t bias, int32_t rows, int8_t *output) {
    const tfser_window *window = &of->window;
    const int32_t step = of->phases * of->output_column;
    int32_t sums[TFSER_SEGMENT];
    for (int32_t y = 0; y < rows; y++) {
        for (int32_t phase = 0; phase < tfser_least(of->phases, window->output_width); phase++) {
            const int16_t *x = of->plane + y * window->stride_height * of->row + phase * of->pitch;
            int8_t *to = output + y * of->output_row + phase * of->output_column;
            int32_t left = (window->output_width - phase + of->phases - 1) / of->phases;
            for (; left > 0; left -= TFSER_SEGMENT) {
                const int32_t count = tfser_least(left, TFSER_SEGMENT);
                tfser_row_sums(of, x, bias, count, sums);
                tfser_row_codes(of, n, sums, count, to, step);
                x += count * window->stride_width;
                to += count * step;
            }
        }
    }
}

/* All outputs of an input channel: output channels [n, n + multiple). */
static void tfser_channel(const tfser_depthwise *of, int32_t n, int32_t multiple, const int8_t *weights,
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
            const int32_t start = tfser_load_weights(of, weights + j * of->layer->depth, bias != 0 ? bias[j] : 0);
            tfser_strip(of, j, start, rows, output + j + y * of->output_row);
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
    tfser_fill(of.plane, layer->input_zero_point, of.strip_rows * of.row);
    for (int32_t c = 0; c < window->input_channels; c++) {
        tfser_channel(&of, c * depth_multiplier, depth_multiplier, weights, bias, input + c, output);
    }
}
