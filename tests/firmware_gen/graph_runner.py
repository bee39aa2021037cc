"""Runs graphs in NumPy, before and after the passes, on the same codes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firmware_gen.ir.graph import Graph
from firmware_gen.ir.verify import verify


def evaluate(graph: Graph, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Outputs of a graph, node by node; checks that every operation gives the shape and type that the graph says."""
    known = {i: value.data for i, value in graph.values.items() if value.data is not None}
    known.update(zip(graph.inputs, arrays, strict=True))
    for node in graph.nodes:
        outputs = node.op.evaluate(*(known[i] for i in node.inputs))
        for i, array in zip(node.outputs, outputs, strict=True):
            assert array.shape == graph.values[i].shape
            assert str(array.dtype) == graph.values[i].dtype
            known[i] = array
    return [known[i] for i in graph.outputs]


def codes(graph: Graph, seed: int = 0) -> list[list[np.ndarray]]:
    """Inputs of a graph: random codes in bands of several widths, the extremes by chance, the lowest, the highest."""
    rng = np.random.default_rng(seed)

    def band(width: float) -> list[np.ndarray]:
        return [rng.normal(rng.integers(-90, 91), width, graph.values[i].shape) for i in graph.inputs]

    drawn = [[rng.integers(-128, 128, graph.values[i].shape) for i in graph.inputs], band(74), band(40), band(12),
             [rng.choice([-128, 127], graph.values[i].shape) for i in graph.inputs],
             *([np.full(graph.values[i].shape, code) for i in graph.inputs] for code in (-128, 127))]
    return [[np.clip(np.round(x), -128, 127).astype(np.int8) for x in arrays] for arrays in drawn]


def assert_same(before: Graph, after: Graph, *, varied: bool = True) -> np.ndarray:
    """Two graphs give the same codes; returns all of the outputs.

    ``varied``: the codes must be many, for what is constant or saturated would hide a difference.
    """
    verify(after)
    assert [before.values[i].shape for i in before.outputs] == [after.values[i].shape for i in after.outputs]
    found = []
    for arrays in codes(before):
        for one, other in zip(evaluate(before, arrays), evaluate(after, arrays), strict=True):
            different = np.argwhere(one != other)
            assert different.size == 0, f"{len(different)} of {one.size} codes differ, the first at {different[0]}"
            found.append(one.reshape(-1))
    outputs = np.concatenate(found)
    assert not varied or np.unique(outputs).size > 8
    return outputs
