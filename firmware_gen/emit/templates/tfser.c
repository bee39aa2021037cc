#include "tfser.h"

#include <string.h>

#include "tfser_feature_tables.h"
#include "tfser_features.h"
#include "tfser_frame.h"
#include "tfser_model.h"

/* The arena: what is needed only during a call (the model's arena, or the transform's), then the ring in two planes. */
#define VALUES (TFSER_FRAMES * TFSER_MEL_BANDS)
#define HIGH_OFFSET $high_offset
#define LOW_OFFSET $low_offset

static uint16_t *high_plane(const tfser_state *state) { return (uint16_t *)(void *)(state->arena + HIGH_OFFSET); }
static uint8_t *low_plane(const tfser_state *state) { return state->arena + LOW_OFFSET; }

int tfser_init(tfser_state *state, void *arena, size_t arena_bytes) {
    if (!state) {
        return TFSER_ERROR_NULL;
    }
    memset(state, 0, sizeof *state);
    if (!arena) {
        return TFSER_ERROR_NULL;
    }
    if ((uintptr_t)arena % TFSER_ARENA_ALIGNMENT != 0) {
        return TFSER_ERROR_ALIGNMENT;
    }
    if (arena_bytes < TFSER_ARENA_BYTES) {
        return TFSER_ERROR_ARENA_TOO_SMALL;
    }
    state->arena = (uint8_t *)arena;
    return TFSER_OK;
}

int tfser_set_options(tfser_state *state, const tfser_options *options) {
    if (!state || !options) {
        return TFSER_ERROR_NULL;
    }
    if (!state->arena) {
        return TFSER_ERROR_NOT_INITIALISED;
    }
    /* Written so that NaN is refused. */
    if (!(options->gate_db >= 0.0f && options->gate_db <= 1000.0f) ||
        !(options->smoothing >= 0.0f && options->smoothing < 1.0f)) {
        return TFSER_ERROR_OPTIONS;
    }
    state->options = *options;
    return TFSER_OK;
}

static void add_frame(tfser_state *state) {
    $real *const work = ($real *)(void *)state->arena;
    uint32_t *const value = (uint32_t *)(void *)state->arena + TFSER_FRAME_SAMPLES + 2;
    const uint32_t at = state->row * TFSER_MEL_BANDS;
    tfser_frame_$form(&tfser_frame_tables, state->pcm, work, value);
    tfser_features_put(high_plane(state) + at, low_plane(state) + at, value, TFSER_MEL_BANDS);
    state->row = state->row + 1 < TFSER_FRAMES ? state->row + 1 : 0;
    if (state->rows < TFSER_FRAMES) {
        state->rows++;
    }
}

int tfser_feed(tfser_state *state, const int16_t *pcm, size_t samples) {
    if (!state || (!pcm && samples != 0)) {
        return TFSER_ERROR_NULL;
    }
    if (!state->arena) {
        return TFSER_ERROR_NOT_INITIALISED;
    }
    while (samples != 0) {
        const size_t room = TFSER_FRAME_SAMPLES - state->filled, taken = samples < room ? samples : room;
        memcpy(state->pcm + state->filled, pcm, taken * sizeof *pcm);
        state->filled += (uint32_t)taken;
        pcm += taken;
        samples -= taken;
        if (state->filled == TFSER_FRAME_SAMPLES) {
            add_frame(state);
            state->filled = TFSER_FRAME_SAMPLES - TFSER_HOP_SAMPLES;
            memmove(state->pcm, state->pcm + TFSER_HOP_SAMPLES, state->filled * sizeof *pcm);
        }
    }
    return TFSER_OK;
}

static int check(const tfser_state *state, const void *result) {
    if (!state || !result) {
        return TFSER_ERROR_NULL;
    }
    if (!state->arena) {
        return TFSER_ERROR_NOT_INITIALISED;
    }
    return state->rows < TFSER_FRAMES ? TFSER_NOT_READY : TFSER_OK;
}

static uint32_t window_level(const tfser_state *state) {
    return tfser_features_select(high_plane(state), low_plane(state), VALUES, TFSER_LEVEL_RANK,
                                 (uint32_t *)(void *)state->arena);
}

static void quantise(const tfser_state *state, uint32_t found, int8_t *features) {
    const uint32_t level = found > TFSER_LEVEL_LEAST ? found : TFSER_LEVEL_LEAST;
    const uint32_t oldest = state->row * TFSER_MEL_BANDS, first = TFSER_FRAMES - state->row;
    const uint16_t *const high = high_plane(state);
    const uint8_t *const low = low_plane(state);
    tfser_features_quantise(&tfser_code_tables, high + oldest, low + oldest, first, level, features);
    tfser_features_quantise(&tfser_code_tables, high, low, state->row, level, features + first * TFSER_MEL_BANDS);
}

/* Softmax of the dequantised logits. */
static void probabilities(const int8_t *logit, float probability[TFSER_NUM_LABELS]) {
    int32_t most = logit[0];
    float sum = 0.0f;
    for (uint32_t i = 1; i < TFSER_NUM_LABELS; i++) {
        most = logit[i] > most ? logit[i] : most;
    }
    for (uint32_t i = 0; i < TFSER_NUM_LABELS; i++) {
        probability[i] = tfser_exp_table[most - logit[i]];
        sum += probability[i];
    }
    for (uint32_t i = 0; i < TFSER_NUM_LABELS; i++) {
        probability[i] /= sum;
    }
}

static void smooth(tfser_state *state, float probability[TFSER_NUM_LABELS]) {
    const float kept = state->smoothed != 0 ? state->options.smoothing : 0.0f;
    for (uint32_t i = 0; i < TFSER_NUM_LABELS; i++) {
        probability[i] += kept * (state->last[i] - probability[i]);
        state->last[i] = probability[i];
    }
    state->smoothed = 1;
}

int tfser_classify(tfser_state *state, float probability[TFSER_NUM_LABELS]) {
    const int status = check(state, probability);
    if (status != TFSER_OK) {
        return status;
    }
    const uint32_t level = window_level(state);
    if ((float)level * TFSER_DB_PER_VALUE < state->options.gate_db) {
        return TFSER_QUIET;
    }
    int8_t *const input = (int8_t *)state->arena + TFSER_MODEL_INPUT_OFFSET;
    int8_t *const output = (int8_t *)state->arena + TFSER_MODEL_OUTPUT_OFFSET;
    quantise(state, level, input);
    (void)tfser_model_run(input, output, state->arena); /* it refuses only what tfser_init has ruled out */
    probabilities(output, probability);
    smooth(state, probability);
    return TFSER_OK;
}

int tfser_read_features(tfser_state *state, int8_t features[TFSER_FRAMES * TFSER_MEL_BANDS]) {
    const int status = check(state, features);
    if (status == TFSER_OK) {
        quantise(state, window_level(state), features);
    }
    return status;
}
