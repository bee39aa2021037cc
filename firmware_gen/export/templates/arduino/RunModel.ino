// Runs the model once a second and prints its output and the time that it took.
#include <tfser_model.h>

// The model works here; nothing is kept in it between runs.
alignas(TFSER_MODEL_ARENA_ALIGNMENT) static int8_t arena[TFSER_MODEL_ARENA_BYTES];
static int8_t output[TFSER_MODEL_OUTPUT_BYTES];

void setup() {
  Serial.begin(115200);
}

void loop() {
  // The plan has kept room for the input inside of the arena. Your features go here, as the model's int8 codes.
  int8_t *input = arena + TFSER_MODEL_INPUT_OFFSET;
  for (int i = 0; i < TFSER_MODEL_INPUT_BYTES; i++) {
    input[i] = (int8_t)(i % 256 - 128);
  }

  const unsigned long begin = micros();
  const int status = tfser_model_run(input, output, arena);
  const unsigned long end = micros();

  if (status != TFSER_MODEL_OK) {
    Serial.print("error ");
    Serial.println(status);
  } else {
    for (int i = 0; i < TFSER_MODEL_OUTPUT_BYTES; i++) {
      Serial.print((int)output[i]);
      Serial.print(' ');
    }
    Serial.print("in ");
    Serial.print(end - begin);
    Serial.println(" us");
  }
  delay(1000);
}
