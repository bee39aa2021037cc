"""Movement that moves nothing goes, and movement of movement becomes one."""

from __future__ import annotations

import pytest
from made import Maker, does_nothing, fires, kinds

from firmware_gen.ir.ops.movement import Concatenate, Gather, Pad, Reshape, Slice, Transpose
from firmware_gen.passes.simplify_movement import simplify_movement

CASES = {
    "reshape of a reshape": ((3, 8), [Reshape((2, 12)), Reshape((4, 6))], ["Reshape"]),
    "there and back": ((3, 8), [Reshape((2, 12)), Reshape((3, 8))], []),
    "transposed twice": ((3, 4, 5), [Transpose((1, 2, 0)), Transpose((0, 2, 1))], ["Transpose"]),
    "transposed back": ((3, 4, 5), [Transpose((1, 2, 0)), Transpose((2, 0, 1))], []),
    "transpose of ones": ((1, 4, 1, 5), [Transpose((1, 0, 3, 2))], ["Reshape"]),
    "transpose that is none": ((3, 4), [Transpose((0, 1))], []),
    "slice of everything": ((3, 4), [Slice((0, 0), (1, 1), (3, 4))], []),
    "slice that turns round": ((3, 4), [Slice((0, 3), (1, -1), (3, 4))], ["Slice"]),
    "slice of a slice": ((9, 8), [Slice((8, 1), (-2, 1), (4, 7)), Slice((1, 0), (2, 3), (2, 2))], ["Slice"]),
    "padding of nothing": ((3, 4), [Pad((0, 0), (0, 0), 5)], []),
    "concatenation of one": ((3, 4), [Concatenate(1)], []),
    "gather in steps": ((3, 9), [Gather(1, (1, 4, 7), (3,))], ["Slice"]),
    "gather backwards": ((3, 9), [Gather(1, (7, 5, 3), (3,))], ["Slice"]),
    "gather one": ((3, 9), [Gather(1, (4,), ())], ["Slice", "Reshape"]),
    "gather a matrix": ((3, 9), [Gather(1, (0, 1, 2, 3), (2, 2))], ["Slice", "Reshape"]),
    "gather in no order": ((3, 9), [Gather(1, (0, 1, 3), (3,))], ["Gather"]),
    "gather one twice": ((3, 9), [Gather(1, (2, 2), (2,))], ["Gather"]),
    "padding with a dimension before": ((4, 6), [Pad((2, 1), (0, 1), 7), Reshape((1, 6, 1, 8))], ["Reshape", "Pad"]),
    "padding that is torn": ((4, 6), [Pad((2, 1), (0, 1), 7), Reshape((3, 16))], ["Pad", "Reshape"]),
}


@pytest.mark.parametrize("name", CASES)
def test_case(name):
    shape, ops, expected = CASES[name]
    make = Maker()
    x = make.lookup(make.input(*shape))
    for op in ops:
        x = make.add(op, x)
    graph = make.graph(make.lookup(x))
    after = fires(simplify_movement, graph, ["Lookup", *expected, "Lookup"])
    assert (kinds(graph) == kinds(after)) == (simplify_movement(graph) is graph)


def test_slice_of_a_concatenation_reads_its_part():
    make = Maker()
    a, b = make.lookup(make.input(3, 4)), make.lookup(make.input(3, 7))
    both = make.add(Concatenate(1), a, b)
    inside = make.add(Slice((1, 10), (1, -2), (2, 3)), both)
    after = fires(simplify_movement, make.graph(make.lookup(inside)), ["Lookup", "Slice", "Lookup"])
    assert len(after.inputs) == 2
    across = make.add(Slice((0, 3), (1, 1), (3, 2)), both)
    does_nothing(simplify_movement, make.graph(make.lookup(across), both))


def test_output_keeps_its_name():
    make = Maker()
    y = make.reshape(make.lookup(make.input(3, 8)), 3, 8)
    graph = make.graph(y)
    after = fires(simplify_movement, graph, ["Lookup"])
    assert after.outputs == (y,)


def test_copy_of_an_input_or_of_another_output_stays():
    make = Maker()
    x = make.input(3, 8)
    does_nothing(simplify_movement, make.graph(make.reshape(x, 3, 8)))
    y = make.lookup(x)
    does_nothing(simplify_movement, make.graph(y, make.reshape(y, 3, 8)))
