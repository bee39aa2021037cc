"""A Reshape is no obstacle between two element-wise nodes."""

from __future__ import annotations

import pytest
from made import Maker, does_nothing, fires

from firmware_gen.passes.fuse_elementwise import fuse_elementwise
from firmware_gen.passes.hoist_reshapes import hoist_reshapes


@pytest.mark.parametrize(("shape", "others", "result", "reshapes"), [
    ((6, 1, 8), ((6, 1, 8), (8,)), (1, 6, 8), 2),
    ((6, 1, 8), ((6, 1, 1), (1, 8)), (6, 8), 2),
    ((6, 8), ((6, 1), (6, 8)), (6, 1, 8, 1), 2),
    ((1, 6, 8), ((1, 1, 1), (8,)), (6, 8, 1), 1),
])
def test_operands_are_reshaped(shape, others, result, reshapes):
    make = Maker()
    first = make.binary("mul", make.input(*shape), make.input(*others[0]))
    first = make.binary("add", first, make.drawn(*others[1]))
    graph = make.graph(make.binary("add", make.reshape(first, *result), make.input(*result)))
    after = hoist_reshapes(graph)
    fires(hoist_reshapes, graph, ["Reshape"] * reshapes + ["mul", "add", "add"])
    fires(fuse_elementwise, after, ["Reshape"] * reshapes + ["Elementwise"])


def test_reshape_that_mixes_dimensions_stays():
    make = Maker()
    x = make.reshape(make.binary("add", make.input(6, 8), make.input(8)), 8, 6)
    does_nothing(hoist_reshapes, make.graph(make.lookup(x)))


def test_reshape_for_others_stays():
    make = Maker()
    total = make.binary("add", make.input(6, 8), make.input(8))
    moved = make.reshape(total, 1, 6, 8)
    does_nothing(hoist_reshapes, make.graph(moved))
    does_nothing(hoist_reshapes, make.graph(make.dense(moved, 4)))
    does_nothing(hoist_reshapes, make.graph(make.lookup(moved), total))
    does_nothing(hoist_reshapes, make.graph(make.binary("add", make.lookup(moved), make.lookup(moved))))
    does_nothing(hoist_reshapes, make.graph(make.lookup(make.reshape(make.dense(make.input(6, 8), 4), 1, 6, 4))))
