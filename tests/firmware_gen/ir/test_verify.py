"""The verifier finds every kind of defect that it looks for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from firmware_gen.errors import CheckFailed
from firmware_gen.ir.graph import Graph, Node, Value
from firmware_gen.ir.ops.base import Clamp, Scale, Scales
from firmware_gen.ir.ops.binary import Binary
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.ir.ops.elementwise import Elementwise, Step
from firmware_gen.ir.ops.float_island import Dequantize, FloatUnary, Quantize
from firmware_gen.ir.ops.lookup import Lookup
from firmware_gen.ir.ops.movement import Reshape
from firmware_gen.ir.verify import verify

ONE = Scales(np.array([1 << 30], np.int32), np.array([-6], np.int8))
HALF = Scale(1 << 30, 0)
TABLE = np.arange(-128, 128).astype(np.int8)
SUM = Binary("add", 0, 0, 20, HALF, HALF, HALF, Clamp(0))


def sound(*, dense=None, steps=None, values=None, nodes=None, outputs=(6,)) -> Graph:
    """x to Dense, then an element-wise loop that adds x's first columns again, then a Reshape."""
    known = {
        0: Value(0, "x", (2, 8)), 1: Value(1, "w", (8, 8), data=np.ones((8, 8), np.int8)),
        2: Value(2, "b", (8,), "int32", data=np.ones(8, np.int32)), 3: Value(3, "dense", (2, 8)),
        5: Value(5, "sum", (2, 8)), 6: Value(6, "y", (4, 4)), **(values or {}),
    }
    loop = Elementwise(steps or (Step(SUM, (0, 1)), Step(Lookup(TABLE, "RELU"), (-1,))))
    made = nodes or (Node(dense or Dense(0, 0, ONE, Clamp(0), (2, 8)), (0, 1, 2), (3,), ("operator 0",)),
                     Node(loop, (3, 0), (5,), ("operator 1", "operator 2")), Node(Reshape((4, 4)), (5,), (6,)))
    return Graph(known, made, (0,), outputs)


def reordered():
    graph = sound()
    return replace(graph, nodes=(graph.nodes[1], graph.nodes[0], graph.nodes[2]))


def twice():
    graph = sound()
    return replace(graph, nodes=(*graph.nodes, graph.nodes[2]))


def island(*ops, kinds=("float32", "float32")):
    values = {0: Value(0, "x", (2, 8)), 1: Value(1, "a", (2, 8), kinds[0]), 2: Value(2, "b", (2, 8), kinds[1]),
              3: Value(3, "y", (2, 8))}
    return Graph(values, tuple(Node(op, (i,), (i + 1,)) for i, op in enumerate(ops)), (0,), (3,))


DEFECTS = {
    "order": (reordered, "reads 3 'dense'"),
    "two producers": (twice, "computes 6 'y'"),
    "no producer": (lambda: sound(outputs=(7,), values={7: Value(7, "z", (1,))}), "output 7 'z'"),
    "id": (lambda: sound(values={6: Value(8, "y", (4, 4))}), "value 8 under the id 6"),
    "unknown value": (lambda: sound(nodes=(Node(Reshape((16,)), (9,), (6,)),)), "9, which does not exist"),
    "shape": (lambda: sound(values={6: Value(6, "y", (2, 8))}), "outputs [(2, 8)]"),
    "no elements": (lambda: sound(values={7: Value(7, "z", (0,))}), "value 7 of shape (0,)"),
    "input that does not fit": (lambda: sound(dense=Dense(0, 0, ONE, Clamp(0), (2, 7))), "operator 0"),
    "constant's shape": (lambda: sound(values={2: Value(2, "b", (8,), "int32", data=np.ones(7, np.int32))}), "'b'"),
    "constant's type": (lambda: sound(values={2: Value(2, "b", (8,), "int32", data=np.ones(8, np.int64))}), "'b'"),
    "bias's type": (lambda: sound(values={2: Value(2, "b", (8,), data=np.ones(8, np.int8))}), "types"),
    "run-time weights": (lambda: replace(sound(values={1: Value(1, "w", (8, 8))}), inputs=(0, 1)), "weights"),
    "constant input": (lambda: replace(sound(), inputs=(0, 1)), "input 1 'w'"),
    "zero point": (lambda: sound(dense=Dense(0, 0, ONE, Clamp(128), (2, 8))), "zero_point=128"),
    "limit": (lambda: sound(dense=Dense(0, 0, ONE, Clamp(0, -129), (2, 8))), "low=-129"),
    "shift": (lambda: sound(steps=(Step(replace(SUM, scale=Scale(1 << 30, 31)), (0, 1)),)), "shift=31"),
    "table": (lambda: sound(dense=Dense(0, 0, ONE, Clamp(0), (2, 8), TABLE[:255])), "operator 0"),
    "step": (lambda: sound(steps=(Step(SUM, (0, -1)),)), "step 0"),
    "last step": (lambda: sound(steps=(Step(SUM, (0, 2)),)), "step 0"),
    "float value": (lambda: island(Dequantize(0.1, 0), FloatUnary("neg"), Quantize(0.1, 0), kinds=("float32", "int8")),
                    "types"),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_defect_is_found(name):
    made, received = DEFECTS[name]
    with pytest.raises(CheckFailed) as caught:
        verify(made())
    assert caught.value.code in ("FG-OP-70", "FG-OP-72")
    assert received in caught.value.received


def test_sound_graphs_pass():
    verify(sound(), integers_only=True)
    verify(island(Dequantize(0.1, 0), FloatUnary("neg"), Quantize(0.1, 0)))


def test_float_operation_is_left_over():
    with pytest.raises(CheckFailed) as caught:
        verify(island(Dequantize(0.1, 0), FloatUnary("neg"), Quantize(0.1, 0)), integers_only=True)
    assert caught.value.code == "FG-OP-71"
    assert "Dequantize" in caught.value.received
