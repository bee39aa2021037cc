/* One window on an emulated chip: a checksum of its codes, and the instructions of a second of audio and a decision. */
#include <stdalign.h>

#include "clip.h"
#include "rows_main.h"
#include "tfser.h"

int main(void) {
    static tfser_state state;
    alignas(TFSER_ARENA_ALIGNMENT) static uint8_t arena[TFSER_ARENA_BYTES];
    static int8_t codes[TFSER_FRAMES * TFSER_MEL_BANDS];
    float probability[TFSER_NUM_LABELS];
    uint32_t sum = 2166136261u;
    if (tfser_init(&state, arena, sizeof arena) != TFSER_OK || tfser_feed(&state, clip, 16000) != TFSER_OK) {
        return 1;
    }
    uint32_t start = ticks();
    if (tfser_feed(&state, clip + 16000, TFSER_WINDOW_SAMPLES - 16000) != TFSER_OK) {
        return 2;
    }
    spent(0, start);
    start = ticks();
    if (tfser_read_features(&state, codes) != TFSER_OK) {
        return 3;
    }
    spent(1, start);
    for (uint32_t i = 0; i < sizeof codes; i++) {
        sum = (sum ^ (uint8_t)codes[i]) * 16777619u;
    }
    say("sum ");
    number(sum);
    say("\n");
    if (tfser_classify(&state, probability) != TFSER_OK) {
        return 4;
    }
    for (uint32_t i = 0; i < TFSER_NUM_LABELS; i++) {
        say("probability ");
        number((uint32_t)(probability[i] * 1e6f));
        say("\n");
    }
    return 0;
}
