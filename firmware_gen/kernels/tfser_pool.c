/* Pools (tfser_pool.h): four or eight channels at a time, by words; what is left of the channels one by one. */
#include "tfser_pool.h"

#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__) && defined(__GNUC__)
#define TFSER_SXTAB16 1
#endif

/* A half word takes the sum of so many codes, with their zero point at -128 too. */
#define TFSER_CODES_A_HALF 256

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
    const int32_t row = window->dilation_height * window->input_width * pixel_stride;
    const int32_t column = window->dilation_width * pixel_stride;
    tfser_taps taps = {input + first * pixel_stride, rows, columns, row, column};
    if (columns * column == row) { /* one run */
        taps.rows = 1;
        taps.columns = rows * columns;
    }
    return taps;
}

static inline int8_t tfser_limited(int32_t code, int32_t low, int32_t high) {
    code = code < low ? low : code;
    return (int8_t)(code > high ? high : code);
}

/* Sums of the codes 0 and 2, and 1 and 3, of words: a half word each. */
typedef struct {
    uint32_t even, odd;
} tfser_halves;

static inline uint32_t tfser_word(const int8_t *from) {
    return (uint32_t)(uint8_t)from[0] | (uint32_t)(uint8_t)from[1] << 8 | (uint32_t)(uint8_t)from[2] << 16 |
           (uint32_t)(uint8_t)from[3] << 24;
}

#if defined(TFSER_SXTAB16)
static inline void tfser_add_word(tfser_halves *sum, const int8_t *from) {
    const uint32_t word = tfser_word(from);
    __asm("sxtab16 %0, %0, %1" : "+r"(sum->even) : "r"(word));
    __asm("sxtab16 %0, %0, %1, ror #8" : "+r"(sum->odd) : "r"(word));
}

static inline int32_t tfser_half(uint32_t half, int32_t codes) {
    (void)codes;
    return (int16_t)(uint16_t)half;
}
#else
/* Codes with 128 added, so that no sum borrows from its neighbour: at most 255 * 256. */
static inline void tfser_add_word(tfser_halves *sum, const int8_t *from) {
    const uint32_t word = tfser_word(from) ^ 0x80808080u;
    sum->even += word & 0x00FF00FFu;
    sum->odd += word >> 8 & 0x00FF00FFu;
}

static inline int32_t tfser_half(uint32_t half, int32_t codes) { return (int32_t)(half & 0xFFFFu) - 128 * codes; }
#endif

/* Adds the sums of `codes` codes to those of four channels. */
static inline void tfser_unpack(int32_t *sums, const tfser_halves *sum, int32_t codes) {
    sums[0] += tfser_half(sum->even, codes);
    sums[1] += tfser_half(sum->odd, codes);
    sums[2] += tfser_half(sum->even >> 16, codes);
    sums[3] += tfser_half(sum->odd >> 16, codes);
}

/* Sums of 4 * words channels from c on; words is 1 or 2. */
static inline void tfser_sum_words(const tfser_taps *taps, int32_t c, int32_t words, int32_t *sums) {
    tfser_halves first = {0, 0}, second = {0, 0};
    int32_t codes = 0;
    for (int32_t y = 0; y < taps->rows; y++) {
        const int8_t *from = taps->from + y * taps->row + c;
        for (int32_t left = taps->columns; left > 0;) {
            const int32_t room = TFSER_CODES_A_HALF - codes, count = left < room ? left : room;
            for (int32_t x = count; x > 0; x--, from += taps->column) {
                tfser_add_word(&first, from);
                if (words == 2) {
                    tfser_add_word(&second, from + 4);
                }
            }
            left -= count;
            codes += count;
            if (codes == TFSER_CODES_A_HALF) {
                tfser_unpack(sums, &first, codes);
                tfser_unpack(sums + 4, &second, words == 2 ? codes : 0);
                first.even = first.odd = second.even = second.odd = 0;
                codes = 0;
            }
        }
    }
    tfser_unpack(sums, &first, codes);
    tfser_unpack(sums + 4, &second, words == 2 ? codes : 0);
}

static inline int32_t tfser_sum_codes(const tfser_taps *taps, int32_t c) {
    int32_t sum = 0;
    for (int32_t y = 0; y < taps->rows; y++) {
        const int8_t *from = taps->from + y * taps->row + c;
        for (int32_t x = taps->columns; x > 0; x--, from += taps->column) {
            sum += *from;
        }
    }
    return sum;
}

void tfser_average_pool_s8(const tfser_window *window, int32_t output_min, int32_t output_max, const int8_t *input,
                           int32_t pixel_stride, int32_t first, int32_t count, int8_t *output, int32_t output_stride) {
    const int32_t channels = window->input_channels;
    for (int32_t p = first; p < first + count; p++) {
        const tfser_taps taps = tfser_taps_of(window, p, input, pixel_stride);
        const int32_t inside = taps.rows * taps.columns, number = inside > 0 ? inside : 1, half = number / 2;
        int8_t *to = output + (p - first) * output_stride;
        int32_t together;
        for (int32_t c = 0; c < channels; c += together) {
            int32_t sums[8] = {0};
            together = channels - c >= 8 ? 8 : (channels - c >= 4 ? 4 : 1);
            if (together == 8) {
                tfser_sum_words(&taps, c, 2, sums);
            } else if (together == 4) {
                tfser_sum_words(&taps, c, 1, sums);
            } else {
                sums[0] = tfser_sum_codes(&taps, c);
            }
            for (int32_t i = 0; i < together; i++) {
                const int32_t sum = sums[i];
                *to++ = tfser_limited((sum + (sum < 0 ? -half : half)) / number, output_min, output_max);
            }
        }
    }
}

#if defined(TFSER_SXTAB16)
/* The larger of each two codes. */
static inline uint32_t tfser_larger(uint32_t a, uint32_t b) {
    uint32_t larger;
    __asm("ssub8 %0, %1, %2\n sel %0, %1, %2" : "=&r"(larger) : "r"(a), "r"(b) : "cc");
    return larger;
}
#else
static inline uint32_t tfser_larger(uint32_t a, uint32_t b) {
    uint32_t larger = 0;
    for (int32_t i = 0; i < 32; i += 8) {
        const int8_t x = (int8_t)(uint8_t)(a >> i), y = (int8_t)(uint8_t)(b >> i);
        larger |= (uint32_t)(uint8_t)(x > y ? x : y) << i;
    }
    return larger;
}
#endif

/* Largest codes of 4 * words channels from c on. */
static inline void tfser_max_words(const tfser_taps *taps, int32_t c, int32_t words, uint32_t *largest) {
    uint32_t first = 0x80808080u, second = first;
    for (int32_t y = 0; y < taps->rows; y++) {
        const int8_t *from = taps->from + y * taps->row + c;
        for (int32_t x = taps->columns; x > 0; x--, from += taps->column) {
            first = tfser_larger(tfser_word(from), first);
            second = words == 2 ? tfser_larger(tfser_word(from + 4), second) : second;
        }
    }
    largest[0] = first;
    largest[1] = second;
}

static inline uint32_t tfser_max_codes(const tfser_taps *taps, int32_t c) {
    int32_t largest = INT8_MIN;
    for (int32_t y = 0; y < taps->rows; y++) {
        const int8_t *from = taps->from + y * taps->row + c;
        for (int32_t x = taps->columns; x > 0; x--, from += taps->column) {
            largest = *from > largest ? *from : largest;
        }
    }
    return (uint32_t)largest;
}

void tfser_max_pool_s8(const tfser_window *window, int32_t output_min, int32_t output_max, const int8_t *input,
                       int32_t pixel_stride, int32_t first, int32_t count, int8_t *output, int32_t output_stride) {
    const int32_t channels = window->input_channels;
    for (int32_t p = first; p < first + count; p++) {
        const tfser_taps taps = tfser_taps_of(window, p, input, pixel_stride);
        int8_t *to = output + (p - first) * output_stride;
        int32_t together;
        for (int32_t c = 0; c < channels; c += together) {
            uint32_t largest[2];
            together = channels - c >= 8 ? 8 : (channels - c >= 4 ? 4 : 1);
            if (together == 8) {
                tfser_max_words(&taps, c, 2, largest);
            } else if (together == 4) {
                tfser_max_words(&taps, c, 1, largest);
            } else {
                largest[0] = tfser_max_codes(&taps, c);
            }
            for (int32_t i = 0; i < together; i++) {
                const int8_t code = (int8_t)(uint8_t)(largest[i / 4] >> i % 4 * 8);
                *to++ = tfser_limited(code, output_min, output_max);
            }
        }
    }
}
