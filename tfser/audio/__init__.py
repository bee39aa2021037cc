"""Recordings: decoding and waveform handling."""
