"""Scores that speech emotion papers compare: WF1, UAR, WA, macro-F1, per class and per speaker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def confusion_matrix(true: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count the pairs: ``[shape=(classes, classes)]`` int64, row = true class, column = predicted.

    Parameters
    ----------
    true, predicted : np.ndarray [shape=(n,)]
        Class indices in ``[0, classes)``.
    """
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (true, predicted), 1)
    return matrix


def recalls(matrix: np.ndarray) -> np.ndarray:
    """Recall of each class, NaN for a class without a true example."""
    support = matrix.sum(axis=1)
    return np.where(support > 0, matrix.diagonal() / np.maximum(support, 1), np.nan)


def f1_scores(matrix: np.ndarray) -> np.ndarray:
    """F1 of each class, ``2 TP / (true + predicted)``; 0 where it is never predicted, NaN where it is also absent."""
    counted = matrix.sum(axis=0) + matrix.sum(axis=1)
    return np.where(counted > 0, 2 * matrix.diagonal() / np.maximum(counted, 1), np.nan)


def wf1(matrix: np.ndarray) -> float:
    """F1 of the classes, weighted by their true examples."""
    support = matrix.sum(axis=1)
    return float(np.nansum(f1_scores(matrix) * support) / support.sum())


def uar(matrix: np.ndarray) -> float:
    """Unweighted average recall (balanced accuracy), over the classes with a true example."""
    return float(np.nanmean(recalls(matrix)))


def wa(matrix: np.ndarray) -> float:
    """Weighted accuracy: the share of right answers."""
    return float(matrix.trace() / matrix.sum())


def macro_f1(matrix: np.ndarray) -> float:
    """Unweighted mean of F1 over the classes that occur, as true or as predicted."""
    return float(np.nanmean(f1_scores(matrix)))


SUMMARY = {"wf1": wf1, "uar": uar, "wa": wa, "macro_f1": macro_f1}


def score(true: np.ndarray, predicted: np.ndarray, labels: Sequence[str], speakers: Sequence[str]) -> dict[str, Any]:
    """All scores of one set of utterances, in JSON types.

    A class without a true example has recall ``None`` and is left out of UAR; one that is never
    predicted either has F1 ``None`` and is left out of macro-F1 (as scikit-learn does when it is
    given no list of labels).

    Parameters
    ----------
    true, predicted : np.ndarray [shape=(n,)], n >= 1
        Indices into ``labels``.
    labels : sequence of str
    speakers : sequence of str
        Speaker of each utterance.

    Returns
    -------
    dict
        ``utterances``, ``wf1``, ``uar``, ``wa``, ``macro_f1``, ``classes``, ``speakers``,
        ``speaker_spread`` and ``confusion`` (rows are true labels).
    """
    matrix = confusion_matrix(true, predicted, len(labels))
    by_speaker = _by_speaker(true, predicted, len(labels), speakers)
    uars = [entry["uar"] for entry in by_speaker.values()]
    return {
        "utterances": int(matrix.sum()),
        **{name: metric(matrix) for name, metric in SUMMARY.items()},
        "classes": {
            label: {"support": int(support), "recall": _number(recall), "f1": _number(f1)}
            for label, support, recall, f1 in zip(
                labels, matrix.sum(axis=1), recalls(matrix), f1_scores(matrix), strict=True)
        },
        "speakers": by_speaker,
        "speaker_spread": {"uar_min": min(uars), "uar_max": max(uars), "uar_std": float(np.std(uars))},
        "confusion": matrix.tolist(),
    }


def _by_speaker(true: np.ndarray, predicted: np.ndarray, classes: int, speakers: Sequence[str]) -> dict[str, Any]:
    names = np.asarray(speakers)
    scores = {}
    for speaker in sorted(set(speakers)):
        own = names == speaker
        matrix = confusion_matrix(true[own], predicted[own], classes)
        scores[speaker] = {"utterances": int(own.sum()), "uar": uar(matrix), "wa": wa(matrix)}
    return scores


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
