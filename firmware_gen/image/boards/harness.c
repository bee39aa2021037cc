/* Runs the model once for each input in the input file: int8, one after the other, behind the word ASKED_MODEL.
 * The output file receives the outputs, the file of measurements for each input the words
 *   status of tfser_model_run; ticks that it took; bytes of stack that it took, or STACK_OVERRUN;
 *   number of parts that follow (0 without TFSER_PROFILE), for each its ticks and how often it began. */
#include "harness.h"

#include <stdalign.h>
#include <stddef.h>

#include "platform.h"
#include "tfser_model.h"

#if defined(TFSER_APPLICATION)
#include "tfser.h"
#define ARENA_BYTES TFSER_ARENA_BYTES
#else
#define ARENA_BYTES TFSER_MODEL_ARENA_BYTES
#endif

typedef struct {
    int32_t status;
    uint32_t ticks, stack, parts;
} record;

alignas(TFSER_MODEL_ARENA_ALIGNMENT) uint8_t harness_arena[ARENA_BYTES];

void harness_spoil_arena(void) {
    for (size_t i = 0; i < sizeof harness_arena; i++) {
        harness_arena[i] = (uint8_t)(i * 151u + 77u);
    }
}

#if defined(TFSER_PROFILE)
#include "tfser_profile.h"

#define PROFILE_MOST 4096

static struct {
    uint32_t ticks, began;
} parts[PROFILE_MOST];
static uint32_t running, since, number_of_parts;

void tfser_profile_part(int part) {
    const uint32_t stamp = platform_ticks();
    parts[running].ticks += stamp - since;
    running = (uint32_t)part < PROFILE_MOST ? (uint32_t)part : PROFILE_MOST - 1u;
    parts[running].began++;
    number_of_parts = running; /* the last call names no part, but how many there are */
    since = platform_ticks();
}

static void clear_profile(void) {
    for (uint32_t part = 0; part < PROFILE_MOST; part++) {
        parts[part].ticks = parts[part].began = 0;
    }
    running = PROFILE_MOST - 1u;
    since = 0;
}

static void write_record(record *found) {
    found->parts = number_of_parts;
    platform_write_measured(found, sizeof *found);
    platform_write_measured(parts, number_of_parts * 8u);
}
#else
static void clear_profile(void) {}

static void write_record(record *found) { platform_write_measured(found, sizeof *found); }
#endif

__attribute__((noinline)) static void infer(record *found) {
    uint32_t *const stack = stack_pointer();
    platform_paint(stack);
    platform_start_clock();
    found->status = tfser_model_run((const int8_t *)(harness_arena + TFSER_MODEL_INPUT_OFFSET),
                                    (int8_t *)(harness_arena + TFSER_MODEL_OUTPUT_OFFSET), harness_arena);
    found->ticks = platform_ticks();
    found->stack = platform_stack_used(stack);
}

static void run_model(void) {
    for (;;) {
        harness_spoil_arena();
        const uint32_t missing = platform_read(harness_arena + TFSER_MODEL_INPUT_OFFSET, TFSER_MODEL_INPUT_BYTES);
        if (missing != 0) {
            platform_leave(missing == TFSER_MODEL_INPUT_BYTES ? LEAVE_DONE : LEAVE_CUT_INPUT);
        }
        record found = {0, 0, 0, 0};
        clear_profile();
        infer(&found);
        platform_write_output(harness_arena + TFSER_MODEL_OUTPUT_OFFSET, TFSER_MODEL_OUTPUT_BYTES);
        write_record(&found);
    }
}

void harness_run(void) {
    uint32_t asked;
    platform_open();
    if (platform_read(&asked, sizeof asked) != 0) {
        platform_leave(LEAVE_CUT_INPUT);
    }
    if (asked == ASKED_MODEL) {
        run_model();
    }
#if defined(TFSER_APPLICATION)
    if (asked == ASKED_RECORDING) {
        harness_listen();
        platform_leave(LEAVE_DONE);
    }
#endif
    platform_leave(LEAVE_WRONG_INPUT);
}
