"""Scores of a build's int8 model on the test speakers of its split, beside those of the float model."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfser.cli.evaluate import Scored, load, speakers_of
from tfser.cli.output import log
from tfser.cli.train import read_features
from tfser.errors import InputError

if TYPE_CHECKING:
    from tfser.corpora.manifest import Corpus

ROLE = "test"
SCORED_AGAIN, RECORDED = "the checkpoint, on the same clips", "as the checkpoint's training recorded it"


def deployed_scores(folder: Path, recorded: dict[str, Any] | None, corpus_name: str, root: Path,
                    against: Path | None = None) -> dict[str, Any]:
    """Score ``model.tflite`` of a build folder, by TensorFlow Lite Micro's kernels: the device's decisions.

    Parameters
    ----------
    folder : Path
        With ``features.json`` and a ``manifest.json`` that records the split.
    recorded : dict, optional
        ``scores`` of the manifest, of the float model: used where there is no ``against``.
    corpus_name, root : str, Path
        The corpus that the model was trained on.
    against : Path, optional
        The checkpoint that the build was made from.

    Returns
    -------
    dict
        ``corpus``, ``role``, ``speakers``, ``fold``, ``folds``, ``split_fingerprint``; ``int8`` and ``float``, as
        :func:`tfser.training.metrics.score` gives them (``float`` may be ``None``), ``float_is``; ``decisions``, the
        float model's in rows and the int8 model's in columns, ``None`` without ``against``.

    Raises
    ------
    InputError
        Another corpus, another copy of it, or a checkpoint that is not of this build.
    """
    from tfser.corpora import load_corpus
    from tfser.training.data import score_clips, select
    from tfser.training.metrics import confusion_matrix

    int8 = load(folder / "model.tflite")
    reference = _reference(against, int8) if against else None
    corpus = load_corpus(corpus_name, root)
    if int8.labels != corpus.labels:
        raise InputError("TF-REP-05", f"a build with labels {', '.join(int8.labels)}",
                         expected=f"the labels of {corpus.name}: {', '.join(corpus.labels)}",
                         fix="choose the --corpus that the model was trained on")
    speakers = speakers_of(ROLE, int8.split, corpus)
    data = read_features(_only(corpus, speakers), int8.features)
    clips = select(data, np.full(len(data.x), True), int8.features)
    log.print(f"scoring {len(clips.x)} clips of the {ROLE} speakers")
    answers = int8.probabilities(clips.x)
    split = int8.split or {}
    result = {"corpus": corpus.name, "role": ROLE, "speakers": list(speakers), "fold": split["fold"],
              "folds": split["folds"], "split_fingerprint": split["fingerprint"],
              "int8": score_clips(clips, answers, corpus.labels)}
    if reference is None:
        return {**result, "float": (recorded or {}).get(ROLE), "float_is": RECORDED, "decisions": None}
    expected = reference.probabilities(clips.x)
    decisions = confusion_matrix(expected.argmax(axis=1), answers.argmax(axis=1), len(corpus.labels))
    return {**result, "float": score_clips(clips, expected, corpus.labels), "float_is": SCORED_AGAIN,
            "decisions": decisions.tolist()}


def _reference(path: Path, int8: Scored) -> Scored:
    """The float model, provided that the build can have been made from it."""
    reference = load(path)
    if (reference.labels, reference.split, reference.features) != (int8.labels, int8.split, int8.features):
        raise InputError("TF-REP-06", f"checkpoint {str(path)!r} with other labels, another split or other features",
                         expected="the checkpoint that the folder was built from", fix="name that one with --against")
    return reference


def _only(corpus: Corpus, speakers: tuple[str, ...]) -> Corpus:
    return dataclasses.replace(
        corpus, utterances=tuple(entry for entry in corpus.utterances if entry.speaker in speakers))
