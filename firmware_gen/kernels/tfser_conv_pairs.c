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
    int32_t window_from, window_to; /* rows of its window inside of the input, at least one */
    const int8_t *first_row;        /* the first of them */
} tfser_conv;

/* Where the taps of an output pixel go, in the order of the depth: to a widened row, or, where the channels are not in
 * whole words, first to a row of int8. */
typedef struct {
    uint32_t *wide;
    int8_t *patch; /* or NULL */
    int32_t at;
} tfser_taps;

/* Bytes of runs next to each other; memcpy is a loop over bytes in some libraries. */
static void tfser_conv_copy(int8_t *to, const int8_t *from, int32_t run, int32_t pitch, int32_t runs) {
    for (; runs > 0; runs--) {
        const int8_t *end = to + run;
        const int8_t *x = from;
        for (; end - to >= 4; to += 4) {
            const uint32_t word = tfser_pairs_load(x);
            (void)memcpy(to, &word, sizeof word);
            x += 4;
        }
        while (to != end) {
            *to++ = *x++;
        }
        from += pitch;
    }
}

/* `count` elements next to each other. */
static void tfser_taps_inside(const tfser_conv *conv, tfser_taps *taps, const int8_t *from, int32_t count) {
    if (taps->patch == 0) {
        tfser_pairs_widen(conv->layer, taps->wide, taps->at, from, count);
    } else {
        tfser_conv_copy(taps->patch + taps->at, from, count, 0, 1);
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
        int8_t *to = taps->patch + taps->at;
        for (int32_t i = 0; i < count; i++) {
            to[i] = (int8_t)conv->layer->input_zero_point;
        }
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

/* All taps of an output pixel of whose window no column is outside of the input, to a widened row. */
static void tfser_conv_whole(const tfser_conv *conv, int32_t left, uint32_t *wide, int8_t *patch) {
    const int32_t from = conv->window_from * conv->run;
    const int32_t runs = conv->window_to - conv->window_from;
    const int32_t end = conv->window_to * conv->run;
    const int8_t *x = conv->first_row + left * conv->pixel_stride;
    tfser_taps taps = {wide, conv->run % 4 == 0 ? 0 : patch, 0};
    tfser_taps_outside(conv, &taps, from);
    if (taps.patch == 0) {
        if (runs > 0) {
            tfser_pairs_runs(conv->less, conv->doubled, wide + from / 2 * TFSER_PAIRS_STEP, x, conv->run, conv->pitch,
                             runs);
        }
    } else {
        tfser_conv_copy(patch + from, x, conv->run, conv->pitch, runs);
    }
    taps.at = end;
    tfser_taps_outside(conv, &taps, conv->layer->depth - end);
    if (taps.patch != 0) {
        tfser_pairs_widen(conv->layer, wide, 0, patch, conv->layer->depth);
    }
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
    conv->window_from = 0;
    conv->window_to = window->kernel_height;
    while (top + conv->window_from * window->dilation_height < 0) {
        conv->window_from++;
    }
    while (top + (conv->window_to - 1) * window->dilation_height >= window->input_height) {
        conv->window_to--;
    }
    const int32_t y = top + conv->window_from * window->dilation_height;
    conv->first_row = conv->input + y * window->input_width * conv->pixel_stride;
}

/* The next `count` pixels to widened rows. */
static void tfser_conv_pixels(tfser_conv *conv, int32_t count, uint32_t *wide, int8_t *patch) {
    const tfser_window *window = conv->window;
    for (int32_t r = 0; r < count; r++) {
        const int32_t left = conv->column * window->stride_width - window->pad_left;
        if (conv->together != 0 && left >= 0 && left + window->kernel_width <= window->input_width) {
            tfser_conv_whole(conv, left, wide + r, patch);
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
    tfser_conv conv;
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
