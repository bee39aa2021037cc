"""Files in: .tflite and features.json."""
