"""A table goes before movement where the arithmetic behind it can take it over."""

from __future__ import annotations

import pytest
from made import Maker, does_nothing, fires

from firmware_gen.ir.ops.movement import Concatenate
from firmware_gen.passes.fold_lookups import fold_lookups
from firmware_gen.passes.hoist_lookups import hoist_lookups


@pytest.mark.parametrize("move", [
    lambda make, x: make.reshape(x, 8, 3), lambda make, x: make.transpose(x, 1, 0),
    lambda make, x: make.transpose(make.reshape(x, 2, 3, 4), 2, 0, 1),
])
def test_movement_of_a_layer(move):
    make = Maker()
    graph = make.graph(make.lookup(move(make, make.dense(make.input(6, 8), 4))))
    movement = [type(node.op).__name__ for node in graph.nodes[1:-1]]
    after = fires(hoist_lookups, graph, ["Dense", "Lookup", *movement])
    fires(fold_lookups, after, ["Dense", *movement])


def test_branches_that_join():
    make = Maker()
    x = make.input(1, 5, 5, 3)
    joined = make.add(Concatenate(3), make.conv(x, 4, (1, 1)), make.drawn(1, 5, 5, 2), make.depthwise(x, (1, 1)))
    after = fires(hoist_lookups, make.graph(make.lookup(joined)),
                  ["Conv2D", "DepthwiseConv2D", "Lookup", "Lookup", "Lookup", "Concatenate"])
    fires(fold_lookups, after, ["Conv2D", "DepthwiseConv2D", "Lookup", "Concatenate"])


def test_movement_of_others_stays():
    make = Maker()
    x, y = make.input(6, 8), make.dense(make.input(6, 8), 4)
    does_nothing(hoist_lookups, make.graph(make.lookup(make.reshape(x, 8, 6))))  # an input
    does_nothing(hoist_lookups, make.graph(y, make.lookup(make.reshape(y, 8, 3))))  # others read the layer
    moved = make.reshape(y, 8, 3)
    does_nothing(hoist_lookups, make.graph(moved, make.lookup(moved)))  # others read what is moved
    does_nothing(hoist_lookups, make.graph(make.lookup(make.part(y, d0=(1, 4)))))
    does_nothing(hoist_lookups, make.graph(make.lookup(make.add(Concatenate(1), x, y))))  # one branch of two
