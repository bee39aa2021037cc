"""Corpora: who says what, where, with which label; and splits in which no speaker crosses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tfser.corpora import audformat, cremad, csv_manifest, daic_woz, emobox, emodb, iemocap, m3ed, ravdess
from tfser.corpora.manifest import Corpus
from tfser.errors import InputError

CORPORA: dict[str, Callable[[Path], Corpus]] = {
    "emodb": emodb.load, "ravdess": ravdess.load, "cremad": cremad.load, "iemocap": iemocap.load,
    "iemocap-6": iemocap.load_six, "m3ed": m3ed.load, "daic-woz": daic_woz.load,
    "emobox": emobox.load, "csv": csv_manifest.load, "audformat": audformat.load,
}


def load_corpus(name: str, root: Path) -> Corpus:
    """Read the corpus ``name`` (a key of ``CORPORA``) from ``root``: its folder or, for a manifest, its file.

    Raises
    ------
    InputError
        The name is unknown, or the folder is missing, empty of usable files, or has an unknown label.
    """
    if name not in CORPORA:
        raise InputError("TF-CORPUS-07", f"unknown corpus {name!r}", expected=f"one of {', '.join(CORPORA)}",
                         fix="choose another --corpus")
    return CORPORA[name](root)
