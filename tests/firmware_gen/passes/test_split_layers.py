"""A layer whose outputs are read in slices is a layer for each slice."""

from __future__ import annotations

import pytest
from made import Maker, does_nothing, fires

from firmware_gen.ir.ops.movement import Slice
from firmware_gen.passes.split_layers import MIN_OUTPUTS, split_layers


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("per_channel", [False, True])
def test_gate(bias, per_channel):
    make = Maker()
    both = make.dense(make.input(3, 8), 12, bias=bias, per_channel=per_channel)
    gate = make.lookup(make.part(both, d1=(6, 12)))
    graph = make.graph(make.binary("mul", make.part(both, d1=(0, 6)), gate))
    fires(split_layers, graph, ["Dense", "Dense", "Lookup", "mul"])


def test_outputs_that_nobody_reads_are_not_computed():
    make = Maker()
    both = make.dense(make.input(3, 8), 16)
    every_other = make.add(Slice((0, 14), (1, -2), (3, 5)), both)
    after = fires(split_layers, make.graph(make.lookup(every_other)), ["Dense", "Lookup"])
    assert after.values[after.nodes[0].inputs[1]].shape == (5, 8)


def test_others_stay():
    make = Maker()
    both = make.dense(make.input(3, 8), 12)
    first, overlapping = make.part(both, d1=(0, 6)), make.part(both, d1=(5, 12))
    few, rows = make.part(both, d1=(6, 6 + MIN_OUTPUTS - 1)), make.part(both, d0=(0, 2))
    for others in ((overlapping,), (few,), (rows,), (make.lookup(both),), (both,)):
        does_nothing(split_layers, make.graph(first, *others))
