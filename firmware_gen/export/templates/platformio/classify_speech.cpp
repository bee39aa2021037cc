// Labels speech. On a computer: reads samples (16 bits, mono, raw) from its input and prints one decision for the end.
//   sox clip.wav -t raw -e signed -b 16 -c 1 -r 16000 - | .pio/build/native/program
// On a board: prints a decision twice a second. Put the driver of your microphone into read_microphone.
#include <tfser.h>

#ifdef ARDUINO
#include <Arduino.h>
#else
#include <cstdio>
#endif

static tfser_state state;
alignas(TFSER_ARENA_ALIGNMENT) static uint8_t arena[TFSER_ARENA_BYTES];
static int16_t samples[256];
static const size_t MOST = sizeof samples / sizeof *samples;

#ifdef ARDUINO
static size_t read_microphone() {
  static uint32_t drawn = 1;  // noise, so that it runs on every board
  for (size_t i = 0; i < MOST; i++) {
    drawn = drawn * 1664525u + 1013904223u;
    samples[i] = (int16_t)((int32_t)(drawn >> 20) - 2048);
  }
  return MOST;
}

static void print_status(int status) {
  Serial.print("status ");
  Serial.println(status);
}

void setup() {
  Serial.begin(115200);
  const int status = tfser_init(&state, arena, sizeof arena);
  if (status != TFSER_OK) {
    print_status(status);
  }
}

void loop() {
  static size_t since_decision = 0;
  const size_t count = read_microphone();
  const int fed = tfser_feed(&state, samples, count);
  if (fed != TFSER_OK) {
    print_status(fed);
  }
  since_decision += count;
  if (since_decision < TFSER_SAMPLE_RATE_HZ / 2) {
    return;
  }
  since_decision = 0;
  float probability[TFSER_NUM_LABELS];
  const int status = tfser_classify(&state, probability);
  if (status == TFSER_OK) {
    for (int i = 0; i < TFSER_NUM_LABELS; i++) {
      Serial.print(tfser_labels[i]);
      Serial.print(' ');
      Serial.println(probability[i], 2);
    }
  } else if (status < 0) {
    print_status(status);
  }  // else: the window is not full yet, or quiet
}
#else
int main() {
  int status = tfser_init(&state, arena, sizeof arena);
  size_t count = 0;
  while (status == TFSER_OK && (count = std::fread(samples, sizeof *samples, MOST, stdin)) > 0) {
    status = tfser_feed(&state, samples, count);
  }
  float probability[TFSER_NUM_LABELS];
  if (status == TFSER_OK) {
    status = tfser_classify(&state, probability);
  }
  if (status != TFSER_OK) {
    std::fprintf(stderr, "status %d (tfser.h says what it means; a window has %d samples)\n", status,
                 TFSER_WINDOW_SAMPLES);
    return 1;
  }
  for (int i = 0; i < TFSER_NUM_LABELS; i++) {
    std::printf("%s %.3f\n", tfser_labels[i], (double)probability[i]);
  }
  return 0;
}
#endif
