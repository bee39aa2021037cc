"""From a checkpoint to what is deployed: merged, certified, quantised."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfser.convert.calibration_set import FILE_NAME, CalibrationSet, load_calibration
from tfser.convert.tflite import to_int8
from tfser.errors import InputError
from tfser.keras import keras
from tfser.models.checkpoint import Checkpoint, load_checkpoint
from tfser.reparam.certificate import certify
from tfser.reparam.graph_pass import merge

CHECKPOINT_NAME = "checkpoint.npz"


@dataclass(frozen=True, eq=False)
class Bundle:
    """A deployable model and where it comes from.

    ``merged`` is the float model without HRF, ``logits`` [shape=(n, labels)] its outputs on the
    calibration clips, ``content`` the int8 ``.tflite`` file.
    """

    checkpoint: Checkpoint
    merged: keras.Model
    certificate: dict[str, Any]
    calibration: CalibrationSet
    logits: np.ndarray
    content: bytes


def make_bundle(path: Path) -> Bundle:
    """Merge, certify and quantise a checkpoint, with the calibration clips that lie beside it.

    Parameters
    ----------
    path : Path
        ``checkpoint.npz``, or the folder that ``tfser train`` wrote.

    Raises
    ------
    InputError
        The checkpoint or its calibration clips are missing, damaged or do not fit together.
    CheckFailed
        The merge changed an output, or the converter left a float tensor.
    """
    path = path / CHECKPOINT_NAME if path.is_dir() else path
    checkpoint, model = load_checkpoint(path)
    calibration = _calibration_beside(path, checkpoint)
    result = merge(model)
    certificate = certify(model, result.model, calibration.x, result)
    logits = result.model.predict(calibration.x, verbose=0)
    return Bundle(checkpoint, result.model, certificate, calibration, logits, to_int8(result.model, calibration.x))


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
