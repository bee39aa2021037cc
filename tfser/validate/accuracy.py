"""What quantisation did to the decisions: agreement with the float model, and the scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfser.training.data import mean_of
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
    """What was said in each utterance.

    ``indices`` [shape=(n,)] are into ``labels``; ``speakers`` [shape=(n,)]; ``scored``
    [shape=(n,)] bool is true for the utterances that count, ``whose`` says which those are;
    ``owner`` [shape=(windows,)] int is the utterance of each of the model's inputs.
    """

    indices: np.ndarray
    labels: Sequence[str]
    speakers: Sequence[str]
    scored: np.ndarray
    whose: str
    owner: np.ndarray


def quantize(x: np.ndarray, scale: float, zero_point: int, dtype: str = "int8") -> np.ndarray:
    """Features as the model's input: ``round(x / scale) + zero_point``, clipped to the ends of ``dtype``."""
    ends = np.iinfo(dtype)
    return np.clip(np.rint(x / np.float32(scale)) + zero_point, ends.min, ends.max).astype(dtype)


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


def accuracy(heard: np.ndarray, truth: Truth) -> dict[str, Any]:
    """Scores of the utterances that count, as :func:`tfser.training.metrics.score` gives them.

    Parameters
    ----------
    heard : np.ndarray [shape=(windows, labels)]
        :func:`probabilities` of each window.
    """
    decided = mean_of(truth.owner, heard).argmax(axis=1)
    speakers = [speaker for speaker, counts in zip(truth.speakers, truth.scored, strict=True) if counts]
    return score(truth.indices[truth.scored], decided[truth.scored], truth.labels, speakers)
