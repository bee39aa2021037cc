"""LiteRT and TensorFlow Lite Micro on the same inputs: how far apart, and from which operator on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfser.validate.doctor import layer_name
from tfser.validate.runtimes import litert_tensors, run_litert, run_tflite_micro, tflite_micro_tensors

# LiteRT requantises some operators in float, TensorFlow Lite Micro in fixed point with two
# roundings: one step apart in a layer, a few after many layers. More means another computation.
PARITY_MAX_STEPS = 4
# A step of int16 is a 256th of one of int8, and more of them differ (5 were seen): one step of int8.
PARITY_MAX_STEPS_INT16 = 256
# Inputs for which the tensors inside the graph are compared: each costs all activations at once.
_TRACED_INPUTS = 4


@dataclass(frozen=True)
class Divergence:
    """The first operator whose output differs though its inputs were equal."""

    operator: int
    name: str
    layer: str
    steps: int


@dataclass(frozen=True, eq=False)
class Parity:
    """Outputs of both interpreters compared.

    ``equal_inputs`` of ``inputs`` gave the same bytes, ``labels_agree`` the same largest output;
    ``max_steps`` is the largest difference, in steps of the output's scale. ``outputs`` are those
    of TensorFlow Lite Micro, which the device computes, ``[n, ...]`` int8 or int16.
    """

    inputs: int
    equal_inputs: int
    labels_agree: int
    max_steps: int
    outputs: np.ndarray
    first_diverging: Divergence | None = None

    @property
    def equal(self) -> bool:
        """Whether every output byte is the same."""
        return self.max_steps == 0

    @property
    def bound(self) -> int:
        """The most steps that rounding explains."""
        return PARITY_MAX_STEPS_INT16 if self.outputs.dtype == np.int16 else PARITY_MAX_STEPS

    @property
    def within_bound(self) -> bool:
        """Whether the difference is one that rounding explains."""
        return self.max_steps <= self.bound


def compare(model: Any, content: bytes, inputs: np.ndarray) -> Parity:
    """Run both interpreters and compare their outputs.

    Parameters
    ----------
    model
        The verified model of ``content``, to name the operator in.
    content : bytes
        The .tflite file.
    inputs : np.ndarray [shape=(n, ...)], int8

    Raises
    ------
    CheckFailed
        An interpreter refuses the model or crashes on it.
    """
    expected, received = run_tflite_micro(content, inputs), run_litert(content, inputs)
    differing = inputs[_steps(expected, received).max(axis=1) > 0]
    first = _first_diverging(model, content, differing[:_TRACED_INPUTS]) if len(differing) else None
    return dataclasses.replace(compare_outputs(expected, received), first_diverging=first)


def compare_outputs(expected: np.ndarray, received: np.ndarray) -> Parity:
    """Compare the outputs [shape=(n, ...)], int8, of two runs on the same inputs."""
    steps = _steps(expected, received)
    return Parity(
        inputs=len(expected),
        equal_inputs=int((steps.max(axis=1) == 0).sum()),
        labels_agree=int((chosen(expected) == chosen(received)).sum()),
        max_steps=int(steps.max()),
        outputs=expected,
    )


def _steps(expected: np.ndarray, received: np.ndarray) -> np.ndarray:
    """Distances [shape=(n, outputs)] in steps of the output's scale."""
    return np.abs(expected.astype(np.int64) - received).reshape(len(expected), -1)


def probe_inputs(tensor: Any, *, count: int = 16, seed: int = 0) -> np.ndarray:
    """Inputs that reach every code: ``count`` random ones, then all minimum, maximum and zero point.

    Parameters
    ----------
    tensor
        The model's input, int8 or int16.

    Returns
    -------
    np.ndarray [shape=(count + 3, *tensor.shape)], of the input's type
    """
    dtype = np.dtype(tensor.dtype)
    ends = np.iinfo(dtype)
    random = np.random.default_rng(seed).integers(ends.min, ends.max + 1, (count, *tensor.shape), dtype=dtype)
    levels = np.array([ends.min, ends.max, tensor.zero_point[0]], dtype).reshape(-1, *[1] * len(tensor.shape))
    return np.concatenate([random, np.broadcast_to(levels, (3, *tensor.shape))])


def chosen(outputs: np.ndarray) -> np.ndarray:
    """Index of the largest output of each input, [shape=(n,)]; the first of equal ones."""
    return outputs.reshape(len(outputs), -1).argmax(axis=1)


def _first_diverging(model: Any, content: bytes, inputs: np.ndarray) -> Divergence | None:
    """Compare the operators' outputs in the order of execution; ``None`` where none differs."""
    subgraph = model.subgraphs[0]
    made = [index for operator in subgraph.operators for index in operator.outputs]
    expected, received = tflite_micro_tensors(content, inputs, made), litert_tensors(content, inputs, made)
    for operator in subgraph.operators:
        for index in operator.outputs:
            steps = np.abs(expected[index].astype(np.float64) - received[index]).max(initial=0)
            if steps:
                return Divergence(operator.index, operator.name, layer_name(operator, subgraph.tensors),
                                  int(np.ceil(steps)))
    return None
