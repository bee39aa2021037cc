"""A model of a few lines with the interface of generated C: what an image needs, without the compiler."""

from __future__ import annotations

import numpy as np

INPUT_BYTES, OUTPUT_BYTES, PARTS = 40, 8, 3

HEADER = f"""
#ifndef TFSER_MODEL_H
#define TFSER_MODEL_H
#include <stdint.h>
#define TFSER_MODEL_INPUT_BYTES {INPUT_BYTES}
#define TFSER_MODEL_OUTPUT_BYTES {OUTPUT_BYTES}
#define TFSER_MODEL_ARENA_BYTES 64
#define TFSER_MODEL_ARENA_ALIGNMENT 16
#define TFSER_MODEL_INPUT_OFFSET 0
#define TFSER_MODEL_OUTPUT_OFFSET 48
int tfser_model_run(const int8_t *input, int8_t *output, void *arena);
#endif
"""

WEIGHTS = np.arange(INPUT_BYTES, dtype=np.int8) - 20

FILES = {
    "tfser_model.h": HEADER,
    "tfser_profile.h": "void tfser_profile_part(int part);\n",
    "tfser_weights.c": '#include <stdint.h>\n#include "tfser_weights.h"\n'
                       f"const int8_t weights[{INPUT_BYTES}] = {{{', '.join(map(str, WEIGHTS))}}};\n",
    "tfser_weights.h": f"#include <stdint.h>\nextern const int8_t weights[{INPUT_BYTES}];\n",
    "tfser_model.c": """
#include "tfser_model.h"
#include "tfser_weights.h"
#if defined(TFSER_PROFILE)
#include "tfser_profile.h"
#define PART(number) tfser_profile_part(number)
#else
#define PART(number) (void)0
#endif
#ifndef TURNS
#define TURNS 16
#endif
#ifndef DEEP
#define DEEP 16
#endif
#if defined(__arm__)
/* Two instructions a turn. */
static void spend(uint32_t turns) { __asm volatile("1: subs %0, %0, #1\\n bne 1b" : "+r"(turns) : : "cc"); }
#else
static void spend(uint32_t turns) { (void)turns; }
#endif
__attribute__((noinline)) static int8_t sum(const int8_t *x) {
    volatile int8_t product[DEEP];
    int8_t total = 0;
    for (int i = 0; i < TFSER_MODEL_INPUT_BYTES; i++) {
        product[i % DEEP] = (int8_t)(x[i] * weights[i]);
        total = (int8_t)(total + product[i % DEEP]);
    }
    return total;
}
int tfser_model_run(const int8_t *input, int8_t *output, void *arena) {
    if (arena == 0 || input[0] == -128) {
        return -2;
    }
    PART(0);
    const int8_t total = sum(input);
    for (unsigned turn = 0; turn < 4; turn++) {
        PART(1);
        spend(TURNS / 16u * 3u);
        PART(2);
        spend(TURNS / 16u);
    }
    for (int i = 0; i < TFSER_MODEL_OUTPUT_BYTES; i++) {
        output[i] = (int8_t)(total + i);
    }
    PART(3);
    return 0;
}
""",
}


def files(*, turns: int = 16, deep: int = 16) -> dict[str, str]:
    """Sources of a model that takes 2 * ``turns`` instructions and ``deep`` bytes of stack, and a little more."""
    model = f"#define TURNS {turns}u\n#define DEEP {deep}\n{FILES['tfser_model.c']}"
    return {**FILES, "tfser_model.c": model}


def expected(inputs: np.ndarray) -> np.ndarray:
    """What the model gives, in NumPy."""
    totals = (inputs.reshape(len(inputs), -1).astype(np.int32) * WEIGHTS).sum(axis=1)
    return (totals[:, None] + np.arange(OUTPUT_BYTES)).astype(np.int8)


def inputs(count: int = 3, seed: int = 0) -> np.ndarray:
    """Random inputs that the model takes."""
    return np.random.default_rng(seed).integers(-127, 128, (count, INPUT_BYTES)).astype(np.int8)
