"""What a slice leaves out is not computed."""

from __future__ import annotations

import pytest
from graph_runner import assert_same
from made import Maker, does_nothing, fires

from firmware_gen.ir.ops.movement import Slice
from firmware_gen.ir.ops.softmax import Softmax
from firmware_gen.passes.absorb_reshapes import absorb_reshapes
from firmware_gen.passes.hoist_slices import hoist_slices
from firmware_gen.passes.pipeline import optimise

SOFTMAX = Softmax(1 << 30, 23, -100)


def elementwise(make):
    return make.binary("add", make.binary("mul", make.input(6, 5, 8), make.input(5, 1)), make.drawn(6, 1, 8))


def rows(make):
    return make.dense(make.input(6, 5, 8), 7)


CASES = {
    "element-wise": (elementwise, {"d0": (1, 4), "d2": (2, 3)}, ["Slice", "mul", "add"]),
    "element-wise that repeats": (elementwise, {"d1": (1, 4)}, ["Slice", "Slice", "mul", "add"]),
    "rows": (rows, {"d0": (1, 4), "d1": (4, 5)}, ["Slice", "Dense"]),
    "softmax": (lambda make: make.add(SOFTMAX, make.input(6, 5, 8)), {"d1": (1, 4)}, ["Slice", "Softmax"]),
    "product": (lambda make: make.matmul(make.input(2, 5, 8), make.input(2, 8, 3)), {"d1": (1, 4)},
                ["Slice", "MatMul"]),
    "mean": (lambda make: make.reduce(make.input(6, 5, 8), (1,)), {"d0": (1, 4), "d2": (3, 7)}, ["Slice", "Reduce"]),
    "mean without its dimension": (lambda make: make.reduce(make.input(6, 5, 8), (1,), keep=False),
                                   {"d1": (3, 7)}, ["Slice", "Reduce"]),
    "transpose": (lambda make: make.transpose(make.input(6, 5, 8), 2, 0, 1), {"d0": (3, 7), "d2": (0, 2)},
                  ["Slice", "Transpose"]),
    "reshape": (lambda make: make.reshape(make.input(6, 5, 8), 1, 6, 5, 2, 4), {"d1": (3, 6), "d2": (0, 2)},
                ["Slice", "Reshape"]),
}


@pytest.mark.parametrize("name", CASES)
def test_case(name):
    made, part, expected = CASES[name]
    make = Maker()
    fires(hoist_slices, make.graph(make.part(made(make), **part)), expected)


def test_steps():
    make = Maker()
    x = make.add(Slice((4, 0), (-2, 1), (3, 5)), make.dense(make.input(6, 8), 5))
    fires(hoist_slices, make.graph(x), ["Slice", "Dense"])


STAYS = {
    "outputs of a layer": (rows, {"d2": (1, 3)}),
    "row of a softmax": (lambda make: make.add(SOFTMAX, make.input(6, 8)), {"d1": (1, 3)}),
    "columns of a product": (lambda make: make.matmul(make.input(2, 5, 8), make.input(2, 8, 3)), {"d2": (1, 2)}),
    "one product of many": (lambda make: make.matmul(make.input(2, 5, 8), make.input(2, 8, 3)), {"d0": (1, 2)}),
    "reshape that mixes": (lambda make: make.reshape(make.input(6, 8), 8, 6), {"d0": (1, 2)}),
    "rows that change": (lambda make: make.reshape(make.dense(make.input(6, 8), 6), 4, 9), {"d0": (1, 2)}),
    "everything": (rows, {}),
    "an input": (lambda make: make.input(6, 8), {"d0": (1, 4)}),
}


@pytest.mark.parametrize("name", STAYS)
def test_stays(name):
    made, part = STAYS[name]
    make = Maker()
    does_nothing(hoist_slices, make.graph(make.part(made(make), **part)))


def test_layer_that_gives_its_rows_another_shape_stays():
    make = Maker()
    rows_anew = make.reshape(make.dense(make.input(2, 6, 8), 5), 3, 4, 5)
    graph = absorb_reshapes(make.graph(make.part(rows_anew, d1=(1, 3))))
    assert len(graph.nodes) == 2
    does_nothing(hoist_slices, graph)


def test_dimension_that_is_turned_round_stays():
    make = Maker()
    turned = make.add(Slice((0, 7), (1, -1), (3, 8)), make.lookup(make.input(6, 8)))
    does_nothing(hoist_slices, make.graph(turned))


def test_value_that_others_read_stays():
    make = Maker()
    x = rows(make)
    does_nothing(hoist_slices, make.graph(x, make.part(x, d0=(1, 2))))
    does_nothing(hoist_slices, make.graph(make.part(x, d0=(1, 2)), make.part(x, d0=(3, 4))))


def test_one_row_of_a_transformer_block():
    """Of the last normalisation and the layers behind it one row is computed."""
    make = Maker()
    x = make.dense(make.input(9, 8), 8)
    mean = make.reduce(x, (1,))
    deviation = make.reduce(make.binary("squared_difference", x, mean), (1,))
    scaled = make.binary("mul", make.binary("sub", x, mean), make.lookup(deviation))
    y = make.binary("add", x, make.dense(make.lookup(make.dense(scaled, 16)), 8))
    graph = make.graph(make.dense(make.part(y, d0=(0, 1)), 40))
    after = optimise(graph)
    assert_same(graph, after)
    assert [after.values[node.output].shape[0] for node in after.nodes] == [1] * len(after.nodes)
