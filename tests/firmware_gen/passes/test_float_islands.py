"""Float arithmetic between two int8 tensors is one table."""

from __future__ import annotations

import numpy as np
import pytest
from graph_runner import assert_same
from made import kinds

from firmware_gen.errors import CheckFailed
from firmware_gen.ir.graph import Graph, Node, Value
from firmware_gen.ir.ops.float_island import Dequantize, FloatUnary, Quantize
from firmware_gen.passes.float_islands import float_islands
from firmware_gen.passes.pipeline import optimise


def chain(*ops, outputs=None):
    """Operations one after the other, float32 between them."""
    values = {i: Value(i, f"v{i}", (5, 7), "float32") for i in range(1, len(ops))}
    values |= {0: Value(0, "x", (5, 7)), len(ops): Value(len(ops), "y", (5, 7))}
    nodes = tuple(Node(op, (i,), (i + 1,), (f"operator {i}",)) for i, op in enumerate(ops))
    return Graph(values, nodes, (0,), outputs or (len(ops),))


ISLANDS = {
    "no function": (), "one": (FloatUnary("neg"),),
    "three": (FloatUnary("floor"), FloatUnary("relu6"), FloatUnary("square")),
}


@pytest.mark.parametrize("name", ISLANDS)
def test_island_becomes_a_table(name):
    graph = chain(Dequantize(0.07, 3), *ISLANDS[name], Quantize(0.09, -20))
    after = float_islands(graph)
    assert kinds(after) == ["Lookup"]
    assert after.nodes[0].origin == tuple(f"operator {i}" for i in range(len(graph.nodes)))
    assert_same(graph, after, varied=name != "three")
    assert float_islands(after) is after


def test_branches_of_an_island_are_tables_of_their_own():
    graph = chain(Dequantize(0.07, 3), FloatUnary("neg"), Quantize(0.09, -20))
    values = {**graph.values, 4: Value(4, "z", (5, 7))}
    both = Graph(values, (*graph.nodes, Node(Quantize(0.05, 0), (1,), (4,))), (0,), (3, 4))
    after = float_islands(both)
    assert kinds(after) == ["Lookup", "Lookup"]
    assert_same(both, after)


def test_float_that_ends_nowhere_is_found_by_the_pipeline():
    graph = chain(Dequantize(0.07, 3), FloatUnary("neg"), Quantize(0.09, -20))
    open_ended = Graph({**graph.values, 3: Value(3, "y", (5, 7), "float32")},
                       (*graph.nodes[:2], Node(FloatUnary("abs"), (2,), (3,))), (0,), (3,))
    with pytest.raises(CheckFailed) as caught:
        optimise(open_ended)
    assert caught.value.code == "FG-OP-71"


def test_table_is_that_of_every_code():
    graph = chain(Dequantize(0.5, 0), FloatUnary("abs"), Quantize(0.5, 0))
    table = float_islands(graph).nodes[0].op.table
    assert table.tolist() == np.minimum(np.abs(np.arange(-128, 128)), 127).tolist()
