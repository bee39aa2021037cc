"""What a slice leaves out is not computed."""

from __future__ import annotations

import pytest
from graph_runner import assert_same
from made import Maker, does_nothing, fires

from firmware_gen.ir.ops.base import Clamp
from firmware_gen.ir.ops.movement import Pad, Slice
from firmware_gen.ir.ops.pool2d import Pool2D
from firmware_gen.ir.ops.softmax import Softmax
from firmware_gen.passes.absorb_reshapes import absorb_reshapes
from firmware_gen.passes.hoist_slices import MAX_STRIDE, hoist_slices
from firmware_gen.passes.pipeline import optimise
from firmware_gen.passes.simplify_movement import simplify_movement

SOFTMAX = Softmax(1 << 30, 23, -100)


def cut(graph):
    """The pass, without the Slices behind it that have nothing left to take."""
    return simplify_movement(hoist_slices(graph))


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
    fires(cut, make.graph(make.part(made(make), **part)), expected)


def test_steps():
    make = Maker()
    x = make.add(Slice((4, 0), (-2, 1), (3, 5)), make.dense(make.input(6, 8), 5))
    fires(cut, make.graph(x), ["Slice", "Dense", "Slice"])
    turned = make.add(Slice((0, 7), (1, -1), (3, 8)), make.lookup(make.input(6, 8)))
    fires(cut, make.graph(turned), ["Slice", "Lookup", "Slice"])
    every_other = make.add(Slice((1, 2), (3, 2), (2, 3)), make.lookup(make.input(6, 8)))
    fires(cut, make.graph(every_other), ["Slice", "Lookup"])


def image(kind, **window):
    def made(make):
        x = make.input(1, 9, 12, 4)
        if kind == "conv":
            return make.conv(x, 5, (3, 3), **window)
        if kind == "depthwise":
            return make.depthwise(x, (3, 3), **window)
        return make.add(Pool2D(kind, Clamp(0), make._window((1, 9, 12, 4), (3, 3), **window)), x)
    return made


@pytest.mark.parametrize("kind", ["conv", "depthwise", "average", "maximum"])
@pytest.mark.parametrize(("window", "part", "rows"), [
    ({}, {"d1": (6, 7), "d2": (9, 10)}, (6, 9)),  # the last position
    ({"padding": (1, 1)}, {"d1": (0, 1)}, (0, 2)),  # the first: half of its padding stays
    ({"padding": (1, 1)}, {"d1": (8, 9)}, (7, 9)),
    ({"dilation": (3, 1)}, {"d1": (1, 2)}, (1, 8)),
    ({"stride": (2, 2), "padding": (1, 1)}, {"d1": (1, 3), "d2": (2, 6)}, (1, 6)),
])
def test_positions(kind, window, part, rows):
    make = Maker()
    names = {"conv": "Conv2D", "depthwise": "DepthwiseConv2D"}
    after = fires(cut, make.graph(make.part(image(kind, **window)(make), **part)),
                  ["Slice", names.get(kind, "Pool2D")])
    begin, count = after.nodes[0].op.begin[1], after.nodes[0].op.output_shape[1]
    assert (begin, begin + count) == rows


@pytest.mark.parametrize("kind", ["conv", "depthwise", "average", "maximum"])
def test_positions_in_steps_are_a_stride(kind):
    make = Maker()
    channels = 5 if kind == "conv" else 4
    positions = make.add(Slice((0, 1, 5, 0), (1, 3, -2, 1), (1, 2, 3, channels)), image(kind)(make))
    after = fires(cut, make.graph(positions), [
        "Slice", {"conv": "Conv2D", "depthwise": "DepthwiseConv2D"}.get(kind, "Pool2D"), "Slice"])
    assert after.nodes[1].op.window.stride == (3, 2)


def test_several_slices_have_what_lies_between_them():
    make = Maker()
    x = make.lookup(make.input(9, 8))
    parts = [make.dense(make.part(x, d0=(4, 5)), 6), make.dense(make.part(x, d0=(2, 7), d1=(0, 4)), 6)]
    after = fires(cut, make.graph(make.binary("add", *parts)),
                  ["Slice", "Lookup", "Slice", "Dense", "Slice", "Dense", "add"])
    assert after.nodes[0].op == Slice((2, 0), (1, 1), (5, 8))


def test_slices_in_steps_that_alternate():
    make = Maker()
    x = make.lookup(make.input(20, 8))
    odd, even = (make.add(Slice((begin, 0), (4, 1), (4, 8)), x) for begin in (3, 1))
    after = fires(cut, make.graph(make.binary("sub", odd, even)), ["Slice", "Lookup", "Slice", "Slice", "sub"])
    assert after.nodes[0].op == Slice((1, 0), (1, 1), (15, 8))


def test_steps_of_hundreds_are_no_stride():
    make = Maker()
    x = make.conv(make.input(1, 1, 3 * MAX_STRIDE, 2), 8, (1, 1))
    does_nothing(hoist_slices, make.graph(make.add(Slice((0,) * 4, (1, 1, MAX_STRIDE + 1, 1), (1, 1, 2, 8)), x)))


def test_last_step_of_causal_convolutions():
    """Two layers of three taps need five steps of the input."""
    make = Maker()
    x = make.input(1, 1, 40, 6)
    for _ in range(2):
        y = make.conv(make.add(Pad((0, 0, 2, 0), (0, 0, 0, 0), 5), x), 6, (1, 3))
        x = make.binary("add", x, y)
    graph = make.graph(make.dense(make.part(x, d2=(39, 40)), 20))
    after = optimise(graph)
    assert_same(graph, after)
    assert after.nodes[0].op == Slice((0, 0, 35, 0), (1, 1, 1, 1), (1, 1, 5, 6))
    assert not any(isinstance(node.op, Pad) for node in after.nodes)


STAYS = {
    "outputs of a layer": (rows, {"d2": (1, 3)}),
    "row of a softmax": (lambda make: make.add(SOFTMAX, make.input(6, 8)), {"d1": (1, 3)}),
    "columns of a product": (lambda make: make.matmul(make.input(2, 5, 8), make.input(2, 8, 3)), {"d2": (1, 2)}),
    "one product of many": (lambda make: make.matmul(make.input(2, 5, 8), make.input(2, 8, 3)), {"d0": (1, 2)}),
    "reshape that mixes": (lambda make: make.reshape(make.input(6, 8), 8, 6), {"d0": (1, 2)}),
    "rows that change": (lambda make: make.reshape(make.dense(make.input(6, 8), 6), 4, 9), {"d0": (1, 2)}),
    "everything": (rows, {}),
    "outputs of a layer, as many as inputs": (lambda make: make.dense(make.input(6, 8), 8), {"d1": (1, 3)}),
    "channels": (image("conv"), {"d3": (0, 2)}),
    "an input": (lambda make: make.input(6, 8), {"d0": (1, 4)}),
}


@pytest.mark.parametrize("name", STAYS)
def test_stays(name):
    made, part = STAYS[name]
    make = Maker()
    does_nothing(hoist_slices, make.graph(make.part(made(make), **part)))


def test_layer_that_gives_its_rows_another_shape():
    make = Maker()
    named = make.reshape(make.dense(make.input(2, 6, 8), 5), 2, 1, 6, 5)
    graph = absorb_reshapes(make.graph(make.part(named, d2=(1, 3))))
    assert fires(cut, graph, ["Slice", "Dense"]).nodes[0].op.output_shape == (2, 2, 8)
    rows_anew = make.reshape(make.dense(make.input(2, 6, 8), 5), 3, 4, 5)
    graph = absorb_reshapes(make.graph(make.part(rows_anew, d1=(1, 3))))
    assert len(graph.nodes) == 2
    does_nothing(hoist_slices, graph)


def test_value_that_others_read_stays():
    make = Maker()
    x = rows(make)
    does_nothing(hoist_slices, make.graph(x, make.part(x, d0=(1, 2))))
    does_nothing(hoist_slices, make.graph(make.part(x, d0=(0, 2)), make.part(x, d0=(3, 6))))
    does_nothing(hoist_slices, make.graph(make.part(x, d0=(1, 2)), make.lookup(x)))


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
