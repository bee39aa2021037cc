// Listens, and prints the probability of each label twice a second.
#include <tfser.h>

static tfser_state state;
alignas(TFSER_ARENA_ALIGNMENT) static uint8_t arena[TFSER_ARENA_BYTES];

static const size_t DECISION_SAMPLES = TFSER_SAMPLE_RATE_HZ / 2;

#if defined(ARDUINO_ARDUINO_NANO33BLE) || defined(ARDUINO_NANO_RP2040_CONNECT)
// The boards' own microphone. A decision takes longer than a buffer of the driver lasts, so samples wait in a ring.
#include <PDM.h>

static const size_t RING_SAMPLES = 4096;
static int16_t ring[RING_SAMPLES];
static volatile size_t written, taken;

static void on_samples() {
  static int16_t chunk[256];
  const int wanted = PDM.available() < (int)sizeof chunk ? PDM.available() : (int)sizeof chunk;
  const size_t count = (size_t)PDM.read(chunk, wanted) / 2;
  for (size_t i = 0; i < count && written - taken < RING_SAMPLES; i++) {
    ring[written % RING_SAMPLES] = chunk[i];
    written = written + 1;
  }
}

static void begin_microphone() {
  PDM.onReceive(on_samples);
  PDM.begin(1, TFSER_SAMPLE_RATE_HZ);
}

static size_t read_microphone(int16_t *samples, size_t most) {
  size_t count = 0;
  while (count < most && taken != written) {
    samples[count++] = ring[taken % RING_SAMPLES];
    taken = taken + 1;
  }
  return count;
}
#else
// Not a microphone that this sketch knows: noise, so that it runs on every board. Put the driver of yours here.
static void begin_microphone() {}

static size_t read_microphone(int16_t *samples, size_t most) {
  static uint32_t drawn = 1;
  for (size_t i = 0; i < most; i++) {
    drawn = drawn * 1664525u + 1013904223u;
    samples[i] = (int16_t)((int32_t)(drawn >> 20) - 2048);
  }
  return most;
}
#endif

static void print_error(const char *function, int status) {
  Serial.print(function);
  Serial.print(" gave ");
  Serial.println(status);
}

void setup() {
  Serial.begin(115200);
  const int status = tfser_init(&state, arena, sizeof arena);
  if (status != TFSER_OK) {
    print_error("tfser_init", status);
  }
  begin_microphone();
}

void loop() {
  static size_t since_decision = 0;
  int16_t samples[256];
  const size_t count = read_microphone(samples, sizeof samples / sizeof *samples);
  const int fed = tfser_feed(&state, samples, count);
  if (fed != TFSER_OK) {
    print_error("tfser_feed", fed);
  }
  since_decision += count;
  if (since_decision < DECISION_SAMPLES) {
    return;
  }
  since_decision = 0;

  float probability[TFSER_NUM_LABELS];
  const int status = tfser_classify(&state, probability);
  if (status == TFSER_OK) {
    for (int i = 0; i < TFSER_NUM_LABELS; i++) {
      Serial.print(tfser_labels[i]);
      Serial.print(' ');
      Serial.print(probability[i], 2);
      Serial.print(i + 1 < TFSER_NUM_LABELS ? ", " : "\n");
    }
  } else if (status < 0) {
    print_error("tfser_classify", status);
  }  // else: the window is not full yet, or quiet
}
