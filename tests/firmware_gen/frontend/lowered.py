"""Files of one operator, lowered and evaluated beside TensorFlow Lite Micro on the same codes."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
from graph_runner import evaluate
from hypothesis import strategies as st
from tflite_builder import Graph, fb, options
from tflite_micro import runtime

from firmware_gen.frontend.lower import lower
from firmware_gen.frontend.tflite import read_tflite

ARENA_BYTES = 1 << 21
ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")


def cases(**fields: st.SearchStrategy) -> st.SearchStrategy:
    """Objects with these attributes."""
    return st.builds(SimpleNamespace, **fields)


seeds = st.integers(0, 2**32 - 1)
zero_points = st.one_of(st.integers(-128, 127), st.sampled_from([-128, 0, 127]))
scales = st.floats(0.002, 0.2).map(np.float32).map(float)
activations = st.sampled_from(ACTIVATIONS)
# Output scale against the one that fits the spread of the codes: below 1 saturates.
looseness = st.sampled_from([0.01, 0.3, 1.0, 1.0, 1.0, 3.0, 50.0])


def activation(name: str) -> int:
    """The schema's number of a fused activation."""
    return getattr(fb.ActivationFunctionType, name)


def codes(rng: np.random.Generator, shape: Sequence[int], zero_point: int = 0) -> list[np.ndarray]:
    """Random codes, the extremes by chance, the lowest, the highest and the zero point alone."""
    drawn = [rng.integers(-128, 128, shape), rng.choice([-128, 127], shape),
             *(np.full(shape, code) for code in (-128, 127, zero_point))]
    return [array.astype(np.int8) for array in drawn]


def assert_equal(content: bytes, inputs: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """The lowered graph gives the oracle's codes for every input; returns all of the oracle's codes."""
    graph, oracle = lower(read_tflite(content)), runtime.Interpreter.from_bytes(content, arena_size=ARENA_BYTES)
    expected = []
    for number, arrays in enumerate(inputs):
        for i, array in enumerate(arrays):
            oracle.set_input(array, i)
        oracle.invoke()
        expected.append(oracle.get_output(0).copy())
        (found,) = evaluate(graph, arrays)
        different = np.argwhere(found != expected[-1])
        assert different.size == 0, (
            f"input {number}: {len(different)} of {found.size} differ, first at {different[0]}: "
            f"{found[tuple(different[0])]} for {expected[-1][tuple(different[0])]}")
    return np.concatenate([array.reshape(-1) for array in expected])


def layer(name: str, graph: Graph, inputs: Sequence[int], outputs: Sequence[int], table: str, **chosen) -> bytes:
    """The file of one operator; its inputs are those that are not constant."""
    graph.operator(name, inputs, outputs, options=options(table, **chosen))
    variable = [i for i in inputs if i >= 0 and not graph.subgraph.tensors[i].buffer]
    return graph.finish(variable, outputs)


def fitting_scale(fan_in: int, *given: float) -> float:
    """Output scale that spreads sums of ``fan_in`` products of random codes over the int8 range."""
    return float(np.prod(given)) * 73 * (73 if len(given) > 1 else 1) * np.sqrt(fan_in) / 45
