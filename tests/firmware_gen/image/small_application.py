"""An application layer of a few lines around the small model: what listening needs, without the compiler."""

from __future__ import annotations

import numpy as np
import small_model

LABELS, FRAMES, BANDS = small_model.OUTPUT_BYTES, 8, 5
WINDOW = 640

HEADER = f"""
#ifndef TFSER_H
#define TFSER_H
#include <stddef.h>
#include <stdint.h>
#define TFSER_FRAMES {FRAMES}
#define TFSER_MEL_BANDS {BANDS}
#define TFSER_NUM_LABELS {LABELS}
#define TFSER_ARENA_BYTES 128
#define TFSER_OK 0
typedef struct {{ void *arena; uint32_t heard; int32_t sum; }} tfser_state;
int tfser_init(tfser_state *state, void *arena, size_t arena_bytes);
int tfser_feed(tfser_state *state, const int16_t *pcm, size_t samples);
int tfser_classify(tfser_state *state, float *probability);
int tfser_read_features(tfser_state *state, int8_t *features);
#endif
"""

#: A sample takes a turn of at least two instructions. Features are the sum of all samples, counted up.
SOURCE = f"""
#include "tfser.h"
#include "tfser_model.h"
int tfser_init(tfser_state *state, void *arena, size_t arena_bytes) {{
    state->arena = arena;
    state->heard = 0;
    state->sum = 0;
    return arena_bytes == TFSER_ARENA_BYTES ? 0 : -3;
}}
int tfser_feed(tfser_state *state, const int16_t *pcm, size_t samples) {{
    for (size_t i = 0; i < samples; i++) {{
        state->sum += pcm[i];
        __asm volatile("" : : : "memory");
    }}
    state->heard += (uint32_t)samples;
    return 0;
}}
int tfser_read_features(tfser_state *state, int8_t *features) {{
    for (int i = 0; i < {FRAMES * BANDS}; i++) {{
        features[i] = (int8_t)(state->sum + i);
    }}
    return state->heard < {WINDOW} ? 1 : 0;
}}
int tfser_classify(tfser_state *state, float *probability) {{
    int8_t features[{FRAMES * BANDS}], output[{LABELS}];
    const int status = tfser_read_features(state, features);
    if (status != 0) {{
        return status;
    }}
    (void)tfser_model_run(features, output, state->arena);
    for (int i = 0; i < {LABELS}; i++) {{
        probability[i] = (float)output[i] / 8.0f;
    }}
    return CLASSIFIED;
}}
"""


def files(classified: int = 0) -> dict[str, str]:
    """Sources whose decisions have the status ``classified``."""
    return {**small_model.files(), "tfser.h": HEADER, "tfser.c": SOURCE.replace("CLASSIFIED", str(classified))}


def expected(pcm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features and outputs after ``pcm`` was heard from the beginning."""
    features = (int(pcm.astype(np.int64).sum()) + np.arange(FRAMES * BANDS)).astype(np.int64).astype(np.int8)
    return features, small_model.expected(features[None])[0]
