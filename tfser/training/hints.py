"""Hints: what is known of a recording beside its label, which a training learns too.

How probable each label is, and a vector of what was heard. They may come from whatever has heard more than the
recordings that train, such as a pretrained encoder (tools/hints.py). Whom they were learnt from counts as heard, as it
does with a teacher.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfser.corpora.splits import Split
from tfser.errors import InputError
from tfser.files import sha256
from tfser.models.archive import read_archive, write_archive

KIND = "file of hints"
#: In a folder with those of a whole cross-validation.
FOLD_FILE = "fold{}.npz"
#: How far from 1 the float32 probabilities of a recording may add up.
SUM_TOLERANCE = 1e-4


@dataclass(frozen=True, eq=False)
class Hints:
    """Of the recordings ``ids`` [shape=(n,)] str: ``probabilities`` [shape=(n, labels)] and ``vectors`` [shape=(n, k)].

    Both are float32. ``source`` says in words what made them; ``split`` is the record of the split whose training
    speakers taught it.
    """

    path: Path
    sha256: str
    source: str
    split: dict[str, Any]
    labels: tuple[str, ...]
    ids: np.ndarray
    probabilities: np.ndarray
    vectors: np.ndarray

    def record(self) -> dict[str, Any]:
        """What a child's checkpoint says of them, as plain JSON types: no path, but who was heard."""
        return {"sha256": self.sha256, "source": self.source, "corpus": self.split["corpus"],
                "heard": self.split["train"], "fingerprint": self.split["fingerprint"], "parents": {}}

    def of(self, ids: np.ndarray) -> np.ndarray:
        """Probabilities and vectors of the recordings ``ids`` [shape=(m,)], [shape=(m, labels + k)].

        Raises
        ------
        InputError
            One of them has none.
        """
        row = {name: index for index, name in enumerate(self.ids.tolist())}
        if missing := [name for name in ids.tolist() if name not in row]:
            raise InputError("TF-TEACH-08", f"hints {str(self.path)!r} without {len(missing)} of the {len(ids)} "
                             f"recordings that train, such as {missing[0]}", expected="some for each of them",
                             fix="make them for the same --corpus, --folds, --fold and --train-on")
        rows = [row[name] for name in ids.tolist()]
        return np.concatenate([self.probabilities[rows], self.vectors[rows]], axis=1)


def save_hints(path: Path, labels: Sequence[str], ids: np.ndarray, probabilities: np.ndarray, vectors: np.ndarray, *,
               source: str, split: Split) -> None:
    """Write hints: the same ones give the same bytes. For what they are see :class:`Hints`."""
    write_archive(path, KIND, {"source": source, "split": split.record(), "labels": list(labels)},
                  {"ids": ids, "probabilities": probabilities.astype(np.float32),
                   "vectors": vectors.astype(np.float32)})


def read_hints(path: Path) -> Hints:
    """Read back what :func:`save_hints` wrote.

    Raises
    ------
    InputError
        The file is missing, damaged, or of another kind; a row is no probability.
    """
    document, arrays = read_archive(path, KIND)
    try:
        found = Hints(path, sha256(path), str(document["source"]), document["split"], tuple(document["labels"]),
                      arrays["ids"], arrays["probabilities"], arrays["vectors"])
        _check(found)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("TF-TEACH-09", f"{str(path)!r} with a part missing or malformed ({error})",
                         expected="ids with their probabilities, which add up to 1, and vectors",
                         fix="make the file again") from error
    return found


def _check(found: Hints) -> None:
    """Raise ``KeyError``, ``TypeError`` or ``ValueError`` where something does not fit."""
    found.record()
    n, rows = len(found.ids), found.probabilities
    if rows.shape != (n, len(found.labels)) or found.vectors.ndim != 2 or len(found.vectors) != n:
        raise ValueError(f"{rows.shape} probabilities and {found.vectors.shape} vectors of {n} recordings and "
                         f"{len(found.labels)} labels")
    if len(set(found.ids.tolist())) != n:
        raise ValueError("an id twice")
    if not ((rows >= 0).all() and (abs(rows.sum(axis=1) - 1) <= SUM_TOLERANCE).all()):
        raise ValueError("a row that is no probability")
    if not np.isfinite(found.vectors).all():
        raise ValueError("a vector that is not finite")


def targets(labels: np.ndarray, classes: int, hints: np.ndarray | None, weight: float) -> np.ndarray:
    """What a training learns: ``(1 - weight) onehot + weight probabilities``, then the vectors.

    Parameters
    ----------
    labels : np.ndarray [shape=(n,)], int
    classes : int
    hints : np.ndarray [shape=(n, classes + k)], optional
        Without them the labels alone.
    weight : float

    Returns
    -------
    np.ndarray [shape=(n, classes + k)], float32
    """
    one_hot = np.eye(classes, dtype=np.float32)[labels]
    if hints is None:
        return one_hot
    blended = (1 - weight) * one_hot + weight * hints[:, :classes]
    return np.concatenate([blended, hints[:, classes:]], axis=1).astype(np.float32)
