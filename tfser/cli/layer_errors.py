"""What each layer of a quantised file loses, for ``tfser validate`` and ``tfser report``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tfser.cli.output import log
from tfser.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from tfser.validate.layer_errors import LayerError, LayerErrors

_HEADER = ("operator", "layer", "step", "range", "clipped", "SQNR", "RMS", "alone SQNR", "RMS", "logits")


def calibration_clips(checkpoint: Path) -> np.ndarray:
    """The clips [shape=(n, frames, mel_bands)] that lie beside a checkpoint, normalised."""
    from tfser.convert.calibration_set import FILE_NAME, load_calibration

    beside = checkpoint.with_name(FILE_NAME)
    if not beside.is_file():
        raise InputError("TF-VAL-03", f"no {FILE_NAME} beside {str(checkpoint)!r}, and no --corpus",
                         expected="recordings to compare the labels on", fix="add --corpus and --root")
    return load_calibration(beside).x


def measure_layers(model: Path, content: bytes, checkpoint: Path, clips: np.ndarray) -> LayerErrors:
    """Compare a ``.tflite`` file with the merged model of its checkpoint.

    Weights that were tuned for int8 are compared with their own values before rounding: ``manifest.json`` beside the
    file says whether they were, or else ``quantised.npz`` beside the checkpoint.

    Parameters
    ----------
    model, content : Path, bytes
        The file.
    checkpoint : Path
    clips : np.ndarray [shape=(n, frames, mel_bands)], float32
        Normalised features.
    """
    from tfser.convert.bundle import float_model
    from tfser.convert.tflite import to_float
    from tfser.validate.layer_errors import layer_errors

    log.print("comparing every layer with the float model")
    return layer_errors(content, to_float(float_model(checkpoint, tuned=_is_tuned(model, checkpoint))), clips)


def _is_tuned(model: Path, checkpoint: Path) -> bool:
    from tfser.convert.bundle import TUNED, TUNED_FILE_NAME

    if not checkpoint.with_name(TUNED_FILE_NAME).is_file():
        return False
    try:
        quantisation = json.loads(model.with_name("manifest.json").read_bytes())["quantisation"]
    except (OSError, ValueError, KeyError, TypeError):  # no build folder: as a build would choose
        return True
    return isinstance(quantisation, dict) and quantisation.get("method") == TUNED


def print_layers(errors: LayerErrors) -> None:
    """A table in the order of the operators, then the worst layer."""
    click.echo(f"errors of {errors.clips} clips against float: SQNR (dB) and RMS (steps) as the model runs; alone: "
               "what the layer adds itself, and the RMS that this makes of the logits")
    rows = [_HEADER, *map(_row, errors.layers)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        named, numbers = zip(row[:2], widths[:2], strict=True), zip(row[2:], widths[2:], strict=True)
        click.echo("  ".join([*(f"{cell:<{width}}" for cell, width in named),
                              *(f"{cell:>{width}}" for cell, width in numbers)]))
    click.echo(f"all layers together move the logits by {errors.logit_rms:.3g} RMS\n{errors.verdict}\n")


def _row(layer: LayerError) -> tuple[str, ...]:
    operator = layer.kind if layer.operator is None else f"{layer.operator} {layer.kind}"
    return (operator, layer.layer, f"{layer.scale:.3g}", f"{layer.range_used:.0%}", f"{layer.clipped:.2%}",
            _decibels(layer.sqnr_db), f"{layer.rms_steps:.2f}", _decibels(layer.alone_sqnr_db),
            f"{layer.alone_rms_steps:.2f}", f"{layer.logit_rms:.2g}")


def _decibels(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
