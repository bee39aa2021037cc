/* tfser_fft_power_fixed: 32-bit integers with 64-bit products. */
#include "tfser_fft.h"

typedef int32_t tfser_real, tfser_weight;

/* Products are taken to 31 bits; the transform takes 30 - log2_size. */
static inline int32_t windowed(int16_t sample, int32_t weight, uint32_t up, uint32_t down) {
    const int32_t product = (int32_t)(((int64_t)(sample * ((int32_t)1 << up) * 0x10000) * weight) >> 32);
    return product >> down;
}

static inline void turn(int32_t x, int32_t y, const int32_t *twiddle, int32_t *re, int32_t *im) {
    *re = (int32_t)(((int64_t)x * twiddle[0] + (int64_t)y * twiddle[1]) >> 31);
    *im = (int32_t)(((int64_t)y * twiddle[0] - (int64_t)x * twiddle[1]) >> 31);
}

#include "tfser_fft_core.h"

static inline void put_power(int32_t *at, int32_t re, int32_t im) {
    const uint64_t power = (uint64_t)((int64_t)re * re) + (uint64_t)((int64_t)im * im);
    at[0] = (int32_t)(uint32_t)power;
    at[1] = (int32_t)(uint32_t)(power >> 32);
}

void tfser_fft_power_fixed(const int16_t *pcm, uint32_t up, uint32_t fourths, const int32_t *window,
                           const uint16_t *reversed, const int32_t *twiddle, uint32_t log2_size, int32_t *work) {
    const uint32_t half = (uint32_t)1 << (log2_size - 1);
    const tfser_fft_input input = {pcm, window, fourths, up, log2_size};
    twiddle = tfser_fft_complex(work, input, reversed, twiddle, log2_size - 1);
    const int32_t first = 2 * (work[0] + work[1]), last = 2 * (work[0] - work[1]);
    put_power(work, first, 0);
    put_power(work + 2 * half, last, 0);
    for (uint32_t k = 1; k < half / 2; k++, twiddle += 2) {
        /* 2 X[k] = even + turned, conj(2 X[half - k]) = even - turned */
        int32_t *const low = work + 2 * k, *const high = work + 2 * (half - k);
        const int32_t even_re = low[0] + high[0], even_im = low[1] - high[1];
        int32_t re, im;
        turn(low[1] + high[1], high[0] - low[0], twiddle, &re, &im);
        put_power(low, even_re + re, even_im + im);
        put_power(high, even_re - re, even_im - im);
    }
    put_power(work + half, 2 * work[half], 2 * work[half + 1]);
}
