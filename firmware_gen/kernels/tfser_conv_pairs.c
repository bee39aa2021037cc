/* Convolutions by patches, pairs form (tfser_conv.h, tfser_pairs.h). */
#include "tfser_conv.h"
#include "tfser_pairs_widen.h"

/* A call. */
typedef struct {
    const tfser_dense *layer;
    const tfser_window *window;
    const int8_t *input;
    int32_t pixel_stride;
    int32_t together; /* 1: the taps of a row of the window are next to each other */
    int32_t run;      /* elements of a row of the window */
    int32_t pitch;    /* bytes from one row of the window to the next */
    uint32_t less;
    int32_t doubled;
    int32_t line, column;           /* the next output pixel */
    int32_t window_from, window_to; /* rows of its window inside of the input */
    const int8_t *first_row;        /* the first of them */
} tfser_conv;

/* Where the taps of an output pixel go, in the order of the depth: to a widened row, or, where the channels are not in
 * whole words, first to a row of int8. */
typedef struct {
    uint32_t *wide;
    int8_t *patch; /* or NULL */
    int32_t at;
} tfser_taps;

/* `runs` runs of `run` bytes; memcpy is a loop over bytes in some libraries. */
static void tfser_conv_copy(int8_t *to, int32_t to_pitch, const int8_t *from, int32_t from_pitch, int32_t run,
                            int32_t runs) {
    for (; runs > 0; runs--) {
        int32_t k = 0;
        for (; k + 4 <= run; k += 4) {
            const uint32_t word = tfser_pairs_load(from + k);
            (void)memcpy(to + k, &word, sizeof word);
        }
        for (; k < run; k++) {
            to[k] = from[k];
        }
        to += to_pitch;
        from += from_pitch;
    }
}

/* Zero points for `count` bytes and up to three more. */
static void tfser_conv_fill(const tfser_conv *conv, int8_t *to, int32_t count) {
    const uint32_t word = ((uint32_t)conv->layer->input_zero_point & 0xFFu) * 0x01010101u;
    for (int32_t k = 0; k < count; k += 4) {
        (void)memcpy(to + k, &word, sizeof word);
    }
}

/* `count` elements next to each other. */
static void tfser_taps_inside(const tfser_conv *conv, tfser_taps *taps, const int8_t *from, int32_t count) {
    if (taps->patch == 0) {
        tfser_pairs_widen(conv->layer, taps->wide, taps->at, from, count);
    } else {
        tfser_conv_copy(taps->patch + taps->at, 0, from, 0, count, 1);
    }
    taps->at += count;
}

/* Taps outside of the input: its zero point, which adds nothing. */
static void tfser_taps_outside(const tfser_conv *conv, tfser_taps *taps, int32_t count) {
    if (count <= 0) {
        return;
    }
    if (taps->patch == 0) {
        tfser_pairs_clear(taps->wide, taps->at, count);
    } else {
        (void)memset(taps->patch + taps->at, conv->layer->input_zero_point, (size_t)count);
    }
    taps->at += count;
}

/* The taps of one row of the window that begins at column `left`; `row` is the input's. */
static void tfser_taps_row(const tfser_conv *conv, tfser_taps *taps, const int8_t *row, int32_t left) {
    const tfser_window *window = conv->window;
    const int32_t channels = window->input_channels;
    if (conv->together) {
        const int32_t before = left < 0 ? -left : 0; /* at most the width: no output pixel lies wholly outside */
        const int32_t beyond = left + window->kernel_width - window->input_width;
        const int32_t after = beyond > 0 ? beyond : 0;
        tfser_taps_outside(conv, taps, before * channels);
        tfser_taps_inside(conv, taps, row + (left + before) * channels,
                          (window->kernel_width - before - after) * channels);
        tfser_taps_outside(conv, taps, after * channels);
        return;
    }
    for (int32_t kx = 0; kx < window->kernel_width; kx++) {
        const int32_t x = left + kx * window->dilation_width;
        if (x >= 0 && x < window->input_width) {
            tfser_taps_inside(conv, taps, row + x * conv->pixel_stride, channels);
        } else {
            tfser_taps_outside(conv, taps, channels);
        }
    }
}

/* All taps of an output pixel to a widened row, where those of a row of the window are in whole words and none is
 * outside of the input. */
static void tfser_conv_whole(const tfser_conv *conv, int32_t left, uint32_t *wide) {
    const int32_t from = conv->window_from * conv->run;
    const int32_t end = conv->window_to * conv->run;
    if (from != 0) {
        tfser_pairs_clear(wide, 0, from);
    }
    if (from != end) { /* taps apart may be above and below of a low input */
        tfser_pairs_runs(conv->less, conv->doubled, wide + from / 2 * TFSER_PAIRS_STEP,
                         conv->first_row + left * conv->pixel_stride, conv->run, conv->pitch,
                         conv->window_to - conv->window_from);
    }
    if (end != conv->layer->depth) {
        tfser_pairs_clear(wide, end, conv->layer->depth - end);
    }
}

/* The same where they are not in whole words, or where columns are outside. */
static void tfser_conv_clipped(const tfser_conv *conv, int32_t left, uint32_t *wide, int8_t *patch) {
    const tfser_window *window = conv->window;
    const int32_t before = left < 0 ? -left : 0; /* at most the width: no output pixel lies wholly outside */
    const int32_t beyond = left + window->kernel_width - window->input_width;
    const int32_t columns = window->kernel_width - before - (beyond > 0 ? beyond : 0);
    if (conv->window_to - conv->window_from != window->kernel_height || columns != window->kernel_width) {
        tfser_conv_fill(conv, patch, conv->layer->depth);
    }
    tfser_conv_copy(patch + conv->window_from * conv->run + before * window->input_channels, conv->run,
                    conv->first_row + (left + before) * conv->pixel_stride, conv->pitch,
                    columns * window->input_channels, conv->window_to - conv->window_from);
    tfser_pairs_widen(conv->layer, wide, 0, patch, conv->layer->depth);
}

/* The same where columns are outside or apart. */
static void tfser_conv_pixel(const tfser_conv *conv, int32_t left, uint32_t *wide, int8_t *patch) {
    tfser_taps taps = {wide, patch, 0};
    const int8_t *row = conv->first_row;
    tfser_taps_outside(conv, &taps, conv->window_from * conv->run);
    for (int32_t ky = conv->window_from; ky < conv->window_to; ky++) {
        tfser_taps_row(conv, &taps, row, left);
        row += conv->pitch;
    }
    tfser_taps_outside(conv, &taps, conv->layer->depth - taps.at);
    if (patch != 0) {
        tfser_pairs_widen(conv->layer, wide, 0, patch, conv->layer->depth);
    }
}

/* Which rows of the window that begins at row `top` are inside of the input. */
static void tfser_conv_rows_of(tfser_conv *conv, int32_t top) {
    const tfser_window *window = conv->window;
    int32_t from = 0;
    int32_t to = window->kernel_height;
    while (from < to && top + from * window->dilation_height < 0) {
        from++;
    }
    while (from < to && top + (to - 1) * window->dilation_height >= window->input_height) {
        to--;
    }
    const int32_t y = from < to ? top + from * window->dilation_height : 0;
    conv->window_from = from;
    conv->window_to = to;
    conv->first_row = conv->input + y * window->input_width * conv->pixel_stride;
}

/* The next `count` pixels to widened rows. */
static void tfser_conv_pixels(tfser_conv *conv, int32_t count, uint32_t *wide, int8_t *patch) {
    const tfser_window *window = conv->window;
    for (int32_t r = 0; r < count; r++) {
        const int32_t left = conv->column * window->stride_width - window->pad_left;
        const int inside = left >= 0 && left + window->kernel_width <= window->input_width;
        if (conv->together != 0 && inside && conv->run % 4 == 0) {
            tfser_conv_whole(conv, left, wide + r);
        } else if (conv->together != 0 && patch != 0) {
            tfser_conv_clipped(conv, left, wide + r, patch);
        } else {
            tfser_conv_pixel(conv, left, wide + r, patch);
        }
        conv->column++;
        if (conv->column == window->output_width) {
            conv->column = 0;
            conv->line++;
            tfser_conv_rows_of(conv, conv->line * window->stride_height - window->pad_top);
        }
    }
}

void tfser_conv_pairs_s8(const tfser_dense *layer, const tfser_window *window, const int8_t *weights,
                         const int32_t *bias, const int8_t *input, int32_t pixel_stride, int32_t first, int32_t count,
                         int8_t *output, int32_t output_stride, void *scratch) {
    const int32_t words = (layer->depth + 3) & -4;
    int8_t *patch = window->input_channels % 4 != 0 ? (int8_t *)scratch + 2 * TFSER_PAIRS_STEP * words : 0;
    tfser_conv conv = {0};
    conv.layer = layer;
    conv.window = window;
    conv.input = input;
    conv.pixel_stride = pixel_stride;
    conv.together = pixel_stride == window->input_channels && window->dilation_width == 1;
    conv.run = window->kernel_width * window->input_channels;
    conv.pitch = window->input_width * pixel_stride * window->dilation_height;
    conv.less = tfser_pairs_less(layer);
    conv.doubled = tfser_pairs_doubled(layer);
    conv.line = first / window->output_width;
    conv.column = first % window->output_width;
    tfser_conv_rows_of(&conv, conv.line * window->stride_height - window->pad_top);
    while (count > 0) {
        const int32_t rows = count < TFSER_PAIRS_ROWS ? count : TFSER_PAIRS_ROWS;
        tfser_conv_pixels(&conv, rows, scratch, patch);
        tfser_pairs_block(layer, weights, bias, scratch, rows, output, output_stride);
        count -= rows;
        output += rows * output_stride;
    }
}
