#include "wav.h"

#include <string.h>

#include "recording.h"

/* WAVE_FORMAT_EXTENSIBLE: the format proper is the beginning of an identifier at SUBFORMAT. */
#define EXTENSIBLE 0xFFFEu
#define SUBFORMAT 24u
#define FORMAT_LEAST 16u
#define FORMAT_MOST (SUBFORMAT + 2u)

static uint32_t read_u16(const uint8_t *bytes) { return bytes[0] | (uint32_t)bytes[1] << 8; }

static uint32_t read_u32(const uint8_t *bytes) { return read_u16(bytes) | read_u16(bytes + 2) << 16; }

static bool read_all(void *bytes, size_t count) { return recording_read(bytes, count) == count; }

static bool skip(uint32_t count) {
    uint8_t bytes[64];
    while (count != 0) {
        const uint32_t taken = count < sizeof bytes ? count : (uint32_t)sizeof bytes;
        if (!read_all(bytes, taken)) {
            return false;
        }
        count -= taken;
    }
    return true;
}

static bool read_format(wav_header *header, uint32_t size) {
    uint8_t bytes[FORMAT_MOST];
    const uint32_t taken = size < FORMAT_MOST ? size : FORMAT_MOST;
    if (taken < FORMAT_LEAST || !read_all(bytes, taken)) {
        return false;
    }
    header->format = read_u16(bytes);
    header->channels = read_u16(bytes + 2);
    header->rate_hz = read_u32(bytes + 4);
    header->bits = read_u16(bytes + 14);
    if (header->format == EXTENSIBLE && taken == FORMAT_MOST) {
        header->format = read_u16(bytes + SUBFORMAT);
    }
    return skip(size - taken);
}

wav_status wav_read_header(wav_header *header) {
    uint8_t bytes[12];
    if (!read_all(bytes, 12) || memcmp(bytes, "RIFF", 4) != 0 || memcmp(bytes + 8, "WAVE", 4) != 0) {
        return WAV_NO_WAV;
    }
    bool described = false;
    while (read_all(bytes, 8)) {
        const uint32_t size = read_u32(bytes + 4);
        const bool format = memcmp(bytes, "fmt ", 4) == 0;
        if (memcmp(bytes, "data", 4) == 0) {
            header->data_bytes = size;
            return described ? WAV_OK : WAV_INCOMPLETE;
        }
        /* A chunk of an odd size is followed by a byte that fills it up. */
        if (!(format ? read_format(header, size) : skip(size)) || !skip(size & 1u)) {
            break;
        }
        described = described || format;
    }
    return WAV_INCOMPLETE;
}

size_t wav_read_samples(int16_t *samples, size_t count) {
    uint8_t *const bytes = (uint8_t *)samples;
    const size_t found = recording_read(bytes, 2 * count) / 2;
    for (size_t i = 0; i < found; i++) { /* each in its own place, whatever the order of bytes is here */
        const int32_t code = (int32_t)read_u16(bytes + 2 * i);
        samples[i] = (int16_t)(code < 0x8000 ? code : code - 0x10000);
    }
    return found;
}
