/* What tfser.h says of bad calls; the exit code is the number of the first line that does not hold. */
#include <math.h>
#include <stdalign.h>

#include "tfser.h"

#define HOLDS(condition)  \
    if (!(condition)) {   \
        return __LINE__;  \
    }

int main(void) {
    static tfser_state state;
    alignas(TFSER_ARENA_ALIGNMENT) static uint8_t arena[TFSER_ARENA_BYTES + 1];
    static int8_t codes[TFSER_FRAMES * TFSER_MEL_BANDS];
    static const int16_t silence[TFSER_WINDOW_SAMPLES];
    const tfser_options bad[] = {{-1.0f, 0.0f}, {NAN, 0.0f}, {0.0f, 1.0f}, {0.0f, -0.1f}, {0.0f, NAN}};
    const tfser_options gated = {1.0f, 0.0f};
    float probability[TFSER_NUM_LABELS];
    HOLDS(tfser_feed(&state, silence, 1) == TFSER_ERROR_NOT_INITIALISED)
    HOLDS(tfser_classify(&state, probability) == TFSER_ERROR_NOT_INITIALISED)
    HOLDS(tfser_set_options(&state, &gated) == TFSER_ERROR_NOT_INITIALISED)
    HOLDS(tfser_init(NULL, arena, sizeof arena) == TFSER_ERROR_NULL)
    HOLDS(tfser_init(&state, NULL, sizeof arena) == TFSER_ERROR_NULL)
    HOLDS(tfser_init(&state, arena + 1, TFSER_ARENA_BYTES) == TFSER_ERROR_ALIGNMENT)
    HOLDS(tfser_init(&state, arena, TFSER_ARENA_BYTES - 1) == TFSER_ERROR_ARENA_TOO_SMALL)
    HOLDS(tfser_feed(&state, silence, 1) == TFSER_ERROR_NOT_INITIALISED)
    HOLDS(tfser_init(&state, arena, TFSER_ARENA_BYTES) == TFSER_OK)
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        HOLDS(tfser_set_options(&state, bad + i) == TFSER_ERROR_OPTIONS)
    }
    HOLDS(tfser_set_options(&state, NULL) == TFSER_ERROR_NULL)
    HOLDS(tfser_feed(NULL, silence, 1) == TFSER_ERROR_NULL)
    HOLDS(tfser_feed(&state, NULL, 1) == TFSER_ERROR_NULL)
    HOLDS(tfser_feed(&state, NULL, 0) == TFSER_OK)
    HOLDS(tfser_classify(&state, probability) == TFSER_NOT_READY)
    HOLDS(tfser_feed(&state, silence, TFSER_WINDOW_SAMPLES - 1) == TFSER_OK)
    HOLDS(tfser_read_features(&state, codes) == TFSER_NOT_READY)
    HOLDS(tfser_feed(&state, silence, 1) == TFSER_OK)
    HOLDS(tfser_classify(NULL, probability) == TFSER_ERROR_NULL)
    HOLDS(tfser_classify(&state, NULL) == TFSER_ERROR_NULL)
    HOLDS(tfser_read_features(&state, NULL) == TFSER_ERROR_NULL)
    HOLDS(tfser_classify(&state, probability) == TFSER_OK)
    HOLDS(tfser_set_options(&state, &gated) == TFSER_OK)
    HOLDS(tfser_classify(&state, probability) == TFSER_QUIET)
    HOLDS(arena[TFSER_ARENA_BYTES] == 0)
    return 0;
}
