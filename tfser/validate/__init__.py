"""Checks of a .tflite file: sound, int8, runnable, accurate."""
