"""What quantisation did to the decisions: agreement with the float model, and the scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfser.training.metrics import confusion_matrix, score
from tfser.validate.parity import chosen

# The share of labels that int8 may change least: above it, accuracy moves within its own noise.
AGREEMENT_MIN = 0.95


@dataclass(frozen=True)
class Agreement:
    """How many of ``clips`` get the same label from the int8 model and from the float model.

    ``confusion``: how often each label of the float model (row) became each of the int8 model (column).
    """

    clips: int
    agree: int
    confusion: list[list[int]]

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return self.agree / self.clips

    @property
    def within_bound(self) -> bool:
        """Whether enough labels agree."""
        return self.share >= AGREEMENT_MIN


@dataclass(frozen=True, eq=False)
class Truth:
    """What was said in each clip.

    ``indices`` [shape=(n,)] are into ``labels``; ``speakers`` [shape=(n,)]; ``scored``
    [shape=(n,)] bool is true for the clips that count, ``whose`` says which those are.
    """

    indices: np.ndarray
    labels: Sequence[str]
    speakers: Sequence[str]
    scored: np.ndarray
    whose: str


def quantize(x: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """Features as the int8 input: ``round(x / scale) + zero_point``, clipped to [-128, 127]."""
    return np.clip(np.rint(x / np.float32(scale)) + zero_point, -128, 127).astype(np.int8)


def probabilities(outputs: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """Softmax of the dequantised logits.

    Parameters
    ----------
    outputs : np.ndarray [shape=(n, labels)], int8

    Returns
    -------
    np.ndarray [shape=(n, labels)], float64
    """
    logits = scale * (outputs.astype(float) - zero_point)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def agreement(outputs: np.ndarray, logits: np.ndarray) -> Agreement:
    """Compare labels.

    Parameters
    ----------
    outputs : np.ndarray [shape=(n, labels)], int8
    logits : np.ndarray [shape=(n, labels)], float
        Of the float model (or its probabilities) on the same clips.
    """
    matrix = confusion_matrix(chosen(logits), chosen(outputs), logits.shape[1])
    return Agreement(len(outputs), int(matrix.trace()), matrix.tolist())


def accuracy(outputs: np.ndarray, truth: Truth) -> dict[str, Any]:
    """Scores of the clips that count, as :func:`tfser.training.metrics.score` gives them."""
    speakers = [speaker for speaker, counts in zip(truth.speakers, truth.scored, strict=True) if counts]
    return score(truth.indices[truth.scored], chosen(outputs)[truth.scored], truth.labels, speakers)
