/* One frame of samples to one row of log-mel values. */
#ifndef TFSER_FRAME_H
#define TFSER_FRAME_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the two forms share.
 *   start, window_samples  the part of the frame that the window covers
 *   fourths, reversed      see tfser_fft.h
 *   mel_start   [bands], first bin of each band
 *   mel_bins    [bands], number of its bins
 *   offset      [bands], Q22: what is taken from the logarithm so that the floor of the power is 0
 *   log2        the table of tfser_log2.h
 *   value_bits  of the fraction of the values that come out, at most 22 */
typedef struct {
    uint32_t log2_size, start, window_samples, fourths, bands, value_bits;
    const uint16_t *reversed, *mel_start, *mel_bins;
    const int32_t *offset;
    const uint32_t *log2;
} tfser_frame_layout;

/* window: [window_samples]; mel: the bands' weights one after the other; twiddle: see tfser_fft.h. */
typedef struct {
    tfser_frame_layout layout;
    const float *window, *mel, *twiddle;
} tfser_frame_float_tables;

/* window, twiddle: Q31; mel: parts of the band's largest weight, 65535 being the whole. */
typedef struct {
    tfser_frame_layout layout;
    const int32_t *window;
    const uint16_t *mel;
    const int32_t *twiddle;
} tfser_frame_fixed_tables;

#define TFSER_VALUE_MOST 0xFFFFFFu

/* value[b] = log2(max(mel power of band b, floor) / floor) in units of 2^-value_bits, at most TFSER_VALUE_MOST.
 * pcm: [2^log2_size], any samples. work: 2^log2_size + 2 words, for the time of the call.
 * In fixed point a band has at most 256 bins, and the frame is first shifted up as far as it goes, so that quiet frames
 * lose nothing; what lies 100 dB below the loudest part of its frame is lost in its roundings.
 * Golden: any tables, samples that are all 0 -> 0 in every band. */
void tfser_frame_float(const tfser_frame_float_tables *tables, const int16_t *pcm, float *work, uint32_t *value);
void tfser_frame_fixed(const tfser_frame_fixed_tables *tables, const int16_t *pcm, int32_t *work, uint32_t *value);

#ifdef __cplusplus
}
#endif

#endif /* TFSER_FRAME_H */
