/* The depthwise kernel of the pairs form in portable C: taps one by one, four neighbouring outputs at a time. */
#ifndef TFSER_DEPTHWISE_SCALAR_H
#define TFSER_DEPTHWISE_SCALAR_H

#include "tfser_depthwise.h"

/* Where tap kx of a row is among the weights in scratch, and how many numbers a row takes. */
#if defined(TFSER_SMMULR)
static inline int32_t tfser_tap_at(int32_t kx) { return 2 + kx / 2 * 4 + kx % 2; }
static inline int32_t tfser_taps_row(const tfser_window *window) { return 4 * tfser_tap_pairs(window); }
#else
static inline int32_t tfser_tap_at(int32_t kx) { return kx; }
static inline int32_t tfser_taps_row(const tfser_window *window) { return window->kernel_width; }

/* Taps to scratch one after the other; gives their sum. */
static inline int32_t tfser_load_taps(const tfser_depthwise *of, const int8_t *weights) {
    int16_t *to = tfser_first_tap(of);
    int32_t sum = 0;
    for (int32_t ky = 0; ky < of->window.kernel_height; ky++, weights += of->weight_row) {
        const int8_t *from = weights;
        for (int32_t kx = of->window.kernel_width; kx > 0; kx--, from += of->weight_column) {
            sum += *from;
            *to++ = *from;
        }
    }
    return sum;
}

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

/* Sums of `count` outputs of a row, the first tap of the first at x. */
static inline void tfser_any_sums(const tfser_depthwise *of, const int16_t *x, int32_t count, int32_t *sums) {
    const tfser_window *window = &of->window;
    const int32_t step = window->stride_width;
    for (int32_t i = 0; i < count; i += 4) {
        const int32_t last = count - 1 - i; /* outputs that are not there repeat the last */
        const int32_t second = last < 1 ? 0 : step, third = tfser_least(last, 2) * step;
        const int32_t fourth = tfser_least(last, 3) * step;
        const int16_t *taps = tfser_first_tap(of);
        uint32_t a = (uint32_t)of->weights[0], b = a, c = a, d = a;
        for (int32_t ky = 0; ky < window->kernel_height; ky++) {
            const int16_t *from = x + i * step + ky * window->dilation_height * of->row;
            for (int32_t kx = 0; kx < window->kernel_width; kx++) {
                const int32_t w = taps[tfser_tap_at(kx)];
                a += (uint32_t)(w * from[0]);
                b += (uint32_t)(w * from[second]);
                c += (uint32_t)(w * from[third]);
                d += (uint32_t)(w * from[fourth]);
                from += of->tap;
            }
            taps += tfser_taps_row(window);
        }
        sums[i] = (int32_t)a;
        sums[i + 1] = (int32_t)b;
        sums[i + 2] = (int32_t)c;
        sums[i + 3] = (int32_t)d;
    }
}

#if !defined(TFSER_SMMULR)
/* The same for neighbouring outputs and taps: three taps at a time, each number read once. Reads up to three columns
 * behind the row. */
static inline void tfser_neighbours(const tfser_depthwise *of, const int16_t *x, int32_t count, int32_t *sums) {
    const tfser_window *window = &of->window;
    const int32_t row = window->dilation_height * of->row - window->kernel_width;
    for (int32_t i = 0; i < count; i += 4, sums += 4) {
        const int16_t *from = x + i, *taps = tfser_first_tap(of);
        int32_t a = of->weights[0], b = a, c = a, d = a;
        for (int32_t ky = window->kernel_height; ky > 0; ky--, from += row) {
            int32_t kx = window->kernel_width;
            for (; kx >= 3; kx -= 3, from += 3, taps += 3) {
                const int32_t u = taps[0], v = taps[1], w = taps[2];
                const int32_t x1 = from[1], x2 = from[2], x3 = from[3], x4 = from[4];
                a += u * from[0] + v * x1 + w * x2;
                b += u * x1 + v * x2 + w * x3;
                c += u * x2 + v * x3 + w * x4;
                d += u * x3 + v * x4 + w * from[5];
            }
            for (; kx > 0; kx--, from++, taps++) {
                a += *taps * from[0];
                b += *taps * from[1];
                c += *taps * from[2];
                d += *taps * from[3];
            }
        }
        sums[0] = a;
        sums[1] = b;
        sums[2] = c;
        sums[3] = d;
    }
}

static inline void tfser_rows_of_sums(const tfser_depthwise *of, tfser_sums *todo, int32_t count, int32_t held) {
    for (int32_t y = 0; y < todo->rows; y++, todo->x += todo->next / 2) {
        if (of->taps == TFSER_NEIGHBOURS || of->taps == TFSER_THREE) {
            tfser_neighbours(of, todo->x, count, todo->sums + y * held);
        } else {
            tfser_any_sums(of, todo->x, count, todo->sums + y * held);
        }
    }
}
#endif

static inline void tfser_any_codes(const tfser_depthwise *of, const tfser_codes *todo) {
    const int32_t low = of->layer->output_min, high = of->layer->output_max, narrow = of->layer->narrow;
    const int32_t multiplier = todo->multiplier, right = todo->right, zero_point = todo->zero_point, step = todo->step;
    const int8_t *table = todo->table;
    const int32_t *sums = todo->sums;
    for (int32_t y = 0; y < todo->rows; y++) {
        int8_t *to = todo->output + y * todo->next;
        for (int32_t x = 4 * todo->fours + todo->singles; x > 0; x--, to += step) {
            const int32_t sum = of->scale == 2 ? *sums / 2 : *sums;
            const int32_t scaled = narrow != 0 ? tfser_rescale_narrow(sum, multiplier, right)
                                               : tfser_rescale(sum, multiplier, -right);
            const int32_t code = tfser_clamp(scaled, zero_point, low, high);
            *to = table != 0 ? table[code] : (int8_t)code;
            sums++;
        }
        sums += todo->skipped / 4;
    }
}

#if !defined(TFSER_SMMULR)
static inline void tfser_rows_of_codes(const tfser_depthwise *of, const tfser_codes *todo) {
    tfser_any_codes(of, todo);
}
#endif

#endif /* TFSER_DEPTHWISE_SCALAR_H */
