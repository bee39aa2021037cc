/* Carries out calls of tfser.h that it reads from its input: a letter, which of the states, a count, then what the call
 * takes. Gives back each status and, after 'c' and 'r', the result's bytes, which were FILL before the call. Everything
 * that is passed has memory of exactly its size, so that a sanitizer sees each access beyond it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tfser.h"

#define STATES 4
#define FILL 0xA5

static void *filled(size_t bytes) {
    void *const memory = malloc(bytes);
    if (!memory) {
        exit(3);
    }
    return memset(memory, FILL, bytes);
}

static void *taken(size_t bytes) {
    void *const memory = filled(bytes != 0 ? bytes : 1);
    if (fread(memory, 1, bytes, stdin) != bytes) {
        exit(4);
    }
    return memory;
}

static void give(const void *bytes, size_t count) { fwrite(bytes, 1, count, stdout); }

static int call(char letter, tfser_state *state, uint8_t *arena, size_t count, int8_t *codes, float *probability) {
    int status = 0;
    if (letter == 'i') {
        memset(state, FILL, sizeof *state);
        memset(arena, FILL, TFSER_ARENA_BYTES);
        status = tfser_init(state, arena, TFSER_ARENA_BYTES);
    } else if (letter == 'f') {
        int16_t *const pcm = taken(count * sizeof *pcm);
        status = tfser_feed(state, count != 0 ? pcm : NULL, count);
        free(pcm);
    } else if (letter == 'o') {
        tfser_options *const options = taken(sizeof *options);
        status = tfser_set_options(state, options);
        free(options);
    } else if (letter == 'c') {
        status = tfser_classify(state, probability);
    } else {
        status = tfser_read_features(state, codes);
    }
    return status;
}

int main(void) {
    tfser_state *state[STATES];
    uint8_t *arena[STATES];
    uint32_t head[3];
    for (int i = 0; i < STATES; i++) {
        state[i] = memset(filled(sizeof *state[i]), 0, sizeof *state[i]);
        arena[i] = filled(TFSER_ARENA_BYTES);
    }
    while (fread(head, sizeof head, 1, stdin) == 1) {
        const uint32_t which = head[1] % STATES;
        int8_t *const codes = filled(TFSER_FRAMES * TFSER_MEL_BANDS);
        float *const probability = filled(TFSER_NUM_LABELS * sizeof *probability);
        const int32_t status = call((char)head[0], state[which], arena[which], head[2], codes, probability);
        give(&status, sizeof status);
        give(codes, head[0] == 'r' ? TFSER_FRAMES * TFSER_MEL_BANDS : 0);
        give(probability, head[0] == 'c' ? TFSER_NUM_LABELS * sizeof *probability : 0);
        free(codes);
        free(probability);
    }
    for (int i = 0; i < STATES; i++) {
        free(state[i]);
        free(arena[i]);
    }
    return 0;
}
