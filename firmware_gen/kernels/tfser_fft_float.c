/* tfser_fft_power_float: single precision. */
#include "tfser_fft.h"
#include "tfser_fused.h"

typedef float tfser_real, tfser_weight;

static inline float windowed(int16_t sample, float weight, uint32_t up, uint32_t down) {
    (void)up;
    (void)down;
    return (float)sample * weight;
}

static inline void turn(float x, float y, const float *twiddle, float *re, float *im) {
    *re = tfser_fused(x, twiddle[0], y * twiddle[1]);
    *im = tfser_fused(y, twiddle[0], -(x * twiddle[1]));
}

#include "tfser_fft_core.h"

void tfser_fft_power_float(const int16_t *pcm, uint32_t fourths, const float *window, const uint16_t *reversed,
                           const float *twiddle, uint32_t log2_size, float *work) {
    const uint32_t half = (uint32_t)1 << (log2_size - 1);
    const tfser_fft_input input = {pcm, window, fourths, 0, 0};
    twiddle = tfser_fft_complex(work, input, reversed, twiddle, log2_size - 1);
    const float first = 2.0f * (work[0] + work[1]), last = 2.0f * (work[0] - work[1]);
    work[0] = first * first;
    work[2 * half] = last * last;
    for (uint32_t k = 1; k < half / 2; k++, twiddle += 2) {
        /* 2 X[k] = even + turned, conj(2 X[half - k]) = even - turned */
        float *const low = work + 2 * k, *const high = work + 2 * (half - k);
        const float even_re = low[0] + high[0], even_im = low[1] - high[1];
        float re, im;
        turn(low[1] + high[1], high[0] - low[0], twiddle, &re, &im);
        const float low_re = even_re + re, low_im = even_im + im, high_re = even_re - re, high_im = even_im - im;
        low[0] = tfser_fused(low_re, low_re, low_im * low_im);
        high[0] = tfser_fused(high_re, high_re, high_im * high_im);
    }
    work[half] = 4.0f * (work[half] * work[half] + work[half + 1] * work[half + 1]);
}
