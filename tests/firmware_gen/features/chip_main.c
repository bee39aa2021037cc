/* Two windows on an emulated chip, a recording and silence: a checksum of the codes, the instructions of audio and of a
 * decision, and the RAM. Silence takes the selection of the level longest: all values are alike. */
#include <stdalign.h>

#include "clip.h"
#include "rows_main.h"
#include "tfser.h"

#define FIRST 16000 /* samples that are not counted, so that no frame is cut */

static tfser_state state;
static int8_t codes[TFSER_FRAMES * TFSER_MEL_BANDS];

static void tell(const char *what, uint32_t value) {
    say(what);
    number(value);
    say("\n");
}

static int hear(const int16_t *pcm, int call) {
    uint32_t sum = 2166136261u;
    int status = tfser_feed(&state, pcm, FIRST);
    uint32_t start = ticks();
    status |= tfser_feed(&state, pcm + FIRST, TFSER_WINDOW_SAMPLES - FIRST);
    spent(call, start);
    start = ticks();
    status |= tfser_read_features(&state, codes);
    spent(call + 1, start);
    for (uint32_t i = 0; i < sizeof codes; i++) {
        sum = (sum ^ (uint8_t)codes[i]) * 16777619u;
    }
    tell("sum ", sum);
    return status;
}

int main(void) {
    alignas(TFSER_ARENA_ALIGNMENT) static uint8_t arena[TFSER_ARENA_BYTES];
    static const int16_t silence[TFSER_WINDOW_SAMPLES] = {0};
    float probability[TFSER_NUM_LABELS];
    tell("state ", sizeof state);
    tell("arena ", sizeof arena);
    if (tfser_init(&state, arena, sizeof arena) != TFSER_OK || hear(silence, 0) != TFSER_OK ||
        tfser_init(&state, arena, sizeof arena) != TFSER_OK || hear(clip, 2) != TFSER_OK ||
        tfser_classify(&state, probability) != TFSER_OK) {
        return 1;
    }
    for (uint32_t i = 0; i < TFSER_NUM_LABELS; i++) {
        tell("probability ", (uint32_t)(probability[i] * 1e6f));
    }
    return 0;
}
