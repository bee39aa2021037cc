"""Calibration: which clips, and the range of each tensor on them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from tfser.convert.canonical import operator_name, parse
from tfser.convert.compact import pack
from tfser.errors import InputError

STEPS = 255  # of an int8 activation


def stratified(labels: np.ndarray, count: int, speakers: np.ndarray | None = None, *, seed: int = 0) -> np.ndarray:
    """Indices of ``count`` clips, the labels as equally represented as they can be.

    Parameters
    ----------
    labels : np.ndarray [shape=(n,)], int
    count : int
        At most ``n``; more is cut to ``n``.
    speakers : np.ndarray [shape=(n,)], str, optional
        Within a label the speakers take turns, in an order of its own.

    Returns
    -------
    indices : np.ndarray [shape=(min(count, n),)], ascending
    """
    if count < 1 or len(labels) == 0:
        raise InputError("TF-CAL-01", f"{count} calibration clips of {len(labels)}", expected="at least one of each")
    rng = np.random.default_rng(seed)
    who = np.zeros(len(labels)) if speakers is None else speakers
    turns = []
    for label in np.unique(labels):
        own = labels == label
        turns.append(_take_turns([rng.permutation(np.flatnonzero(own & (who == speaker)))
                                  for speaker in rng.permutation(np.unique(who[own]))]))
    return np.sort(_take_turns(turns)[:count])


def tensor_ranges(content: bytes, clips: np.ndarray, percentile: float | None = None) -> dict[int, tuple[float, float]]:
    """The range of each activation of a float ``.tflite`` file.

    The converter's own calibration reads a tensor after a later operator may have written its result into the same
    memory (LiteRT adds in place): the branch of a residual connection then gets the range of the sum.

    Parameters
    ----------
    content : bytes
    clips : np.ndarray [shape=(n, ...)], float32
        What the model's input takes, without its batch of 1.
    percentile : float, optional
        In (50, 100): the range leaves out so much of the values of all clips at either end. Without it, the least
        and the greatest value. The output keeps all of its range: where two logits are clipped, the label is lost.

    Returns
    -------
    dict of int to (float, float)
        Low and high by the tensor's index; the input's by :func:`low_on_grid`.
    """
    graph = parse(content).subgraphs[0]
    made = (int(index) for operator in graph.operators for index in operator.outputs)
    activations = [index for index in (*map(int, graph.inputs), *made)
                   if graph.tensors[index].type == schema.TensorType.FLOAT32]
    values = {index: np.stack(seen) for index, seen in _run(content, clips, activations).items()}
    whole = set(activations) if percentile is None else _moved_to_output(content)
    ranges = {}
    for index in activations:
        rest = 0.0 if index in whole else 100.0 - (percentile or 0.0)
        low, high = np.percentile(values[index], (rest, 100.0 - rest))
        ranges[index] = (float(low), float(high))
    return ranges | {index: low_on_grid(*ranges[index]) for index in map(int, graph.inputs)}


def low_on_grid(low: float, high: float) -> tuple[float, float]:
    """A range whose high end is moved up until its low end is a whole number of steps from 0.

    Half of all features lie at the level floor, the least value. Rounded, it would be off by the same amount
    everywhere, which does not average out: the largest error of all.
    """
    below = int(-low / ((high - low) / STEPS)) if low < 0 < high else 0
    return (low, low + STEPS * -low / below) if below else (low, high)


def with_ranges(content: bytes, ranges: Mapping[int, tuple[float, float]]) -> bytes:
    """A float ``.tflite`` file with the ranges that TensorFlow's quantiser makes scales of."""
    model = parse(content)
    for index, (low, high) in ranges.items():
        model.subgraphs[0].tensors[index].quantization = schema.QuantizationParametersT(min=[low], max=[high])
    return pack(model)


def _moved_to_output(content: bytes) -> set[int]:
    """The output, and what becomes the output by being moved: it has the same scale."""
    model = parse(content)
    graph = model.subgraphs[0]
    found = {int(index) for index in graph.outputs}
    for operator in reversed(graph.operators):
        if operator_name(model, operator) in ("RESHAPE", "TRANSPOSE") and int(operator.outputs[0]) in found:
            found.add(int(operator.inputs[0]))
    return found


def _take_turns(queues: list[np.ndarray]) -> np.ndarray:
    """The first of each queue, then the second of each that has one, ..."""
    longest = max(map(len, queues))
    return np.array([queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)])


def _run(content: bytes, clips: np.ndarray, tensors: list[int]) -> dict[int, list[np.ndarray]]:
    """Values of the tensors, one array a clip; every tensor keeps memory of its own."""
    interpreter = Interpreter(model_content=content, num_threads=1, experimental_preserve_all_tensors=True,
                              experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]["index"]
    kept: dict[int, list[np.ndarray]] = {index: [] for index in tensors}
    for clip in clips:
        interpreter.set_tensor(given, clip[None].astype(np.float32))
        interpreter.invoke()
        for index, seen in kept.items():
            seen.append(interpreter.get_tensor(index))
    return kept
