"""From a checkpoint to what is deployed: merged, certified, quantised."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfser.convert.calibration_set import FILE_NAME, CalibrationSet, load_calibration
from tfser.convert.operator_form import operator_form
from tfser.convert.quantised_file import FILE_NAME as TUNED_FILE_NAME
from tfser.convert.quantised_file import Tuned, load_tuned
from tfser.convert.tflite import INT8, INT16, to_int8, to_int16, tuned_to_int8
from tfser.errors import InputError
from tfser.keras import keras
from tfser.models.checkpoint import Checkpoint, load_checkpoint, set_weights
from tfser.reparam.certificate import certify
from tfser.reparam.graph_pass import merge
from tfser.spec import to_dict

CHECKPOINT_NAME = "checkpoint.npz"
# How the ranges were found, as the manifest says it.
MINMAX, PERCENTILE, TUNED = "minmax", "percentile", "qat"


@dataclass(frozen=True)
class Method:
    """Quantisation after training: the type of the activations, and the ranges of int8 ones.

    Without a ``percentile`` a range holds every value of the calibration clips; with one, in
    (50, 100), it leaves the rarest out at either end. 16 bits have room for all.
    """

    activations: str = INT8
    percentile: float | None = None


@dataclass(frozen=True, eq=False)
class Bundle:
    """A deployable model and where it comes from.

    ``merged`` is the float model without HRF, ``logits`` [shape=(n, labels)] its outputs on the
    calibration clips, ``content`` the ``.tflite`` file, ``quantisation`` how it was made, as JSON types.
    """

    checkpoint: Checkpoint
    merged: keras.Model
    certificate: dict[str, Any]
    calibration: CalibrationSet
    logits: np.ndarray
    content: bytes
    quantisation: dict[str, Any]


def make_bundle(path: Path, method: Method | None = None) -> Bundle:
    """Merge, certify and quantise a checkpoint, with what lies beside it.

    Where ``quantised.npz`` lies there, its tuned weights and ranges become the int8 file, unless a
    ``method`` is asked for; else the calibration clips give the ranges. Merge and certificate are
    those of the float weights in both.

    Parameters
    ----------
    path : Path
        ``checkpoint.npz``, or the folder that ``tfser train`` wrote.
    method : Method, optional

    Raises
    ------
    InputError
        A file is missing, damaged, or does not belong to the checkpoint.
    CheckFailed
        The merge changed an output, or the converter left a float tensor.
    """
    path = path / CHECKPOINT_NAME if path.is_dir() else path
    checkpoint, model = load_checkpoint(path)
    calibration = _calibration_beside(path, checkpoint)
    result = merge(model)
    certificate = certify(model, result.model, calibration.x, result)
    logits = result.model(calibration.x, training=False).numpy()
    beside = path.with_name(TUNED_FILE_NAME)
    if method is None and beside.is_file():
        tuned = load_tuned(beside, path)
        content = tuned_to_int8(_tuned_form(result.model, tuned, beside), tuned.ranges, result.model)
        record = {"activations": INT8, "method": TUNED, "tuning": to_dict(tuned.tuning)}
    else:
        content, record = _calibrated(result.model, calibration, method or Method(), checkpoint.model.labels)
    return Bundle(checkpoint, result.model, certificate, calibration, logits, content, record)


def float_model(path: Path, *, tuned: bool) -> keras.Model:
    """The merged model of a checkpoint, with the weights of ``quantised.npz`` beside it where it is ``tuned``."""
    path = path / CHECKPOINT_NAME if path.is_dir() else path
    merged = merge(load_checkpoint(path)[1]).model
    beside = path.with_name(TUNED_FILE_NAME)
    return _tuned_form(merged, load_tuned(beside, path), beside) if tuned else merged


def _tuned_form(merged: keras.Model, tuned: Tuned, source: Path) -> keras.Model:
    form = operator_form(merged)
    set_weights(form, tuned.weights, source=source)
    return form


def _calibrated(merged: keras.Model, calibration: CalibrationSet, method: Method,
                labels: tuple[str, ...]) -> tuple[bytes, dict[str, Any]]:
    """The file, and how its ranges were found."""
    content = (to_int16(merged, calibration.x) if method.activations == INT16 else
               to_int8(merged, calibration.x, method.percentile))
    counts = np.bincount(calibration.labels, minlength=len(labels)).tolist()
    return content, {"activations": method.activations, "method": MINMAX if method.percentile is None else PERCENTILE,
                     "percentile": method.percentile, "clips": len(calibration.labels),
                     "clips_by_label": dict(zip(labels, counts, strict=True)),
                     "clips_by_speaker": calibration.speakers}


def _calibration_beside(path: Path, checkpoint: Checkpoint) -> CalibrationSet:
    beside = path.with_name(FILE_NAME)
    if not beside.is_file():
        raise InputError("TF-CAL-03", f"no {FILE_NAME} beside {str(path)!r}",
                         expected="the calibration clips that tfser train writes with a checkpoint",
                         fix="keep the files of a training together, or finish it with tfser train --resume")
    calibration = load_calibration(beside)
    spec = checkpoint.model
    fits = calibration.x.shape[1:] == (spec.frames, spec.mel_bands) and calibration.labels.max() < len(spec.labels)
    if not fits:
        raise InputError("TF-CAL-04", f"calibration clips {str(beside)!r} of another model",
                         expected=f"{spec.frames} frames x {spec.mel_bands} bands, {len(spec.labels)} labels",
                         fix="keep the files of a training together")
    return calibration
