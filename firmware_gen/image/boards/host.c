/* Runs the model on this machine, once for each input on the standard input; outputs go to the standard output.
 * Exit code 0, or 1 where the model refuses to run, 2 where the input is cut or the output cannot be written. */
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tfser_model.h"

#if defined(TFSER_PROFILE)
#include "tfser_profile.h"
void tfser_profile_part(int part) { (void)part; }
#endif

alignas(TFSER_MODEL_ARENA_ALIGNMENT) static uint8_t arena[TFSER_MODEL_ARENA_BYTES];

int main(void) {
    int8_t *const input = (int8_t *)(arena + TFSER_MODEL_INPUT_OFFSET);
    int8_t *const output = (int8_t *)(arena + TFSER_MODEL_OUTPUT_OFFSET);
    for (;;) {
        (void)memset(arena, 0xA5, sizeof arena);
        const size_t count = fread(input, 1, TFSER_MODEL_INPUT_BYTES, stdin);
        if (count != TFSER_MODEL_INPUT_BYTES) {
            return count == 0 && fflush(stdout) == 0 ? 0 : 2;
        }
        if (tfser_model_run(input, output, arena) != 0) {
            return 1;
        }
        if (fwrite(output, 1, TFSER_MODEL_OUTPUT_BYTES, stdout) != TFSER_MODEL_OUTPUT_BYTES) {
            return 2;
        }
    }
}
