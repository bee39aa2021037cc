/* Discrete Fourier transform of real samples, in place, and its power. */
#ifndef TFSER_FFT_H
#define TFSER_FFT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A transform of 2^log2_size windowed samples, 3 <= log2_size <= 14; let half be 2^(log2_size - 1).
 *
 * pcm, window: [3/4 2^log2_size + 2 fourths], the rest is taken as zeros; fourths is at most 2^log2_size / 8, and this
 * where log2_size is even. reversed: [half / 2], the log2_size - 1 bits of the index in reverse.
 * work: [half + 1][2]. On return work[k] holds the power of bin k, 0 <= k <= half.
 * twiddle: pairs of cos and sin of 2 pi x in the order of use. A stage that makes transforms of 4 q points has, for j
 * from 1 to q - 1, those of j, 2j and 3j / 4q; the first has q = 4, or 2 where log2_size is even, the last 4 q = half.
 * Then those of k / 2^log2_size for k from 1 to half / 2 - 1.
 *
 * Float: power = 4 |X|^2 as the first float of work[k]; sums and products round to nearest in single precision.
 * Fixed point: window and twiddle in Q31 with 1.0 as 2^31 - 1; samples are multiplied by 2^up, which must leave
 * them int16, and the window; power = |X * 2^(16 - log2_size)|^2 of these as a uint64_t in the place of work[k], its
 * low word first. Products are rounded down in units of 2^(log2_size - 15) samples. The window's sum is at most half.
 * Golden, log2_size 3, x = (4, 0, 0, 0, 0, 0, 0, 0): in each of 5 bins 64 with a window of 1.0 (float), and 2^32 with
 * one of 0.5 (fixed point, up = 2). */
void tfser_fft_power_float(const int16_t *pcm, uint32_t fourths, const float *window, const uint16_t *reversed,
                           const float *twiddle, uint32_t log2_size, float *work);
void tfser_fft_power_fixed(const int16_t *pcm, uint32_t up, uint32_t fourths, const int32_t *window,
                           const uint16_t *reversed, const int32_t *twiddle, uint32_t log2_size, int32_t *work);

#ifdef __cplusplus
}
#endif

#endif /* TFSER_FFT_H */
