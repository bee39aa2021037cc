/* Depthwise convolution, rows form (tfser_conv.h). Weights [output channel][taps]. A channel at a time: its image is
 * copied into scratch with a border of the zero point, (height + pads) x (width + pads) bytes, so that taps are at the
 * same distances from every pixel and no pixel needs a test. */
#include "tfser_conv.h"
#include "tfser_rows.h"

typedef struct {
    const tfser_dense *layer;
    const tfser_window *window;
    int32_t height, width; /* of the plane */
    int8_t *plane;
    uint8_t *distances; /* of each tap from the first of its group */
    int32_t first_end;  /* of the first group */
} tfser_depthwise;

/* Rows or columns of the padded image that the taps of all outputs span. */
static int32_t tfser_rows_span(int32_t outputs, int32_t stride, int32_t kernel, int32_t dilation) {
    return (outputs - 1) * stride + (kernel - 1) * dilation + 1;
}

/* Distance of a tap from the first, in the plane. */
static inline int32_t tfser_tap_offset(const tfser_depthwise *of, int32_t tap) {
    const tfser_window *window = of->window;
    return tap / window->kernel_width * window->dilation_height * of->width +
           tap % window->kernel_width * window->dilation_width;
}

#if defined(TFSER_HELIUM)
#define TFSER_SEGMENT 64 /* pixels whose sums are held at a time */

/* `rows` rows of `columns` codes, `stride` bytes apart, side by side: eight columns at a time. */
static void tfser_gather_plane(int8_t *to, int32_t to_row, const int8_t *from, int32_t from_row, int32_t stride,
                               int32_t rows, int32_t columns) {
    for (int32_t x = 0; x < columns && rows > 0; x += 8) {
        if (stride > UINT16_MAX / 7) {
            for (int32_t i = 0; i < 8 * rows; i++) {
                if (x + i % 8 < columns) {
                    to[i / 8 * to_row + x + i % 8] = from[i / 8 * from_row + (x + i % 8) * stride];
                }
            }
            continue;
        }
        const uint16x8_t offsets = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)stride);
        const int8_t *source = from + x * stride;
        int8_t *target = to + x;
        __asm volatile("vctp.16 %[columns]\n"
                       "dls lr, %[rows]\n"
                       "1: vpst\n"
                       "vldrbt.s16 q0, [%[source], %q[offsets]]\n"
                       "vpst\n"
                       "vstrbt.16 q0, [%[target]]\n"
                       "add %[source], %[source], %[from_row]\n"
                       "add %[target], %[target], %[to_row]\n"
                       "le lr, 1b\n"
                       : [source] "+r"(source), [target] "+l"(target)
                       : [columns] "r"(columns - x), [rows] "r"(rows), [offsets] "w"(offsets),
                         [from_row] "r"(from_row), [to_row] "r"(to_row)
                       : "lr", "q0", "cc", "memory");
    }
}

/* Up to 16 taps: their weights and, for each of four neighbouring pixels, their distances from the first tap. */
typedef struct {
    int8_t weights[16];
    uint8_t offsets[4][16];
} tfser_taps;

/* Pixels whose sums are wanted, `rows` times `columns`, loaded in this order into r8, r10, r12 and lr. */
typedef struct {
    int32_t columns, step, rows, row_step;
} tfser_pixels;

/* sums (+)= taps at x + column * step + row * row_step. */
#define TFSER_TAPS_OF(offsets) "vldrb.u8 q0, [%[p], " offsets "]\n"
#define TFSER_DEFINE_SUM_TAPS(name, load, load_one, mla)                                                              \
    static inline void name(const int8_t *x, const tfser_pixels *pixels, const tfser_taps *taps, int32_t *sums) {     \
        const void *p = taps;                                                                                         \
        int32_t n;                                                                                                    \
        __asm volatile("vldrb.8 q5, [%[p]]\n"                                                                         \
                       "vldrb.8 q1, [%[p], #16]\n"                                                                    \
                       "vldrb.8 q2, [%[p], #32]\n"                                                                    \
                       "vldrb.8 q3, [%[p], #48]\n"                                                                    \
                       "vldrb.8 q4, [%[p], #64]\n"                                                                    \
                       "ldm %[pixels], {r8, r10, r12, lr}\n"                                                          \
                       "5: mov %[p], %[x]\n"                                                                          \
                       "subs %[n], r8, #4\n"                                                                          \
                       "blt 2f\n"                                                                                     \
                       "1:\n" load TFSER_TAPS_OF("q1") mla ".s8 r0, q0, q5\n"                                         \
                       TFSER_TAPS_OF("q2") mla ".s8 r2, q0, q5\n"                                                     \
                       TFSER_TAPS_OF("q3") mla ".s8 r4, q0, q5\n"                                                     \
                       TFSER_TAPS_OF("q4") mla ".s8 r6, q0, q5\n"                                                     \
                       "stm %[sums]!, {r0, r2, r4, r6}\n"                                                             \
                       "add %[p], %[p], r10, lsl #2\n"                                                                \
                       "subs %[n], #4\n"                                                                              \
                       "bge 1b\n"                                                                                     \
                       "2: adds %[n], #3\n"                                                                           \
                       "blt 4f\n"                                                                                     \
                       "3:\n" load_one TFSER_TAPS_OF("q1") mla ".s8 r0, q0, q5\n"                                     \
                       "str r0, [%[sums]], #4\n"                                                                      \
                       "add %[p], %[p], r10\n"                                                                        \
                       "subs %[n], #1\n"                                                                              \
                       "bge 3b\n"                                                                                     \
                       "4: add %[x], %[x], lr\n"                                                                      \
                       "subs r12, #1\n"                                                                               \
                       "bne 5b\n"                                                                                     \
                       : [x] "+r"(x), [p] "+r"(p), [n] "=&r"(n), [sums] "+r"(sums)                                    \
                       : [pixels] "r"(pixels)                                                                         \
                       : "r0", "r2", "r4", "r6", "r8", "r10", "r12", "lr", "q0", "q1", "q2", "q3", "q4", "q5", "cc",  \
                         "memory");                                                                                   \
    }
TFSER_DEFINE_SUM_TAPS(tfser_sum_taps_first, "", "", "vmladav")
TFSER_DEFINE_SUM_TAPS(tfser_sum_taps_next, "ldm %[sums], {r0, r2, r4, r6}\n", "ldr r0, [%[sums]]\n", "vmladava")

static int32_t tfser_group_end(const tfser_depthwise *of, int32_t begin) {
    int32_t end = begin + 1;
    while (end < of->layer->depth && of->distances[end] != 0) {
        end++;
    }
    return end;
}

/* Groups of at most 16 taps that a vector of byte offsets reaches, for four pixels: a distance of 0 begins one. */
static void tfser_tap_groups(tfser_depthwise *of) {
    const int32_t reach = UINT8_MAX - 3 * tfser_rows_least(of->window->stride_width, UINT8_MAX / 3);
    int32_t begin = 0;
    for (int32_t k = 0; k < of->layer->depth; k++) {
        int32_t distance = tfser_tap_offset(of, k) - tfser_tap_offset(of, begin);
        if (distance > reach || k - begin == 16) {
            begin = k;
            distance = 0;
        }
        of->distances[k] = (uint8_t)distance;
    }
    of->first_end = tfser_group_end(of, 0);
}

/* Sums of pixels, the first at x in the plane. */
static void tfser_channel_sums(const tfser_depthwise *of, const int8_t *weights, const int8_t *x,
                               const tfser_pixels *pixels, int32_t *sums) {
    const uint8_t step = (uint8_t)pixels->step;
    for (int32_t k = 0, end; k < of->layer->depth; k = end) {
        end = k == 0 ? of->first_end : tfser_group_end(of, k);
        const mve_pred16_t bytes = vctp8q((uint32_t)(end - k));
        const uint8x16_t offsets = vldrbq_z_u8(of->distances + k, bytes);
        tfser_taps taps;
        vstrbq_s8(taps.weights, vldrbq_z_s8(weights + k, bytes));
        vstrbq_u8(taps.offsets[0], offsets);
        vstrbq_u8(taps.offsets[1], vaddq_n_u8(offsets, step));
        vstrbq_u8(taps.offsets[2], vaddq_n_u8(offsets, (uint8_t)(2 * step)));
        vstrbq_u8(taps.offsets[3], vaddq_n_u8(offsets, (uint8_t)(3 * step)));
        if (k == 0) {
            tfser_sum_taps_first(x, pixels, &taps, sums);
        } else {
            tfser_sum_taps_next(x + tfser_tap_offset(of, k), pixels, &taps, sums);
        }
    }
}

/* How sums become codes; the first eight members are loaded in this order into r0, r2, r4, r5, r6, r8, r10 and r12.
 * `away` is 1 where the shift is to the right: times the sign it makes a negative value 1 less, so that VRSHL, which
 * takes ties up, takes them away from zero. */
typedef struct {
    int32_t bias, left, right, away, multiplier, zero_point, step;
    const int8_t *table;
    int32_t low[4], high[4];
    uint32_t offsets[4];
} tfser_channel_scale;

#define TFSER_DEFINE_CHANNEL_CODES(name, look)                                                                        \
    __attribute__((noinline)) static void name(const tfser_channel_scale *by, const int32_t *sums, int32_t count,     \
                                               int8_t *output) {                                                      \
        __asm volatile("vldrw.32 q2, [%[by], #32]\n"                                                                  \
                       "vldrw.32 q3, [%[by], #48]\n"                                                                  \
                       "vldrw.32 q4, [%[by], #64]\n"                                                                  \
                       "ldm %[by], {r0, r2, r4, r5, r6, r8, r10, r12}\n"                                              \
                       "dlstp.32 lr, %[count]\n"                                                                      \
                       "1: vldrw.32 q0, [%[sums]], #16\n"                                                             \
                       "vadd.i32 q0, q0, r0\n"                                                                        \
                       "vshl.s32 q0, r2\n"                                                                            \
                       "vqdmulh.s32 q1, q0, r5\n"                                                                     \
                       "vqrdmlah.s32 q1, q0, r6\n"                                                                    \
                       "vrshl.s32 q1, r4\n"                                                                           \
                       "vqadd.s32 q1, q1, r8\n"                                                                       \
                       "vmax.s32 q1, q1, q2\n"                                                                        \
                       "vmin.s32 q1, q1, q3\n" look                                                                   \
                       "add %[output], %[output], r10\n"                                                              \
                       "letp lr, 1b\n"                                                                                \
                       : [sums] "+r"(sums), [output] "+r"(output)                                                     \
                       : [count] "r"(count), [by] "r"(by)                                                             \
                       : "r0", "r2", "r4", "r5", "r6", "r8", "r10", "r12", "lr", "q0", "q1", "q2", "q3", "q4", "cc",  \
                         "memory");                                                                                   \
    }
TFSER_DEFINE_CHANNEL_CODES(tfser_channel_codes, "vstrb.32 q1, [%[output], q4]\n")
TFSER_DEFINE_CHANNEL_CODES(tfser_channel_looked_up, "vldrb.s32 q0, [r12, q1]\n vstrb.32 q0, [%[output], q4]\n")

static tfser_channel_scale tfser_channel_scale_of(const tfser_dense *layer, int32_t n, int32_t bias, int32_t stride) {
    const int32_t at = layer->per_channel != 0 ? n : 0;
    const int32_t shift = layer->shift[at];
    const int32_t index = layer->table != 0 ? 128 : 0; /* of code 0 */
    tfser_channel_scale scale = {.bias = bias,
                                 .left = shift > 0 ? shift : 0,
                                 .right = shift < 0 ? shift : 0,
                                 .away = shift < 0 ? 1 : 0,
                                 .multiplier = layer->multiplier[at],
                                 .zero_point = layer->output_zero_point + index,
                                 .step = 4 * stride,
                                 .table = layer->table};
    vstrwq_s32(scale.low, vdupq_n_s32(layer->output_min + index));
    vstrwq_s32(scale.high, vdupq_n_s32(layer->output_max + index));
    vstrwq_u32(scale.offsets, vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)stride));
    return scale;
}

static void tfser_channel(const tfser_depthwise *of, int32_t n, const int8_t *weights, int32_t bias, int8_t *output,
                          int32_t stride) {
    const tfser_window *window = of->window;
    /* Four pixels at a time only where a byte holds their distance. */
    const int32_t columns = tfser_rows_least(window->output_width,
                                             window->stride_width <= UINT8_MAX / 3 ? TFSER_SEGMENT : 3);
    const int32_t rows = TFSER_SEGMENT / columns;
    const tfser_channel_scale scale = tfser_channel_scale_of(of->layer, n, bias, stride);
    int32_t sums[TFSER_SEGMENT];
    for (int32_t y = 0; y < window->output_height; y += rows) {
        const int32_t deep = tfser_rows_least(rows, window->output_height - y);
        for (int32_t x = 0; x < window->output_width; x += columns) {
            const int32_t wide = tfser_rows_least(columns, window->output_width - x);
            const int8_t *from = of->plane + y * window->stride_height * of->width + x * window->stride_width;
            const tfser_pixels pixels = {wide, window->stride_width, deep, window->stride_height * of->width};
            tfser_channel_sums(of, weights, from, &pixels, sums);
            int8_t *to = output + (y * window->output_width + x) * stride;
            if (of->layer->table != 0) {
                tfser_channel_looked_up(&scale, sums, deep * wide, to);
            } else {
                tfser_channel_codes(&scale, sums, deep * wide, to);
            }
        }
    }
}

#else

static void tfser_gather_plane(int8_t *to, int32_t to_row, const int8_t *from, int32_t from_row, int32_t stride,
                               int32_t rows, int32_t columns) {
    for (int32_t y = 0; y < rows; y++) {
        for (int32_t x = 0; x < columns; x++) {
            to[y * to_row + x] = from[y * from_row + x * stride];
        }
    }
}

static void tfser_tap_groups(tfser_depthwise *of) { (void)of; }

static void tfser_channel(const tfser_depthwise *of, int32_t n, const int8_t *weights, int32_t bias, int8_t *output,
                          int32_t stride) {
    const tfser_window *window = of->window;
    for (int32_t p = 0; p < window->output_height * window->output_width; p++) {
        const int8_t *x = of->plane + p / window->output_width * window->stride_height * of->width +
                          p % window->output_width * window->stride_width;
        uint32_t acc = (uint32_t)bias;
        for (int32_t k = 0; k < of->layer->depth; k++) {
            acc += (uint32_t)(weights[k] * x[tfser_tap_offset(of, k)]);
        }
        output[p * stride] = tfser_rows_code(of->layer, n, (int32_t)acc);
    }
}
#endif

/* Channel of the input into the plane, inside of its border. */
static void tfser_rows_plane(const tfser_depthwise *of, const int8_t *input, int32_t pixel_stride) {
    const tfser_window *window = of->window;
    const int32_t rows = tfser_rows_least(window->input_height, of->height - window->pad_top);
    const int32_t columns = tfser_rows_least(window->input_width, of->width - window->pad_left);
    tfser_gather_plane(of->plane + window->pad_top * of->width + window->pad_left, of->width, input,
                       window->input_width * pixel_stride, pixel_stride, rows, columns);
}

void tfser_depthwise_rows_s8(const tfser_dense *layer, const tfser_window *window, int32_t depth_multiplier,
                             const int8_t *weights, const int32_t *bias, const int8_t *input, int32_t pixel_stride,
                             int8_t *output, int32_t output_stride, void *scratch) {
    const int32_t height = tfser_rows_span(window->output_height, window->stride_height, window->kernel_height,
                                           window->dilation_height);
    const int32_t width = tfser_rows_span(window->output_width, window->stride_width, window->kernel_width,
                                          window->dilation_width);
    uint8_t *distances = scratch;
    tfser_depthwise of = {layer, window, height, width, (int8_t *)scratch + layer->depth, distances, 0};
    tfser_rows_fill(of.plane, layer->input_zero_point, height * width);
    tfser_tap_groups(&of);
    int32_t n = 0;
    for (int32_t c = 0; c < window->input_channels; c++) {
        tfser_rows_plane(&of, input + c, pixel_stride);
        for (int32_t j = 0; j < depth_multiplier; j++, n++) {
            tfser_channel(&of, n, weights + n * layer->depth, bias[n], output + n, output_stride);
        }
    }
}
