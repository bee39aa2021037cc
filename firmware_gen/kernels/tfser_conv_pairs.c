/* Convolutions by patches, pairs form (tfser_conv.h, tfser_pairs.h). */
#include "tfser_conv.h"
#include "tfser_pairs.h"

/* Where the taps of an output pixel go, in the order of the depth: to a widened row, or, where the channels are not in
 * whole words, first to a row of int8. */
typedef struct {
    const tfser_dense *layer;
    uint32_t *wide;
    int8_t *patch; /* or NULL */
    int32_t at;
} tfser_taps;

/* `count` elements next to each other. */
static inline void tfser_taps_inside(tfser_taps *taps, const int8_t *from, int32_t count) {
    if (taps->patch == 0) {
        tfser_pairs_widen(taps->layer, taps->wide, taps->at, from, count);
    } else {
        int8_t *to = taps->patch + taps->at;
        for (int32_t i = 0; i < count; i++) {
            to[i] = from[i];
        }
    }
    taps->at += count;
}

/* Taps outside of the input: its zero point, which adds nothing. */
static inline void tfser_taps_outside(tfser_taps *taps, int32_t count) {
    if (count <= 0) {
        return;
    }
    if (taps->patch == 0) {
        tfser_pairs_clear(taps->wide, taps->at, count);
    } else {
        (void)memset(taps->patch + taps->at, taps->layer->input_zero_point, (size_t)count);
    }
    taps->at += count;
}

/* The taps of one row of the window that begins at column `left`; `row` is the input's. Columns are next to each other. */
static void tfser_taps_row(tfser_taps *taps, const tfser_window *window, const int8_t *row, int32_t left) {
    const int32_t channels = window->input_channels;
    const int32_t width = window->kernel_width;
    const int32_t before = left < 0 ? -left : 0; /* at most the width: no output pixel lies wholly outside */
    const int32_t beyond = left + width - window->input_width;
    const int32_t after = beyond > 0 ? beyond : 0;
    tfser_taps_outside(taps, before * channels);
    tfser_taps_inside(taps, row + (left + before) * channels, (width - before - after) * channels);
    tfser_taps_outside(taps, after * channels);
}

/* The same, tap by tap: columns are apart by dilation or by the pixel stride. */
static void tfser_taps_apart(tfser_taps *taps, const tfser_window *window, const int8_t *row, int32_t pixel_stride,
                             int32_t left) {
    for (int32_t kx = 0; kx < window->kernel_width; kx++) {
        const int32_t x = left + kx * window->dilation_width;
        if (x >= 0 && x < window->input_width) {
            tfser_taps_inside(taps, row + x * pixel_stride, window->input_channels);
        } else {
            tfser_taps_outside(taps, window->input_channels);
        }
    }
}

/* All taps of output pixel (y, x). */
static void tfser_taps_pixel(tfser_taps *taps, const tfser_window *window, const int8_t *input, int32_t pixel_stride,
                             int32_t y, int32_t x) {
    const int32_t left = x * window->stride_width - window->pad_left;
    const int together = pixel_stride == window->input_channels && window->dilation_width == 1;
    int32_t from = y * window->stride_height - window->pad_top;
    for (int32_t ky = 0; ky < window->kernel_height; ky++) {
        const int32_t row = from * window->input_width * pixel_stride;
        if (from < 0 || from >= window->input_height) {
            tfser_taps_outside(taps, window->kernel_width * window->input_channels);
        } else if (together) {
            tfser_taps_row(taps, window, input + row, left);
        } else {
            tfser_taps_apart(taps, window, input + row, pixel_stride, left);
        }
        from += window->dilation_height;
    }
    if (taps->patch != 0) {
        tfser_pairs_widen(taps->layer, taps->wide, 0, taps->patch, taps->layer->depth);
    }
}

void tfser_conv_pairs_s8(const tfser_dense *layer, const tfser_window *window, const int8_t *weights,
                         const int32_t *bias, const int8_t *input, int32_t pixel_stride, int32_t first, int32_t count,
                         int8_t *output, int32_t output_stride, void *scratch) {
    uint32_t *wide = scratch;
    const int32_t words = (layer->depth + 3) & -4;
    int8_t *patch = window->input_channels % 4 != 0 ? (int8_t *)scratch + 2 * TFSER_PAIRS_STEP * words : 0;
    int32_t y = first / window->output_width;
    int32_t x = first % window->output_width;
    while (count > 0) {
        const int32_t rows = count < TFSER_PAIRS_ROWS ? count : TFSER_PAIRS_ROWS;
        for (int32_t r = 0; r < rows; r++) {
            tfser_taps taps = {layer, wide + r, patch, 0};
            tfser_taps_pixel(&taps, window, input, pixel_stride, y, x);
            x++;
            if (x == window->output_width) {
                x = 0;
                y++;
            }
        }
        tfser_pairs_block(layer, weights, bias, wide, rows, output, output_stride);
        count -= rows;
        output += rows * output_stride;
    }
}
