// Runs one known input through TensorFlow Lite Micro and compares the output byte by byte.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "model_config.h"
#include "model_data.h"
#include "op_resolver.h"
#include "self_test_data.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_log.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace tfser {
namespace {

const char* const kLabels[TFSER_NUM_LABELS] = TFSER_LABELS;

alignas(16) uint8_t arena[TFSER_ARENA_BYTES];

int Fail(const char* reason) {
  MicroPrintf("FAIL: %s", reason);
  return 1;
}

int SelfTest() {
  const auto* model = GetModel(tfser_model_data);
  if (model->version() != TFLITE_SCHEMA_VERSION) return Fail("the library reads another schema version");

  static OpResolver resolver;
  if (!RegisterOperators(resolver)) return Fail("an operator was refused");

  static MicroInterpreter interpreter(model, resolver, arena, sizeof(arena));
  if (interpreter.AllocateTensors() != kTfLiteOk) return Fail("TFSER_ARENA_BYTES is too small");

  auto* input = interpreter.input(0);
  if (input->bytes != sizeof(tfser_self_test_input)) return Fail("the input has another size");
  std::memcpy(input->data.raw, tfser_self_test_input, sizeof(tfser_self_test_input));

  if (interpreter.Invoke() != kTfLiteOk) return Fail("an operator failed");

  const auto* output = interpreter.output(0);
  if (output->bytes != sizeof(tfser_self_test_output)) return Fail("the output has another size");
  size_t best = 0;
  for (size_t i = 0; i < TFSER_NUM_LABELS; ++i) {
    const int got = output->data.@TYPE@[i];
    const int expected = tfser_self_test_output[i];
    if (got != expected) {
      MicroPrintf("output[%d] is %d, expected %d", static_cast<int>(i), got, expected);
      return Fail("the output differs");
    }
    if (got > output->data.@TYPE@[best]) best = i;
  }
  MicroPrintf("PASS: %d output bytes equal, label %s", static_cast<int>(sizeof(tfser_self_test_output)), kLabels[best]);
  return 0;
}

}  // namespace
}  // namespace tfser

int main() { return tfser::SelfTest(); }
