"""A corpus with EMO-DB's file names, made of short tones: one pitch for each emotion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 16000
SPEAKERS = ("03", "08", "10", "09")
PITCH_HZ = {"W": 300, "L": 500, "F": 900, "N": 1700}  # anger, boredom, happiness, neutral


def tone(pitch_hz: float, *, seconds: float = 0.5, seed: int = 0) -> np.ndarray:
    """A tone in a little noise, [shape=(samples,)]."""
    time = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return 0.3 * np.sin(2 * np.pi * pitch_hz * time) + 0.01 * np.random.default_rng(seed).standard_normal(time.size)


def make_corpus(root: Path, speakers: tuple[str, ...] = SPEAKERS, takes: int = 3) -> Path:
    """Write ``takes`` recordings of each emotion for each speaker, whose voices differ by some Hertz."""
    root.mkdir(parents=True, exist_ok=True)
    for place, speaker in enumerate(speakers):
        for emotion, pitch_hz in PITCH_HZ.items():
            for take in range(takes):
                y = tone(pitch_hz + 20 * place, seed=100 * place + take)
                soundfile.write(root / f"{speaker}a{take:02d}{emotion}a.wav", y, RATE_HZ)
    return root
