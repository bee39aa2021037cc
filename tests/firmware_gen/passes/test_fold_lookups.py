"""A table goes into the node that computes what it is applied to."""

from __future__ import annotations

import numpy as np
import pytest
from made import IDENTITY, Maker, does_nothing, fires

from firmware_gen.ir.ops.base import Clamp
from firmware_gen.ir.ops.pool2d import Pool2D
from firmware_gen.passes.fold_lookups import fold_lookups

RELU = np.maximum(IDENTITY, -20).astype(np.int8)
LAYERS = {
    "Dense": lambda make: make.dense(make.input(3, 8), 7),
    "Conv2D": lambda make: make.conv(make.input(1, 5, 5, 3), 7, (3, 3)),
    "DepthwiseConv2D": lambda make: make.depthwise(make.input(1, 5, 5, 3), (3, 3)),
    "MatMul": lambda make: make.matmul(make.input(2, 3, 8), make.input(2, 8, 5)),
}
CLAMPED = {
    **LAYERS, "add": lambda make: make.binary("add", make.input(3, 8), make.input(3, 8)),
    "maximum": lambda make: make.binary("maximum", make.input(3, 8), make.input(3, 8)),
    "Reduce": lambda make: make.reduce(make.input(9, 8), (1,)),
    "Pool2D": lambda make: make.add(Pool2D("average", Clamp(0, -100, 120), make._window((1, 6, 6, 3), (1, 2))),
                                    make.input(1, 6, 6, 3)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer_takes_tables(name):
    make = Maker()
    graph = make.graph(make.lookup(make.lookup(LAYERS[name](make))))
    (node,) = fires(fold_lookups, graph, [name]).nodes
    assert node.op.table is not None
    assert len(node.origin) == 3


@pytest.mark.parametrize("name", CLAMPED)
def test_limits_are_narrowed(name):
    make = Maker()
    graph = make.graph(make.lookup(CLAMPED[name](make), RELU))
    (node,) = fires(fold_lookups, graph, [name]).nodes
    assert node.op.clamp.low == -20
    assert getattr(node.op, "table", None) is None


@pytest.mark.parametrize("name", sorted(set(CLAMPED) - set(LAYERS)))
def test_others_take_no_table(name):
    make = Maker()
    does_nothing(fold_lookups, make.graph(make.lookup(CLAMPED[name](make))))


def test_limits_behind_a_table_become_part_of_it():
    make = Maker()
    graph = make.graph(make.lookup(make.lookup(make.dense(make.input(30, 8), 7)), RELU))
    (node,) = fires(fold_lookups, graph, ["Dense"]).nodes
    assert node.op.clamp.low == -128
    assert node.op.table.min() == -20


def test_codes_that_do_not_come_do_not_count():
    """Below the lower limit the table may be anything."""
    make = Maker()
    wild = np.where(IDENTITY < -20, 99, np.minimum(IDENTITY, 50)).astype(np.int8)
    graph = make.graph(make.lookup(make.lookup(make.dense(make.input(3, 80), 7), RELU), wild))
    (node,) = fires(fold_lookups, graph, ["Dense"]).nodes
    assert node.op.clamp == Clamp(-3, -20, 50)


def test_result_that_others_read_stays():
    make = Maker()
    y = make.dense(make.input(3, 8), 7)
    does_nothing(fold_lookups, make.graph(make.lookup(y), y))
    does_nothing(fold_lookups, make.graph(make.binary("add", make.lookup(y), y)))
