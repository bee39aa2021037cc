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
    """Inputs of a graph: random codes, a narrow band of them, the extremes by chance, the lowest, the highest."""
    rng = np.random.default_rng(seed)
    drawn: list[list[np.ndarray]] = []
    for draw in (lambda shape: rng.integers(-128, 128, shape), lambda shape: rng.integers(-128, 128, shape),
                 lambda shape: rng.normal(0, 12, shape).round(), lambda shape: rng.choice([-128, 127], shape),
                 lambda shape: np.full(shape, -128), lambda shape: np.full(shape, 127)):
        drawn.append([np.clip(draw(graph.values[i].shape), -128, 127).astype(np.int8) for i in graph.inputs])
    return drawn


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
