"""Element-wise nodes and reductions work in the order in which their input lies."""

from __future__ import annotations

from graph_runner import assert_same
from made import Maker, does_nothing, fires, kinds

from firmware_gen.passes.pipeline import optimise
from firmware_gen.passes.sink_transposes import sink_transposes


def test_element_wise():
    make = Maker()
    x, y = (make.transpose(make.input(4, 5, 6), 1, 2, 0) for _ in range(2))
    total = make.binary("add", make.binary("mul", x, y), make.drawn(6, 4))
    after = fires(sink_transposes, make.graph(total), ["mul", "add", "Transpose"])
    assert after.values[after.nodes[1].inputs[1]].shape == (4, 1, 6)


def test_operand_of_one_long_dimension_is_named_anew():
    make = Maker()
    x, row, column = make.transpose(make.input(4, 5, 6), 1, 2, 0), make.input(4), make.input(5, 1, 1)
    total = make.binary("add", make.binary("mul", x, row), column)
    fires(sink_transposes, make.graph(total), ["Reshape", "mul", "Reshape", "add", "Transpose"])


def test_reduction():
    make = Maker()
    x = make.transpose(make.input(1, 9, 6), 2, 0, 1)
    after = fires(sink_transposes, make.graph(make.reduce(x, (0, 1), keep=False)), ["Reduce", "Reshape"])
    assert after.nodes[0].op.axes == (2,)


def test_reduction_whose_result_is_transposed_stays():
    make = Maker()
    x = make.transpose(make.input(4, 5, 6), 1, 0, 2)
    does_nothing(sink_transposes, make.graph(make.reduce(x, (2,))))


def test_transpose_that_others_read_stays():
    make = Maker()
    x = make.transpose(make.input(4, 6), 1, 0)
    does_nothing(sink_transposes, make.graph(make.binary("add", make.lookup(x), make.dense(x, 4))))
    does_nothing(sink_transposes, make.graph(x, make.lookup(x)))


def test_operands_in_other_orders_stay():
    make = Maker()
    x, y = make.transpose(make.input(4, 4), 1, 0), make.input(4, 4)
    does_nothing(sink_transposes, make.graph(make.binary("add", x, y)))


def test_transpose_of_less_than_the_result_stays():
    make = Maker()
    column = make.transpose(make.input(1, 4), 1, 0)
    does_nothing(sink_transposes, make.graph(make.binary("add", column, make.drawn(4, 4))))


def test_normalisation_of_columns_becomes_one_of_rows():
    """Keras' LayerNormalization between two Transposes that cancel each other."""
    make = Maker()
    x = make.dense(make.input(9, 8), 8)
    columns = make.transpose(make.reshape(x, 1, 9, 8, 1), 0, 2, 3, 1)
    mean = make.reduce(columns, (0, 1, 2), keep=False)
    root = make.lookup(make.reduce(make.binary("squared_difference", columns, mean), (0, 1, 2), keep=False))
    offset = make.lookup(make.binary("mul", mean, root))
    scaled = make.binary("add", make.binary("mul", columns, root), offset)
    graph = make.graph(make.dense(make.reshape(make.transpose(scaled, 0, 3, 1, 2), 9, 8), 6))
    after = optimise(graph)
    assert_same(graph, after)
    assert [kind for kind in kinds(after) if kind != "Reshape"] == [
        "Dense", "Reduce", "squared_difference", "Reduce", "Lookup", "Elementwise", "Elementwise", "Dense"]
