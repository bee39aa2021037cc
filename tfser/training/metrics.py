"""Scores that speech emotion papers compare: WF1, UAR, WA, macro-F1, per class and per speaker.

A metric takes one confusion matrix, or several with more axes in front (``[..., classes, classes]``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    support = matrix.sum(axis=-1)
    return np.where(support > 0, _right(matrix) / np.maximum(support, 1), np.nan)


def f1_scores(matrix: np.ndarray) -> np.ndarray:
    """F1 of each class, ``2 TP / (true + predicted)``; 0 where it is never predicted, NaN where it is also absent."""
    counted = matrix.sum(axis=-2) + matrix.sum(axis=-1)
    return np.where(counted > 0, 2 * _right(matrix) / np.maximum(counted, 1), np.nan)


def wf1(matrix: np.ndarray) -> np.ndarray:
    """F1 of the classes, weighted by their true examples."""
    support = matrix.sum(axis=-1)
    return np.nansum(f1_scores(matrix) * support, axis=-1) / support.sum(axis=-1)


def uar(matrix: np.ndarray) -> np.ndarray:
    """Unweighted average recall (balanced accuracy), over the classes with a true example."""
    return np.nanmean(recalls(matrix), axis=-1)


def wa(matrix: np.ndarray) -> np.ndarray:
    """Weighted accuracy: the share of right answers."""
    return _right(matrix).sum(axis=-1) / matrix.sum(axis=(-2, -1))


def macro_f1(matrix: np.ndarray) -> np.ndarray:
    """Unweighted mean of F1 over the classes that occur, as true or as predicted."""
    return np.nanmean(f1_scores(matrix), axis=-1)


def _right(matrix: np.ndarray) -> np.ndarray:
    return matrix.diagonal(axis1=-2, axis2=-1)


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
        ``labels``, ``utterances``, ``wf1``, ``uar``, ``wa``, ``macro_f1``, ``classes``, ``speakers``,
        ``speaker_spread`` and ``confusion`` (rows are true labels), of all and of each speaker.
    """
    names = np.asarray(speakers)
    return score_speakers({speaker: confusion_matrix(true[names == speaker], predicted[names == speaker], len(labels))
                           for speaker in sorted(set(speakers))}, labels)


def score_speakers(matrices: Mapping[str, np.ndarray], labels: Sequence[str]) -> dict[str, Any]:
    """All scores, as :func:`score`, from the confusion matrix [shape=(labels, labels)] of each speaker."""
    matrix = np.sum(list(matrices.values()), axis=0)
    uars = [float(uar(own)) for own in matrices.values()]
    return {
        "labels": list(labels),  # the order of the matrices; that of "classes" is lost in a file
        "utterances": int(matrix.sum()),
        **{name: float(metric(matrix)) for name, metric in SUMMARY.items()},
        "classes": {
            label: {"support": int(support), "recall": _number(recall), "f1": _number(f1)}
            for label, support, recall, f1 in zip(
                labels, matrix.sum(axis=1), recalls(matrix), f1_scores(matrix), strict=True)
        },
        "speakers": {speaker: {"utterances": int(own.sum()), "uar": float(uar(own)), "wa": float(wa(own)),
                               "confusion": own.tolist()} for speaker, own in matrices.items()},
        "speaker_spread": {"uar_min": min(uars), "uar_max": max(uars), "uar_std": float(np.std(uars))},
        "confusion": matrix.tolist(),
    }


def pool(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Scores of several parts together, such as every fold and seed of a cross-validation; as :func:`score`.

    A speaker's utterances count together, whatever part they were scored in. ``None`` where a part has no confusion
    matrix for each speaker, as the scores of older versions.
    """
    matrices: dict[str, np.ndarray] = {}
    for part in parts:
        for speaker, entry in part["speakers"].items():
            if "confusion" not in entry:
                return None
            matrices[speaker] = matrices.get(speaker, 0) + np.array(entry["confusion"], np.int64)
    return score_speakers(dict(sorted(matrices.items())), parts[0]["labels"])


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
