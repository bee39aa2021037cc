"""Corpora: who says what, where, with which label; and speaker-disjoint splits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tfser.corpora import emodb, ravdess
from tfser.corpora.manifest import Corpus
from tfser.errors import InputError

CORPORA: dict[str, Callable[[Path], Corpus]] = {"emodb": emodb.load, "ravdess": ravdess.load}


def load_corpus(name: str, root: Path) -> Corpus:
    """Read the corpus ``name`` (a key of ``CORPORA``) from anywhere below ``root``.

    Raises
    ------
    InputError
        The name is unknown, or the folder is missing, empty of usable files, or has an unknown label.
    """
    if name not in CORPORA:
        raise InputError("TF-CORPUS-07", f"unknown corpus {name!r}", expected=f"one of {', '.join(CORPORA)}",
                         fix="choose another --corpus")
    return CORPORA[name](root)
