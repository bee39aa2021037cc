/* Pools (tfser_pool.h). */
#include "tfser_pool.h"

/* The taps of an output pixel that lie inside of the input: `rows` times `columns`, `row` and `column` bytes apart,
 * the first at `from`. */
typedef struct {
    const int8_t *from;
    int32_t rows, columns, row, column;
} tfser_taps;

/* Taps first, first + dilation, ... of `kernel` in all: how many precede 0 (into *skipped), how many lie inside. */
static int32_t tfser_inside(int32_t first, int32_t kernel, int32_t dilation, int32_t size, int32_t *skipped) {
    *skipped = first < 0 ? (dilation - 1 - first) / dilation : 0;
    const int32_t end = first < size ? (size - first + dilation - 1) / dilation : 0;
    return (end < kernel ? end : kernel) - *skipped;
}

static tfser_taps tfser_taps_of(const tfser_window *window, int32_t pixel, const int8_t *input, int32_t pixel_stride) {
    const int32_t y = pixel / window->output_width;
    const int32_t top = y * window->stride_height - window->pad_top;
    const int32_t left = (pixel - y * window->output_width) * window->stride_width - window->pad_left;
    int32_t above, before;
    const int32_t rows =
        tfser_inside(top, window->kernel_height, window->dilation_height, window->input_height, &above);
    const int32_t columns =
        tfser_inside(left, window->kernel_width, window->dilation_width, window->input_width, &before);
    const int32_t first = (top + above * window->dilation_height) * window->input_width + left +
                          before * window->dilation_width;
    const tfser_taps taps = {input + first * pixel_stride, rows, columns,
                             window->dilation_height * window->input_width * pixel_stride,
                             window->dilation_width * pixel_stride};
    return taps;
}

static inline int8_t tfser_limited(int32_t code, int32_t low, int32_t high) {
    code = code < low ? low : code;
    return (int8_t)(code > high ? high : code);
}

void tfser_average_pool_s8(const tfser_window *window, int32_t output_min, int32_t output_max, const int8_t *input,
                           int32_t pixel_stride, int32_t first, int32_t count, int8_t *output, int32_t output_stride) {
    for (int32_t p = first; p < first + count; p++) {
        const tfser_taps taps = tfser_taps_of(window, p, input, pixel_stride);
        const int32_t number = taps.rows * taps.columns;
        for (int32_t c = 0; c < window->input_channels; c++) {
            int32_t sum = 0;
            for (int32_t y = 0; y < taps.rows; y++) {
                for (int32_t x = 0; x < taps.columns; x++) {
                    sum += taps.from[y * taps.row + x * taps.column + c];
                }
            }
            sum += sum < 0 ? -(number / 2) : number / 2;
            output[(p - first) * output_stride + c] = tfser_limited(sum / number, output_min, output_max);
        }
    }
}

void tfser_max_pool_s8(const tfser_window *window, int32_t output_min, int32_t output_max, const int8_t *input,
                       int32_t pixel_stride, int32_t first, int32_t count, int8_t *output, int32_t output_stride) {
    for (int32_t p = first; p < first + count; p++) {
        const tfser_taps taps = tfser_taps_of(window, p, input, pixel_stride);
        for (int32_t c = 0; c < window->input_channels; c++) {
            int32_t largest = INT8_MIN;
            for (int32_t y = 0; y < taps.rows; y++) {
                for (int32_t x = 0; x < taps.columns; x++) {
                    const int32_t code = taps.from[y * taps.row + x * taps.column + c];
                    largest = code > largest ? code : largest;
                }
            }
            output[(p - first) * output_stride + c] = tfser_limited(largest, output_min, output_max);
        }
    }
}
