"""What is the same along an axis is computed once."""

from __future__ import annotations

import numpy as np
from made import Maker, does_nothing, fires

from firmware_gen.passes.narrow_broadcasts import narrow_broadcasts


def shapes(graph):
    return [graph.values[node.output].shape for node in graph.nodes]


def test_constant_of_one_code_for_all():
    make = Maker()
    rows, x = make.input(6, 1), make.input(6, 8)
    gain = make.binary("mul", rows, make.constant(np.full(8, 90, np.int8)))
    graph = make.graph(make.binary("add", x, make.lookup(gain)))
    after = fires(narrow_broadcasts, graph, ["mul", "Lookup", "add"])
    assert shapes(graph)[:2] == [(6, 8), (6, 8)]
    assert shapes(after) == [(6, 1), (6, 1), (6, 8)]


def test_one_axis_of_two():
    make = Maker()
    x = make.input(6, 8)
    per_column = make.constant(np.tile(np.arange(8, dtype=np.int8) * 9, (6, 1)))
    after = fires(narrow_broadcasts, make.graph(make.binary("add", x, per_column)), ["add"])
    assert after.values[after.nodes[0].inputs[1]].shape == (1, 8)


def test_reader_that_needs_all_elements():
    make = Maker()
    rows = make.input(6, 1)
    wide = make.binary("mul", rows, make.constant(np.full(8, 90, np.int8)))
    does_nothing(narrow_broadcasts, make.graph(make.dense(wide, 5)))


def test_output_needs_all_elements():
    make = Maker()
    rows = make.input(60, 1)
    does_nothing(narrow_broadcasts, make.graph(make.binary("mul", rows, make.constant(np.full(8, 90, np.int8)))))


def test_constant_of_different_codes():
    make = Maker()
    does_nothing(narrow_broadcasts, make.graph(make.binary("mul", make.input(6, 8), make.drawn(8))))


def test_constant_with_a_reader_that_needs_all_of_it():
    make = Maker()
    x, same = make.input(4, 8), make.constant(np.full((4, 8), 3, np.int8))
    graph = make.graph(make.binary("add", x, same), make.matmul(x, same, transpose_b=True))
    after = fires(narrow_broadcasts, graph, ["add", "MatMul"])
    assert [after.values[node.inputs[1]].shape for node in after.nodes] == [(1, 1), (4, 8)]
