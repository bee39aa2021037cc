/* What an input file asks for: its first word. The rest is described in harness.c and harness_listen.c. */
#ifndef TFSER_HARNESS_H
#define TFSER_HARNESS_H

#include <stdint.h>

#define ASKED_MODEL 0u     /* int8 inputs through the model */
#define ASKED_RECORDING 1u /* samples through the application layer, where the image has it */

/* The arena, for the model alone or for the application around it. */
extern uint8_t harness_arena[];

/* Nothing may depend on what the arena held. */
void harness_spoil_arena(void);

/* Puts the recordings of the input file through the application layer, to the file's end. */
void harness_listen(void);

#endif /* TFSER_HARNESS_H */
