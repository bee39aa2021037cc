/* Convolution, rows form (tfser_conv.h): the taps of 4 pixels as rows, then the dense kernel. Where the taps of a pixel
 * lie side by side in the input they are read there, else they are collected in scratch. */
#include "tfser_conv.h"
#include "tfser_rows.h"

/* Scratch: sums, then four rows of `row_size` bytes; with Helium then, for each chunk of 16 taps, where its first lies
 * from the first of the pixel, and for each tap its distance from the first of its chunk. */
typedef struct {
    const tfser_dense *layer;
    const tfser_window *window;
    const int8_t *input;
    int32_t pixel_stride, row_size;
    int32_t joined_columns, joined_rows; /* taps of a row of the kernel side by side; all taps */
    int32_t *chunks;
    uint8_t *distances;
    const int8_t *written, *written_end; /* by the pixels in hand */
} tfser_conv;

#if defined(TFSER_HELIUM)
static inline int32_t tfser_tap_offset(const tfser_conv *of, int32_t ky, int32_t kx) {
    const tfser_window *window = of->window;
    return (ky * window->dilation_height * window->input_width + kx * window->dilation_width) * of->pixel_stride;
}

/* Fill in `chunks` and `distances`; without effect on the result, chunks is 0 where a distance exceeds a byte. */
static void tfser_find_chunks(tfser_conv *of) {
    const tfser_window *window = of->window;
    int32_t k = 0, first = 0;
    for (int32_t ky = 0; ky < window->kernel_height; ky++) {
        for (int32_t kx = 0; kx < window->kernel_width; kx++) {
            const int32_t tap = tfser_tap_offset(of, ky, kx);
            for (int32_t c = 0; c < window->input_channels; c++, k++) {
                if (k % TFSER_ROWS_CHUNK == 0) {
                    first = tap + c;
                    of->chunks[k / TFSER_ROWS_CHUNK] = first;
                }
                if (tap + c - first > UINT8_MAX) {
                    of->chunks = 0;
                    return;
                }
                of->distances[k] = (uint8_t)(tap + c - first);
            }
        }
    }
    for (; k < of->row_size; k++) {
        of->distances[k] = 0;
    }
}

static void tfser_gather_taps(const tfser_conv *of, const int8_t *from, int8_t *row) {
    const int32_t *chunks = of->chunks;
    for (int32_t k = 0; k < of->row_size; k += TFSER_ROWS_CHUNK) {
        vstrbq_s8(row + k, vldrbq_gather_offset_s8(from + *chunks++, vldrbq_u8(of->distances + k)));
    }
}
#else
static void tfser_find_chunks(tfser_conv *of) { of->chunks = 0; }
static void tfser_gather_taps(const tfser_conv *of, const int8_t *from, int8_t *row) {
    (void)of, (void)from, (void)row;
}
#endif

/* Taps of a pixel at the edge, or of any; the zero point outside of the input, which the bias cancels. */
static void tfser_copy_taps(const tfser_conv *of, int32_t top, int32_t left, int8_t *row) {
    const tfser_window *window = of->window;
    const int32_t channels = window->input_channels;
    tfser_rows_fill(row, of->layer->input_zero_point, of->layer->depth);
    for (int32_t ky = 0; ky < window->kernel_height; ky++, row += window->kernel_width * channels) {
        const int32_t y = top + ky * window->dilation_height;
        if (y < 0 || y >= window->input_height) {
            continue;
        }
        const int8_t *from = of->input + y * window->input_width * of->pixel_stride;
        if (of->joined_columns != 0) {
            const int32_t begin = left < 0 ? -left : 0;
            const int32_t end = tfser_rows_least(window->kernel_width, window->input_width - left);
            if (begin < end) {
                tfser_rows_copy(row + begin * channels, from + (left + begin) * of->pixel_stride,
                                (end - begin) * channels);
            }
            continue;
        }
        for (int32_t kx = 0; kx < window->kernel_width; kx++) {
            const int32_t x = left + kx * window->dilation_width;
            if (x >= 0 && x < window->input_width) {
                tfser_rows_copy(row + kx * channels, from + x * of->pixel_stride, channels);
            }
        }
    }
}

/* The taps of the output pixel, side by side: in `row`, or in the input if no output of these pixels lies there. */
static const int8_t *tfser_pixel_taps(const tfser_conv *of, int32_t pixel, int8_t *row) {
    const tfser_window *window = of->window;
    const int32_t y = pixel / window->output_width;
    const int32_t top = y * window->stride_height - window->pad_top;
    const int32_t left = (pixel - y * window->output_width) * window->stride_width - window->pad_left;
    const int32_t bottom = top + (window->kernel_height - 1) * window->dilation_height;
    const int32_t right = left + (window->kernel_width - 1) * window->dilation_width;
    if (top >= 0 && left >= 0 && bottom < window->input_height && right < window->input_width) {
        const int8_t *from = of->input + (top * window->input_width + left) * of->pixel_stride;
        if (of->joined_rows != 0) {
            if ((uintptr_t)(from + of->layer->depth) > (uintptr_t)of->written &&
                (uintptr_t)from < (uintptr_t)of->written_end) {
                tfser_rows_copy(row, from, of->layer->depth);
                return row;
            }
            return from;
        }
        if (of->chunks != 0) {
            tfser_gather_taps(of, from, row);
            return row;
        }
    }
    tfser_copy_taps(of, top, left, row);
    return row;
}

void tfser_conv_rows_s8(const tfser_dense *layer, const tfser_window *window, const int8_t *weights,
                        const int32_t *bias, const int8_t *input, int32_t pixel_stride, int32_t first, int32_t count,
                        int8_t *output, int32_t output_stride, void *scratch) {
    const int32_t row_size = (layer->depth + TFSER_ROWS_CHUNK - 1) & -TFSER_ROWS_CHUNK;
    const int32_t joined_columns =
        window->kernel_width == 1 || (pixel_stride == window->input_channels && window->dilation_width == 1);
    const int32_t joined_rows =
        joined_columns != 0 &&
        (window->kernel_height == 1 || (pixel_stride == window->input_channels && window->dilation_height == 1 &&
                                        window->kernel_width == window->input_width));
    int8_t *rows = (int8_t *)scratch + tfser_rows_sums_bytes(layer);
    int32_t *chunks = (int32_t *)(void *)(rows + 4 * row_size);
    tfser_conv of = {layer, window, input, pixel_stride, row_size, joined_columns, joined_rows, chunks,
                     (uint8_t *)(rows + 4 * row_size + 4 * (row_size / TFSER_ROWS_CHUNK)), output, output};
    if (joined_rows == 0) {
        tfser_find_chunks(&of);
    }
    for (int32_t p = first; p < first + count; p += 4) {
        const int32_t pixels = tfser_rows_least(4, first + count - p);
        const int8_t *row[4] = {0, 0, 0, 0};
        of.written = output + (p - first) * output_stride;
        of.written_end = of.written + (pixels - 1) * output_stride + layer->outputs;
        for (int32_t i = 0; i < pixels; i++) {
            row[i] = tfser_pixel_taps(&of, p + i, rows + i * row_size);
        }
        for (int32_t i = pixels; i < 4; i++) {
            row[i] = row[pixels - 1];
        }
        tfser_rows_block_s8(layer, weights, bias, row, pixels, output + (p - first) * output_stride, output_stride,
                            scratch);
    }
}
