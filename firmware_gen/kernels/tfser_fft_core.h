/* The transform of tfser_fft.h for one kind of number. The source that includes this has defined
 *   tfser_real, tfser_weight                the number, and that of the window;
 *   windowed(sample, weight, up, down)      a sample of the frame, as the transform takes it;
 *   turn(x, y, twiddle, &re, &im)           (re, im) = (x, y) * (cos - i sin).
 *
 * Two real sequences, even and odd samples, are transformed as one complex sequence of half the length: radix 4,
 * decimation in time. Its input is in the order of reversed bits, which the windowing gives for nothing; so of
 * four sub-transforms that follow each other, the second is that of residue 2 and the third that of residue 1. */
#ifndef TFSER_FFT_CORE_H
#define TFSER_FFT_CORE_H

#include <stdint.h>

typedef struct {
    tfser_real re, im;
} tfser_complex;

/* The butterfly of four values whose twiddles have been applied: b is residue 1, c residue 2, d residue 3. */
static inline void tfser_fft_four(tfser_real *z, uint32_t step, tfser_complex a, tfser_complex c, tfser_complex b,
                                  tfser_complex d) {
    const tfser_complex even = {a.re + c.re, a.im + c.im}, odd = {a.re - c.re, a.im - c.im};
    const tfser_complex sum = {b.re + d.re, b.im + d.im}, difference = {b.re - d.re, b.im - d.im};
    z[0] = even.re + sum.re;
    z[1] = even.im + sum.im;
    z[step] = odd.re + difference.im;
    z[step + 1] = odd.im - difference.re;
    z[2 * step] = even.re - sum.re;
    z[2 * step + 1] = even.im - sum.im;
    z[3 * step] = odd.re - difference.im;
    z[3 * step + 1] = odd.im + difference.re;
}

static inline tfser_complex tfser_fft_at(const tfser_real *z) {
    const tfser_complex value = {z[0], z[1]};
    return value;
}

static inline tfser_complex tfser_fft_turned(const tfser_real *z, const tfser_real *twiddle) {
    tfser_complex value;
    turn(z[0], z[1], twiddle, &value.re, &value.im);
    return value;
}

/* One stage: sub-transforms of `quarter` points become those of 4 * quarter. Returns the next stage's twiddles. */
static const tfser_real *tfser_fft_stage(tfser_real *z, const tfser_real *twiddle, uint32_t points, uint32_t quarter) {
    const uint32_t step = 2 * quarter;
    const tfser_real *const next = twiddle + 6 * (quarter - 1);
    for (tfser_real *const end = z + 2 * points; z < end; z += 3 * step) {
        tfser_fft_four(z, step, tfser_fft_at(z), tfser_fft_at(z + step), tfser_fft_at(z + 2 * step),
                       tfser_fft_at(z + 3 * step));
        z += 2;
        for (const tfser_real *turns = twiddle; turns < next; turns += 6, z += 2) {
            tfser_fft_four(z, step, tfser_fft_at(z), tfser_fft_turned(z + step, turns + 2),
                           tfser_fft_turned(z + 2 * step, turns), tfser_fft_turned(z + 3 * step, turns + 4));
        }
    }
    return next;
}

typedef struct {
    const int16_t *pcm;
    const tfser_weight *window;
    uint32_t fourths, up, down;
} tfser_fft_input;

static inline tfser_complex tfser_fft_pair(const tfser_fft_input *input, uint32_t at) {
    const tfser_complex value = {windowed(input->pcm[at], input->window[at], input->up, input->down),
                                 windowed(input->pcm[at + 1], input->window[at + 1], input->up, input->down)};
    return value;
}

/* Windowing and the first stage, which needs no twiddles: radix 4, or 2 where the number of bits is odd. */
static uint32_t tfser_fft_first(tfser_real *z, tfser_fft_input input, const uint16_t *reversed, uint32_t log2_points) {
    const uint32_t points = (uint32_t)1 << log2_points;
    if (log2_points % 2 != 0) {
        for (uint32_t i = 0; i < points / 2; i++) {
            const tfser_complex a = tfser_fft_pair(&input, 2 * i), b = tfser_fft_pair(&input, 2 * i + points);
            tfser_real *const at = z + 2u * reversed[i];
            at[0] = a.re + b.re;
            at[1] = a.im + b.im;
            at[2] = a.re - b.re;
            at[3] = a.im - b.im;
        }
        return 2;
    }
    uint32_t i = 0;
    for (; i < input.fourths; i++, input.pcm += 2, input.window += 2) {
        tfser_fft_four(z + 2u * reversed[i], 2, tfser_fft_pair(&input, 0), tfser_fft_pair(&input, points),
                       tfser_fft_pair(&input, points / 2), tfser_fft_pair(&input, points + points / 2));
    }
    const tfser_complex zero = {0, 0};
    for (; i < points / 4; i++, input.pcm += 2, input.window += 2) {
        tfser_fft_four(z + 2u * reversed[i], 2, tfser_fft_pair(&input, 0), tfser_fft_pair(&input, points),
                       tfser_fft_pair(&input, points / 2), zero);
    }
    return 4;
}

/* Returns the twiddles that are left: those that separate the two real sequences. */
static const tfser_real *tfser_fft_complex(tfser_real *z, tfser_fft_input input, const uint16_t *reversed,
                                           const tfser_real *twiddle, uint32_t log2_points) {
    const uint32_t points = (uint32_t)1 << log2_points;
    for (uint32_t quarter = tfser_fft_first(z, input, reversed, log2_points); quarter < points; quarter *= 4) {
        twiddle = tfser_fft_stage(z, twiddle, points, quarter);
    }
    return twiddle;
}

#endif /* TFSER_FFT_CORE_H */
