/* Reads windows of samples, gives codes and probabilities. The argument says how samples are cut: all, one, random. */
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tfser.h"

static tfser_state state;
static uint32_t drawn = 12345;

static size_t next_chunk(const char *chunks) {
    drawn = drawn * 1664525u + 1013904223u;
    if (strcmp(chunks, "one") == 0) {
        return 1;
    }
    return strcmp(chunks, "all") == 0 ? TFSER_WINDOW_SAMPLES : drawn >> 16 & ((drawn & 0x1000000u) != 0 ? 63 : 2047);
}

int main(int count, char **arguments) {
    alignas(TFSER_ARENA_ALIGNMENT) static uint8_t arena[TFSER_ARENA_BYTES];
    static int16_t pcm[TFSER_WINDOW_SAMPLES];
    static int8_t codes[TFSER_FRAMES * TFSER_MEL_BANDS];
    float probability[TFSER_NUM_LABELS];
    if (count != 2) {
        return 2;
    }
    while (fread(pcm, sizeof *pcm, TFSER_WINDOW_SAMPLES, stdin) == TFSER_WINDOW_SAMPLES) {
        memset(&state, 0xA5, sizeof state);
        memset(arena, 0xA5, sizeof arena);
        if (tfser_init(&state, arena, sizeof arena) != TFSER_OK) {
            return 3;
        }
        for (size_t at = 0; at < TFSER_WINDOW_SAMPLES;) {
            const size_t wanted = next_chunk(arguments[1]), left = TFSER_WINDOW_SAMPLES - at;
            if (tfser_classify(&state, probability) != TFSER_NOT_READY) {
                return 4;
            }
            /* A chunk of its own, so that a sanitizer sees every read beyond it. */
            const size_t taken = wanted < left ? wanted : left;
            int16_t *const chunk = malloc(taken * sizeof *pcm + 1);
            if (!chunk) {
                return 5;
            }
            memcpy(chunk, pcm + at, taken * sizeof *pcm);
            const int status = tfser_feed(&state, taken != 0 ? chunk : NULL, taken);
            free(chunk);
            if (status != TFSER_OK) {
                return 6;
            }
            at += taken;
        }
        if (tfser_read_features(&state, codes) != TFSER_OK || tfser_classify(&state, probability) != TFSER_OK) {
            return 7;
        }
        fwrite(codes, 1, sizeof codes, stdout);
        fwrite(probability, sizeof *probability, TFSER_NUM_LABELS, stdout);
    }
    return 0;
}
