/* Puts recordings through the application layer. The input file holds, behind the word ASKED_RECORDING, stretches of
 * them: the word 1 where a recording begins and 0 where it goes on, the number of samples, and these. At the end of a
 * stretch there is a decision. The output file receives for each the int8 features, the model's int8 output for them and
 * the probabilities (zeros where there is none); the file of measurements the words
 *   status of tfser_classify; ticks that tfser_feed took; ticks of tfser_model_run; ticks of tfser_classify, in which
 *   the model runs once more; bytes of stack that all this took, or STACK_OVERRUN. */
#include <stdalign.h>

#include "harness.h"
#include "platform.h"
#include "tfser.h"
#include "tfser_model.h"

#define CHUNK_SAMPLES 256u /* what a microphone's buffer may hold */
#define FEATURES (TFSER_FRAMES * TFSER_MEL_BANDS)

typedef struct {
    uint32_t begins, samples;
} stretch;

typedef struct {
    int32_t status;
    uint32_t feed, model, classify, stack;
} record;

typedef struct {
    int8_t features[FEATURES], output[TFSER_NUM_LABELS];
    float probability[TFSER_NUM_LABELS];
} decision;

static tfser_state state;
static int16_t chunk[CHUNK_SAMPLES];
static decision made;

static void clear_decision(void) {
    for (uint32_t i = 0; i < FEATURES; i++) {
        made.features[i] = 0;
    }
    for (uint32_t i = 0; i < TFSER_NUM_LABELS; i++) {
        made.output[i] = 0;
        made.probability[i] = 0.0f;
    }
}

/* Inlined, so that no frame of theirs counts as stack of the application. */
#define PART __attribute__((always_inline)) static inline

PART void feed(uint32_t samples, record *found) {
    platform_start_clock();
    while (samples != 0) {
        const uint32_t taken = samples < CHUNK_SAMPLES ? samples : CHUNK_SAMPLES;
        if (platform_read(chunk, taken * (uint32_t)sizeof *chunk) != 0) {
            platform_leave(LEAVE_CUT_INPUT);
        }
        const uint32_t before = platform_ticks();
        found->status = tfser_feed(&state, chunk, taken);
        found->feed += platform_ticks() - before;
        samples -= taken;
    }
}

/* The model alone, on the features that the decision is about to be made of. */
PART void run_model(record *found) {
    int8_t *const input = (int8_t *)harness_arena + TFSER_MODEL_INPUT_OFFSET;
    for (uint32_t i = 0; i < FEATURES; i++) {
        input[i] = made.features[i];
    }
    platform_start_clock();
    found->status = tfser_model_run(input, (int8_t *)harness_arena + TFSER_MODEL_OUTPUT_OFFSET, harness_arena);
    found->model = platform_ticks();
    for (uint32_t i = 0; i < TFSER_NUM_LABELS; i++) {
        made.output[i] = (int8_t)harness_arena[TFSER_MODEL_OUTPUT_OFFSET + i];
    }
}

PART void decide(record *found) {
    clear_decision();
    found->status = tfser_read_features(&state, made.features);
    if (found->status != TFSER_OK) {
        return;
    }
    run_model(found);
    platform_start_clock();
    found->status = tfser_classify(&state, made.probability);
    found->classify = platform_ticks();
}

__attribute__((noinline)) static void take(const stretch *next) {
    uint32_t *const stack = stack_pointer();
    record found = {0, 0, 0, 0, 0};
    platform_paint(stack);
    if (next->begins != 0) {
        harness_spoil_arena();
        found.status = tfser_init(&state, harness_arena, TFSER_ARENA_BYTES);
    }
    feed(next->samples, &found);
    decide(&found);
    found.stack = platform_stack_used(stack);
    platform_write_output(made.features, sizeof made.features);
    platform_write_output(made.output, sizeof made.output);
    platform_write_output(made.probability, sizeof made.probability);
    platform_write_measured(&found, sizeof found);
}

void harness_listen(void) {
    stretch next;
    for (;;) {
        const uint32_t missing = platform_read(&next, sizeof next);
        if (missing != 0) {
            platform_leave(missing == sizeof next ? LEAVE_DONE : LEAVE_CUT_INPUT);
        }
        take(&next);
    }
}
