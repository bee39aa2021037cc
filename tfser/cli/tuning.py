"""``--qat``: what is done after a float training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfser.cli.output import log
from tfser.spec import TuneSpec

if TYPE_CHECKING:
    from tfser.features.dataset import FeatureSet
    from tfser.training.run import Training

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
