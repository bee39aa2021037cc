/* Reads a WAV file from front to back, a little at a time. */
#ifndef WAV_H
#define WAV_H

#include <stddef.h>
#include <stdint.h>

#define WAV_PCM 1u

typedef struct {
    uint32_t format; /* WAV_PCM, or another of the WAVE_FORMAT numbers */
    uint32_t channels, rate_hz, bits;
    uint32_t data_bytes; /* of samples, as the file promises */
} wav_header;

typedef enum {
    WAV_OK,
    WAV_NO_WAV,     /* the file does not begin as a WAV file does */
    WAV_INCOMPLETE, /* it ends before its samples, or they come before their format */
} wav_status;

/* Reads the open recording up to its first sample. */
wav_status wav_read_header(wav_header *header);

/* Samples that were read, of 16 bits: `count`, or fewer where the file is cut. */
size_t wav_read_samples(int16_t *samples, size_t count);

#endif /* WAV_H */
