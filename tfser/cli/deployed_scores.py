"""Scores of a build's int8 model on the test speakers of its split, beside those of the float model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfser.cli.evaluate import Scored, load
from tfser.cli.output import log
from tfser.cli.tested_on import corpus_for, heard_speakers, only
from tfser.cli.train import read_features
from tfser.errors import InputError

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
        ``corpus``, ``role``, ``speakers``, ``fold``, ``folds``, ``split_fingerprint``, ``heard_speakers``;
        ``int8`` and ``float``, as :func:`tfser.training.metrics.score` gives them (``float`` may be ``None``),
        ``intervals`` of ``int8``, ``float_is``; ``decisions``, the float model's in rows and the int8 model's in
        columns, ``None`` without ``against``.

    Raises
    ------
    InputError
        Another corpus, another copy of it, or a checkpoint that is not of this build.
    """
    from tfser.training.data import score_clips, select_all, utterance_probabilities
    from tfser.training.intervals import score_intervals
    from tfser.training.metrics import confusion_matrix

    int8 = load(folder / "model.tflite")
    reference = _reference(against, int8) if against else None
    corpus = only(ROLE, int8.split, corpus_for(int8.labels, corpus_name, root))
    data = read_features(corpus, int8.features)
    clips = select_all(data, int8.features)
    log.print(f"scoring {len(clips.labels)} recordings of the {ROLE} speakers")
    answers = utterance_probabilities(clips, int8.probabilities)
    split = int8.split or {}
    result = {"corpus": corpus.name, "role": ROLE, "speakers": list(corpus.speakers), "fold": split["fold"],
              "folds": split["folds"], "split_fingerprint": split["fingerprint"],
              "heard_speakers": heard_speakers(int8.split, int8.parents, corpus),
              "int8": score_clips(clips, answers, corpus.labels)}
    result["intervals"] = score_intervals(result["int8"])
    if reference is None:
        return {**result, "float": (recorded or {}).get(ROLE), "float_is": RECORDED, "decisions": None}
    expected = utterance_probabilities(clips, reference.probabilities)
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
