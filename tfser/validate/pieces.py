"""A quantised file beside the float file of the same operators, piece by piece; runs in the worker's process.

Operator ``k`` of one file is operator ``k`` of the other. The quantised one runs as a whole, as on
the device, and then each of its operators alone: what its result adds to that of the float operator
on the same inputs, which are ones that it can represent. With this error, and everything else in
float, the rest of the model shows what this one operator does to the logits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from typing import Any

import numpy as np

from tfser.convert.canonical import parse
from tfser.convert.compact import pack

Values = dict[int, np.ndarray]  # of tensors by their index, [clips, *shape]
Run = Callable[[Mapping[int, np.ndarray]], np.ndarray]


class Graph:
    """Which activations the operators of a file read and make, and pieces of it as files of their own."""

    def __init__(self, content: bytes) -> None:
        self._model = parse(content)
        graph = self._model.subgraphs[0]
        self.tensors = graph.tensors
        self.given, self.result = int(graph.inputs[0]), int(graph.outputs[0])
        self.makes = [int(operator.outputs[0]) for operator in graph.operators]
        activations = {self.given, *self.makes}
        self.reads = [[int(index) for index in operator.inputs if int(index) in activations]
                      for operator in graph.operators]

    def quantised(self, index: int, values: np.ndarray) -> np.ndarray:
        """Float values of a tensor as its codes, at the ends of their type where they lie beyond."""
        scale, zero_point = self.quantisation(index)
        ends = np.iinfo(self.dtype(index))
        return np.clip(np.rint(values / scale) + zero_point, ends.min, ends.max).astype(self.dtype(index))

    def dequantised(self, index: int, codes: np.ndarray) -> np.ndarray:
        """What the codes of a tensor stand for, float32."""
        scale, zero_point = self.quantisation(index)
        return (scale * (codes.astype(np.float32) - zero_point)).astype(np.float32)

    def quantisation(self, index: int) -> tuple[np.float32, int]:
        """Scale and zero point of a tensor."""
        quantisation = self.tensors[index].quantization
        return np.float32(quantisation.scale[0]), int(quantisation.zeroPoint[0])

    def dtype(self, index: int) -> type:
        """``np.int8``, or ``np.int16`` where activations have 16 bits."""
        return {7: np.int16, 9: np.int8}[self.tensors[index].type]

    def behind(self, operator: int) -> list[int]:
        """The operators that depend on the result of one."""
        changed, found = {self.makes[operator]} if operator >= 0 else {self.given}, []
        for later in range(operator + 1, len(self.makes)):
            if changed & set(self.reads[later]):
                changed.add(self.makes[later])
                found.append(later)
        return found

    def piece(self, operators: list[int]) -> tuple[bytes, list[int]]:
        """A file of some operators, whose output is that of the last, and the tensors that it reads."""
        model, graph = copy(self._model), copy(self._model.subgraphs[0])
        model.subgraphs = [graph]
        made = {self.makes[operator] for operator in operators}
        read = sorted({index for operator in operators for index in self.reads[operator]} - made)
        graph.operators = [copy(graph.operators[operator]) for operator in operators]
        graph.inputs, graph.outputs = read, [self.makes[operators[-1]]]
        _drop_unused(model, graph)
        return pack(model), read


def compare(content: bytes, reference: bytes, clips: np.ndarray) -> dict[str, np.ndarray]:
    """Figures of the input and of each operator's result, in the order of the file.

    Parameters
    ----------
    content, reference : bytes
        The quantised file, and the float file of the same operators.
    clips : np.ndarray [shape=(n, ...)], float32

    Returns
    -------
    dict of str to np.ndarray [shape=(1 + operators,)]
        ``signal``: mean square of the float values; ``least``, ``greatest`` of them; ``clipped``: share of them more
        than half a step beyond the ends of the range; ``running`` and ``alone``: mean square error of the tensor as
        the model runs, and from this operator alone; ``logits``: mean square error of the logits in the latter case.
    """
    whole, exact = Graph(content), Graph(reference)
    floats = _values(_litert, reference, exact, clips[:, None])
    codes = _values(_micro, content, whole, whole.quantised(whole.given, clips[:, None]))
    rows = [_figures(whole, exact, operator, floats, codes) for operator in range(-1, len(whole.makes))]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _figures(whole: Graph, exact: Graph, operator: int, floats: Values, codes: Values) -> dict[str, float]:
    """Of the result of one operator; of the input for -1."""
    index, of_float = (graph.given if operator < 0 else graph.makes[operator] for graph in (whole, exact))
    expected = floats[of_float]
    scale, zero_point = whole.quantisation(index)
    ends = np.iinfo(whole.dtype(index))
    low, high = (scale * (end - zero_point) for end in (ends.min, ends.max))
    alone = _alone(whole, exact, operator, floats)
    return {"signal": _mean_square(expected), "least": float(expected.min()), "greatest": float(expected.max()),
            "clipped": float(np.mean((expected < low - scale / 2) | (expected > high + scale / 2))),
            "running": _mean_square(whole.dequantised(index, codes[index]) - expected),
            "alone": _mean_square(alone - expected),
            "logits": _mean_square(_float_behind(exact, operator, {**floats, of_float: alone}) - floats[exact.result])}


def _alone(whole: Graph, exact: Graph, operator: int, floats: Values) -> np.ndarray:
    """The float result [clips, *shape] of one operator with the error that it makes itself when it is quantised."""
    if operator < 0:
        return whole.dequantised(whole.given, whole.quantised(whole.given, floats[exact.given]))
    (content, read), (reference, of_float) = whole.piece([operator]), exact.piece([operator])
    partner = dict(zip(exact.reads[operator], whole.reads[operator], strict=True))
    codes = {index: whole.quantised(index, floats[of_float]) for of_float, index in partner.items()}
    result = whole.dequantised(whole.makes[operator], _all(_micro(content, read), codes))
    represented = {index: whole.dequantised(partner[index], codes[partner[index]]) for index in of_float}
    return floats[exact.makes[operator]] + (result - _all(_litert(reference, of_float), represented))


def _float_behind(exact: Graph, operator: int, floats: Values) -> np.ndarray:
    """The logits [clips, *shape] of the operators behind one, where ``floats`` holds its changed result."""
    operators = exact.behind(operator)
    if not operators:
        return floats[exact.makes[operator]]
    content, read = exact.piece(operators)
    return _all(_litert(content, read), {index: floats[index] for index in read})


def _values(start: Callable[..., Run], content: bytes, graph: Graph, inputs: np.ndarray) -> Values:
    """Every activation of a file for each input."""
    kept: dict[int, list[np.ndarray]] = {index: [] for index in graph.makes}
    run = start(content, [graph.given], kept)
    for sample in inputs:
        run({graph.given: sample})
    return {graph.given: inputs, **{index: np.stack(seen) for index, seen in kept.items()}}


def _all(run: Run, given: Values) -> np.ndarray:
    return np.stack([run(sample) for sample in _samples(given)])


def _samples(given: Values) -> Iterator[dict[int, np.ndarray]]:
    count = len(next(iter(given.values())))
    return ({index: values[clip] for index, values in given.items()} for clip in range(count))


def _litert(content: bytes, read: list[int], keep: dict[int, list[np.ndarray]] | None = None) -> Run:
    """LiteRT on a piece that reads these tensors, in the order of their places among its inputs."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(model_content=content, num_threads=1, experimental_preserve_all_tensors=bool(keep),
                              experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    interpreter.allocate_tensors()
    places = dict(zip(read, (entry["index"] for entry in interpreter.get_input_details()), strict=True))
    result = interpreter.get_output_details()[0]["index"]

    def run(given: Mapping[int, np.ndarray]) -> np.ndarray:
        for index, place in places.items():
            interpreter.set_tensor(place, given[index])
        interpreter.invoke()
        for index, seen in (keep or {}).items():
            seen.append(interpreter.get_tensor(index))
        return interpreter.get_tensor(result)
    return run


def _micro(content: bytes, read: list[int], keep: dict[int, list[np.ndarray]] | None = None) -> Run:
    """TensorFlow Lite Micro on a piece."""
    from tflite_micro.python.tflite_micro import runtime

    from tfser.validate.worker import ARENA_LIMIT_BYTES

    config = runtime.InterpreterConfig
    interpreter = runtime.Interpreter.from_bytes(
        content, arena_size=ARENA_LIMIT_BYTES,
        intrepreter_config=config.kPreserveAllTensors if keep else config.kAllocationRecording)

    def run(given: Mapping[int, np.ndarray]) -> np.ndarray:
        for place, index in enumerate(read):
            interpreter.set_input(given[index], place)
        interpreter.invoke()
        for index, seen in (keep or {}).items():
            seen.append(np.array(interpreter.GetTensor(index, 0)["tensor_data"]))
        return np.array(interpreter.get_output(0))
    return run


def _drop_unused(model: Any, graph: Any) -> None:
    """Keep only the tensors and buffers that the operators left in the graph use; the tensors are copies."""
    named = (index for operator in graph.operators for index in (*operator.inputs, *operator.outputs))
    used = sorted({int(index) for index in named} - {-1})
    new = {old: place for place, old in enumerate(used)} | {-1: -1}
    graph.tensors = [copy(graph.tensors[index]) for index in used]
    buffers = sorted({0, *(tensor.buffer for tensor in graph.tensors)})
    model.buffers = [model.buffers[index] for index in buffers]
    for tensor in graph.tensors:
        tensor.buffer = buffers.index(tensor.buffer)
    graph.inputs, graph.outputs = ([new[index] for index in indices] for indices in (graph.inputs, graph.outputs))
    for operator in graph.operators:
        operator.inputs, operator.outputs = ([new[int(index)] for index in indices]
                                             for indices in (operator.inputs, operator.outputs))


def _mean_square(values: np.ndarray) -> float:
    return float(np.mean(np.square(values, dtype=np.float64)))
