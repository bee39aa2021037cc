// tfser.h as C++ sees it: the header names the labels, the state and the calls.
#include "tfser.h"

int call(tfser_state *state, const int16_t *pcm);
int call(tfser_state *state, const int16_t *pcm) { return tfser_feed(state, pcm, TFSER_WINDOW_SAMPLES); }
