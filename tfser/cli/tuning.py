"""``--qat``: what is done after a float training, and the int8 scores of what would be deployed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfser.cli.output import log
from tfser.files import canonical_json, sha256, write_atomic
from tfser.spec import TuneSpec

if TYPE_CHECKING:
    from tfser.features.dataset import FeatureSet
    from tfser.training.run import Training

SCORES_FILE = "int8.json"
SCHEMA_VERSION = 1

# Shared by tfser train and tools/crossvalidate.py.
QAT_OPTIONS = (
    click.option("--qat", is_flag=True, help="Then tune the merged model for int8: quantised.npz, which builds use."),
    click.option("--qat-steps", type=click.IntRange(1), default=TuneSpec().steps, show_default=True,
                 help="Steps of that tuning."),
)


def qat_options(function: Any) -> Any:
    """Add the options that say whether and how long to tune."""
    for option in reversed(QAT_OPTIONS):
        function = option(function)
    return function


def tuning_of(options: dict[str, Any], *, seed: int) -> TuneSpec | None:
    """What ``QAT_OPTIONS`` ask for; ``None`` without ``--qat``."""
    return TuneSpec(steps=options["qat_steps"], seed=seed) if options["qat"] else None


def tune_into(folder: Path, training: Training, data: FeatureSet, spec: TuneSpec) -> None:
    """Leave ``quantised.npz`` beside a finished training's checkpoint; nothing is done where it lies there already.

    Raises
    ------
    InputError
        The file there is damaged, of another checkpoint or was tuned otherwise.
    CheckFailed
        The tuning diverged.
    """
    from tfser.convert.quantised_file import FILE_NAME, Tuned, require_tuning, save_tuned
    from tfser.models.checkpoint import load_checkpoint
    from tfser.reparam.graph_pass import merge
    from tfser.training.data import roles_of, select
    from tfser.training.run import CHECKPOINT

    path, source = folder / FILE_NAME, folder / CHECKPOINT
    if path.exists():
        require_tuning(path, source, spec)
        return
    from tfser.convert.calibration_set import calibration_windows
    from tfser.convert.operator_form import operator_form
    from tfser.convert.quantised_form import extremes, quantised_form, range_variables, ranges_of, weights_of
    from tfser.training.qat import tune

    checkpoint, model = load_checkpoint(source)
    merged = merge(model).model
    clips = select(data, roles_of(data, training.split) == "train", checkpoint.features)
    log.print(f"tuning the merged model for int8: {spec.steps} steps", markup=False)
    form = operator_form(merged)
    quantised = quantised_form(form, extremes(form, clips.x[calibration_windows(clips)]))
    losses = tune(merged, quantised, range_variables(quantised), clips.x, spec)
    save_tuned(path, Tuned(weights_of(quantised), ranges_of(quantised), spec), source)
    log.print(f"tuned: loss {losses[0]:.5f} in the first step, {losses[-1]:.5f} in the last", markup=False)


def score_int8(folder: Path, training: Training, data: FeatureSet) -> dict[str, Any]:
    """Scores of a training's int8 file by TensorFlow Lite Micro, written to ``int8.json`` and kept there.

    Returns
    -------
    dict
        ``sources``, the SHA-256 of the files that it was made from; ``quantisation``, how; ``model_bytes``;
        ``roles``: for ``validation`` and ``test``, as far as the split has them, ``utterances``,
        ``same_label`` (the number of utterances with the float model's label), ``float`` and ``int8``
        scores, as :func:`tfser.training.metrics.score` gives them.
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
    from firmware_gen.frontend.tflite import read_tflite
    from tfser.cli.build_folder import quantisation
    from tfser.convert.bundle import make_bundle
    from tfser.training.data import mean_of, roles_of, score_clips, select, utterance_probabilities
    from tfser.training.loop import predictor
    from tfser.validate.accuracy import probabilities, quantize
    from tfser.validate.runtimes import run_tflite_micro

    bundle = make_bundle(folder)
    ends, labels, of_float = quantisation(read_tflite(bundle.content)), bundle.checkpoint.model.labels, predictor(
        bundle.merged)
    assigned, roles = roles_of(data, training.split), {}
    for role in ("validation", "test"):
        if not (assigned == role).any():
            continue
        clips = select(data, assigned == role, bundle.checkpoint.features)
        outputs = run_tflite_micro(bundle.content, quantize(clips.x, **ends["input"]))
        answers = mean_of(clips.owner, probabilities(outputs, **ends["output"]))
        expected = utterance_probabilities(clips, of_float)
        same = answers.argmax(axis=1) == expected.argmax(axis=1)
        roles[role] = {"utterances": len(same), "same_label": int(same.sum()),
                       "float": score_clips(clips, expected, labels), "int8": score_clips(clips, answers, labels)}
    return {"quantisation": bundle.quantisation, "model_bytes": len(bundle.content), "roles": roles}
