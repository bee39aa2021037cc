"""A .tflite file with its ``features.json``, run on the host by TensorFlow Lite Micro's own kernels.

The file is int8, or has 16-bit activations as its input and output say.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware_gen.frontend.model import Tensor
from tfser.cli.model_file import read_model
from tfser.errors import InputError
from tfser.features.document import FeatureDocument, read_features_json
from tfser.validate.accuracy import probabilities, quantize
from tfser.validate.runtimes import run_tflite_micro

FEATURES_FILE = "features.json"


@dataclass(frozen=True, eq=False)
class Int8Model:
    """What it takes to get probabilities from an int8 model: the same bytes as on the device."""

    content: bytes
    features: FeatureDocument
    output_scale: float
    output_zero_point: int

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """Softmax of the dequantised logits.

        Parameters
        ----------
        x : np.ndarray [shape=(n, frames, mel_bands)], float32
            Normalised features.

        Returns
        -------
        np.ndarray [shape=(n, labels)], float64
        """
        features = self.features
        inputs = quantize(x, features.input_scale, features.input_zero_point, features.input_dtype)
        return probabilities(run_tflite_micro(self.content, inputs), self.output_scale, self.output_zero_point)


def load_int8_model(path: Path) -> Int8Model:
    """Read a ``.tflite`` file and the ``features.json`` beside it.

    Raises
    ------
    InputError
        One of them is missing, features.json is damaged, or the two do not belong together.
    FirmwareError
        The file is not a sound .tflite file.
    """
    model, content = read_model(path)
    graph = model.subgraphs[0]
    beside = path.with_name(FEATURES_FILE)
    if not beside.is_file():
        raise InputError("TF-INT8-01", f"no {FEATURES_FILE} beside {str(path)!r}",
                         expected=f"the {FEATURES_FILE} that tfser build wrote with the model",
                         fix="keep the files of a build folder together, or build again")
    features = read_features_json(beside)
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise _not_of(path, f"{len(graph.inputs)} inputs and {len(graph.outputs)} outputs", "one of each")
    given, result = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    spec = features.spec
    _require(path, given, (1, spec.frames, spec.mel_bands), features.input_dtype)
    _require(path, result, (1, len(features.labels)), features.input_dtype)
    if (given.scale[0], given.zero_point[0]) != (np.float32(features.input_scale), features.input_zero_point):
        raise _not_of(path, f"input scale {given.scale[0]:.6g}, zero point {given.zero_point[0]}",
                      f"{features.input_scale:.6g}, {features.input_zero_point}")
    return Int8Model(content, features, float(result.scale[0]), int(result.zero_point[0]))


def _require(path: Path, tensor: Tensor, shape: tuple[int, ...], dtype: str) -> None:
    if (tensor.dtype, tensor.shape, tensor.scale.size) != (dtype, shape, 1):
        raise _not_of(path, f"{tensor.dtype} {tensor} of shape {tensor.shape} with {tensor.scale.size} scale(s)",
                      f"{dtype} of shape {shape} with one scale")


def _not_of(path: Path, received: str, expected: str) -> InputError:
    return InputError("TF-INT8-02", f"model {str(path)!r} has {received}, and {FEATURES_FILE} beside it is of another",
                      expected=expected, fix="keep the files of a build folder together, or build again")
