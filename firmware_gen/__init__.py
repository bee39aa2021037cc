"""From an int8 .tflite file to firmware source. Needs no TensorFlow."""
