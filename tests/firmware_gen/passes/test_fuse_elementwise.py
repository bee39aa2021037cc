"""Element-wise nodes that follow each other are one loop."""

from __future__ import annotations

from made import Maker, does_nothing, fires

from firmware_gen.ir.ops.elementwise import Elementwise
from firmware_gen.passes.fuse_elementwise import MAX_INPUTS, fuse_elementwise


def test_tree_becomes_one_loop():
    make = Maker()
    a, b, c = (make.input(3, 8) for _ in range(3))
    graph = make.graph(make.binary("add", make.binary("mul", a, make.lookup(b)), make.binary("sub", c, a)))
    (node,) = fires(fuse_elementwise, graph, ["Elementwise"]).nodes
    assert len(node.op.steps) == 4
    assert sorted(node.inputs) == sorted(graph.inputs)


def test_normalisation_with_gain_and_offset():
    """The product of gain and inverse deviation has two readers, and all of them end in one loop."""
    make = Maker()
    x, mean, root = make.input(6, 8), make.input(6, 1), make.input(6, 1)
    gain = make.binary("mul", root, make.drawn(8))
    offset = make.binary("sub", make.drawn(8), make.binary("mul", mean, gain))
    graph = make.graph(make.binary("add", make.binary("mul", x, gain), offset))
    fires(fuse_elementwise, graph, ["Elementwise"])


def test_result_of_a_loop_may_be_used_twice():
    make = Maker()
    a, b = make.input(3, 8), make.input(3, 8)
    both = make.binary("add", a, b)
    (node,) = fires(fuse_elementwise, make.graph(make.binary("mul", both, both)), ["Elementwise"]).nodes
    assert node.op.steps[1].operands == (-1, -1)


def test_single_nodes_stay():
    make = Maker()
    x = make.dense(make.input(3, 8), 8)
    does_nothing(fuse_elementwise, make.graph(make.lookup(x)))
    does_nothing(fuse_elementwise, make.graph(make.dense(make.binary("add", x, make.input(3, 8)), 4)))


def test_nothing_is_computed_more_often():
    make = Maker()
    x, rows = make.input(6, 8), make.input(6, 1)
    does_nothing(fuse_elementwise, make.graph(make.binary("mul", x, make.lookup(rows))))


def test_value_that_others_read_stays():
    make = Maker()
    x = make.input(3, 8)
    y = make.lookup(x)
    does_nothing(fuse_elementwise, make.graph(y, make.binary("mul", x, y)))
    does_nothing(fuse_elementwise, make.graph(make.binary("mul", make.dense(y, 8), y)))


def test_number_of_inputs_has_a_limit():
    make = Maker()
    total = make.input(3, 8)
    for _ in range(2 * MAX_INPUTS):
        total = make.binary("add", total, make.lookup(make.input(3, 8)))
    after = fires(fuse_elementwise, make.graph(total), ["Elementwise"] * 3)
    assert all(isinstance(node.op, Elementwise) and len(node.inputs) <= MAX_INPUTS for node in after.nodes)
