"""Merged model to full-integer int8 .tflite."""
