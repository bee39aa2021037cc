// Runs the model and prints its output: once on a computer, once a second on a board.
#include <tfser_model.h>

#ifdef ARDUINO
#include <Arduino.h>
static void print(int value) {
  Serial.print(value);
  Serial.print(' ');
}
#else
#include <cstdio>
static void print(int value) { std::printf("%d ", value); }
#endif

// The model works here; nothing is kept in it between runs.
alignas(TFSER_MODEL_ARENA_ALIGNMENT) static int8_t arena[TFSER_MODEL_ARENA_BYTES];
static int8_t output[TFSER_MODEL_OUTPUT_BYTES];

static int run() {
  // The plan has kept room for the input inside of the arena. Your features go here, as the model's int8 codes.
  int8_t *input = arena + TFSER_MODEL_INPUT_OFFSET;
  for (int i = 0; i < TFSER_MODEL_INPUT_BYTES; i++) {
    input[i] = (int8_t)(i % 256 - 128);
  }
  const int status = tfser_model_run(input, output, arena);
  if (status == TFSER_MODEL_OK) {
    for (int i = 0; i < TFSER_MODEL_OUTPUT_BYTES; i++) {
      print(output[i]);
    }
  }
  return status;
}

#ifdef ARDUINO
void setup() { Serial.begin(115200); }

void loop() {
  const unsigned long begin = micros();
  const int status = run();
  Serial.print("status ");
  Serial.print(status);
  Serial.print(" in us: ");
  Serial.println(micros() - begin);
  delay(1000);
}
#else
int main() { return run(); }
#endif
