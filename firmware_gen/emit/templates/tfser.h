/* From the microphone to the label: int16 samples in, probabilities of the labels out.
 *
 *     static tfser_state state;
 *     alignas(TFSER_ARENA_ALIGNMENT) static uint8_t arena[TFSER_ARENA_BYTES];
 *     float probability[TFSER_NUM_LABELS];
 *
 *     tfser_init(&state, arena, sizeof arena);
 *     for (;;) {
 *         tfser_feed(&state, samples, count);       // whenever there are samples, however many
 *         if (it_is_time_for_a_decision && tfser_classify(&state, probability) == TFSER_OK) { ... }
 *     }
 *
 * The decision is about the last TFSER_WINDOW_SAMPLES samples, rounded down to whole hops of TFSER_HOP_SAMPLES.
 * Samples are mono, at TFSER_SAMPLE_RATE_HZ, full scale -32768 to 32767. No heap, and no state but the caller's:
 * states with arenas of their own may be used at once. Not to be called for one state from two threads at a time. */
#ifndef TFSER_H
#define TFSER_H

#include <stddef.h>
#include <stdint.h>

#define TFSER_SAMPLE_RATE_HZ $sample_rate_hz
#define TFSER_FRAME_SAMPLES $fft_size
#define TFSER_HOP_SAMPLES $hop_samples
#define TFSER_FRAMES $frames
#define TFSER_MEL_BANDS $bands
#define TFSER_WINDOW_SAMPLES $clip_samples
#define TFSER_NUM_LABELS $label_count
$trained_on
#define TFSER_ARENA_BYTES $arena_bytes
#define TFSER_ARENA_ALIGNMENT $arena_alignment

#define TFSER_OK 0
#define TFSER_NOT_READY 1              /* fewer than TFSER_WINDOW_SAMPLES samples have been fed */
#define TFSER_QUIET 2                  /* the window is quieter than the gate */
#define TFSER_ERROR_NULL (-1)          /* a pointer is NULL */
#define TFSER_ERROR_ALIGNMENT (-2)     /* the arena is not at a multiple of TFSER_ARENA_ALIGNMENT */
#define TFSER_ERROR_ARENA_TOO_SMALL (-3) /* arena_bytes is less than TFSER_ARENA_BYTES */
#define TFSER_ERROR_NOT_INITIALISED (-4) /* tfser_init has not succeeded with this state */
#define TFSER_ERROR_OPTIONS (-5)       /* an option is out of its range */

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    /* A window whose level (the percentile that features are measured from) is below this many dB above the floor of
     * the features is not classified. 0, the default, lets everything through. Not negative. */
    float gate_db;
    /* What the last result counts for in the next one: smoothed = smoothing * last + (1 - smoothing) * new. From 0,
     * the default, to below 1. A quiet window leaves the last result as it is. */
    float smoothing;
} tfser_options;

/* Kept by the functions below; nothing in it is for the caller. One that is not static is set to zeros, or goes to
 * tfser_init before anything else: what memory held before is not told from a state. */
typedef struct {
    uint8_t *arena;
    uint32_t filled; /* samples in pcm */
    uint32_t row;    /* of the ring that is written next */
    uint32_t rows;   /* that have been written, at most TFSER_FRAMES */
    uint32_t smoothed;
    tfser_options options;
    float last[TFSER_NUM_LABELS];
    int16_t pcm[TFSER_FRAME_SAMPLES];
} tfser_state;

/* The labels in the model's order, UTF-8. */
extern const char *const tfser_labels[TFSER_NUM_LABELS];

/* Begin anew, with the default options. The arena is the state's until the next tfser_init.
 * TFSER_OK; TFSER_ERROR_NULL, _ALIGNMENT or _ARENA_TOO_SMALL, after which the state is not initialised. */
int tfser_init(tfser_state *state, void *arena, size_t arena_bytes);

/* TFSER_OK; TFSER_ERROR_NULL, _NOT_INITIALISED or _OPTIONS, and then the options stay as they were. */
int tfser_set_options(tfser_state *state, const tfser_options *options);

/* Take samples, any number of them: how they are cut into calls changes nothing. pcm may be NULL where samples is 0.
 * TFSER_OK; TFSER_ERROR_NULL or _NOT_INITIALISED. */
int tfser_feed(tfser_state *state, const int16_t *pcm, size_t samples);

/* Probabilities, which add up to 1, for the window that ends with the last whole hop. May be called after every feed
 * or seldom; computes no frame again.
 * TFSER_OK; TFSER_NOT_READY or TFSER_QUIET, TFSER_ERROR_NULL or _NOT_INITIALISED, where probability is not written. */
int tfser_classify(tfser_state *state, float probability[TFSER_NUM_LABELS]);

/* The int8 features that tfser_classify gives to the model, [TFSER_FRAMES][TFSER_MEL_BANDS], the oldest frame first.
 * Returns as tfser_classify does; the gate is not asked. */
int tfser_read_features(tfser_state *state, int8_t features[TFSER_FRAMES * TFSER_MEL_BANDS]);

#ifdef __cplusplus
}
#endif

#endif /* TFSER_H */
