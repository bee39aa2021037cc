"""Scores of what a training would deploy, by TensorFlow Lite Micro, beside those of its float model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfser.files import canonical_json, sha256, write_atomic

if TYPE_CHECKING:
    from tfser.convert.bundle import Bundle
    from tfser.features.dataset import FeatureSet
    from tfser.training.data import Clips
    from tfser.training.run import Training

SCORES_FILE = "int8.json"
SCHEMA_VERSION = 1


def score_int8(folder: Path, training: Training, data: FeatureSet) -> dict[str, Any]:
    """Scores of a training's int8 file by TensorFlow Lite Micro, written to ``int8.json`` and kept there.

    Returns
    -------
    dict
        ``sources``, the SHA-256 of the files that it was made from; ``quantisation``, how; ``model_bytes``;
        ``roles``: for ``validation`` and ``test``, as far as the split has them, ``utterances``,
        see :func:`int8_against_float`.
    """
    from tfser.convert.quantised_file import FILE_NAME as TUNED
    from tfser.training.run import CHECKPOINT

    sources = {name: sha256(folder / name) for name in (CHECKPOINT, "calibration.npz", TUNED)
               if (folder / name).is_file()}
    path = folder / SCORES_FILE
    if path.is_file() and (known := json.loads(path.read_bytes())).get("sources") == sources:
        return known
    result = {"schema_version": SCHEMA_VERSION, "sources": sources, **_int8_scores(folder, training, data)}
    write_atomic(path, canonical_json(result).encode())
    return result


def _int8_scores(folder: Path, training: Training, data: FeatureSet) -> dict[str, Any]:
    from tfser.convert.bundle import make_bundle
    from tfser.training.data import roles_of, select

    bundle, assigned = make_bundle(folder), roles_of(data, training.split)
    roles = {role: int8_against_float(bundle, select(data, assigned == role, bundle.checkpoint.features))
             for role in ("validation", "test") if (assigned == role).any()}
    return {"quantisation": bundle.quantisation, "model_bytes": len(bundle.content), "roles": roles}


def int8_against_float(bundle: Bundle, clips: Clips) -> dict[str, Any]:
    """Score both forms of a model.

    Returns
    -------
    dict
        ``utterances``, ``same_label`` (how many got the float model's label), and ``float`` and ``int8``, the scores
        as :func:`tfser.training.data.score_clips` gives them.
    """
    from firmware_gen.frontend.tflite import read_tflite
    from tfser.cli.build_folder import quantisation
    from tfser.training.data import mean_of, score_clips, utterance_probabilities
    from tfser.training.loop import predictor
    from tfser.validate.accuracy import probabilities, quantize
    from tfser.validate.runtimes import run_tflite_micro

    ends, labels = quantisation(read_tflite(bundle.content)), bundle.checkpoint.model.labels
    outputs = run_tflite_micro(bundle.content, quantize(clips.x, **ends["input"]))
    answers = mean_of(clips.owner, probabilities(outputs, **ends["output"]))
    expected = utterance_probabilities(clips, predictor(bundle.merged))
    same = answers.argmax(axis=1) == expected.argmax(axis=1)
    return {"utterances": len(same), "same_label": int(same.sum()), "float": score_clips(clips, expected, labels),
            "int8": score_clips(clips, answers, labels)}
