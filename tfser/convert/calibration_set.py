"""The clips that set a model's int8 ranges, kept beside its checkpoint as ``calibration.npz``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfser.convert.calibrate import stratified
from tfser.errors import InputError
from tfser.models.archive import read_archive, write_archive
from tfser.training.data import Clips

KIND = "calibration set"
FILE_NAME = "calibration.npz"
# As many clips as fit this: some 70 of 2 s at a hop of 20 ms. More did not change the agreement.
MAX_BYTES = 280_000


@dataclass(frozen=True, eq=False)
class CalibrationSet:
    """Normalised features ``x`` [shape=(n, frames, mel_bands)] float32 and ``labels`` [shape=(n,)] int.

    ``speakers``: how many clips are of each; ``None`` for a file of a version that did not count them.
    """

    x: np.ndarray
    labels: np.ndarray
    speakers: dict[str, int] | None = None


def calibration_windows(clips: Clips) -> np.ndarray:
    """The windows to choose from, as indices in ``clips.x``: a random one of each utterance.

    Windows of one recording are much alike; all are offered where the utterances alone would not fill the set.
    """
    if len(clips.labels) < _room(clips.x):
        return np.arange(len(clips.x))
    return clips.draw(np.random.default_rng(0))


def save_calibration(path: Path, x: np.ndarray, labels: np.ndarray, speakers: np.ndarray) -> None:
    """Choose clips, the labels as equally as can be and the speakers of each in turn; write them in 8 bits a value.

    Parameters
    ----------
    x : np.ndarray [shape=(n, frames, mel_bands)], float32
        Normalised features of the training speakers.
    labels, speakers : np.ndarray [shape=(n,)], int and str

    Notes
    -----
    A stored value is off by at most half of 1/255 of the set's range, whose ends are kept: what
    the model's int8 input, whose range this is, could not tell apart either.
    """
    chosen = stratified(labels, _room(x), speakers)
    low, high = float(x[chosen].min()), float(x[chosen].max())
    step = (high - low) / 255 or 1.0
    codes = np.rint((x[chosen] - low) / step).astype(np.uint8)
    counts = dict(Counter(map(str, speakers[chosen])))
    write_archive(path, KIND, {"low": low, "step": step, "speakers": counts},
                  {"codes": codes, "labels": labels[chosen].astype(np.uint8)})


def _room(x: np.ndarray) -> int:
    """How many clips of ``x`` [shape=(n, frames, mel_bands)] fit into the file."""
    return max(1, MAX_BYTES // x[0].size)


def load_calibration(path: Path) -> CalibrationSet:
    """Read back what `save_calibration` wrote.

    Raises
    ------
    InputError
        The file is missing, damaged, or not a calibration set.
    """
    document, arrays = read_archive(path, KIND)
    codes, labels = (arrays.get(name, np.empty(0)) for name in ("codes", "labels"))
    numbers = all(isinstance(document.get(name), float) for name in ("low", "step"))
    clips = codes.ndim == 3 and codes.size and codes.dtype == np.uint8 and labels.shape == codes.shape[:1]
    counts = document.get("speakers")
    counted = counts is None or (isinstance(counts, dict) and all(isinstance(count, int)
                                                                  for count in counts.values()))
    if not numbers or not clips or not counted:
        raise InputError("TF-CAL-02", f"calibration set {str(path)!r} without clips and their labels",
                         expected="a file that tfser train wrote beside its checkpoint", fix="train again")
    x = (document["low"] + document["step"] * codes.astype(np.float64)).astype(np.float32)
    return CalibrationSet(x, labels.astype(np.int64), counts)
