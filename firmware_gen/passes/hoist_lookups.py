"""A Lookup goes before the movement between it and the arithmetic that can take it over.

    Lookup(Reshape(x)), Lookup(Transpose(x))  ->  Reshape(Lookup(x)), Transpose(Lookup(x))
    Lookup(Concatenate(x, y))                 ->  Concatenate(Lookup(x), Lookup(y))
"""

from __future__ import annotations

from firmware_gen.ir.graph import Graph, Node
from firmware_gen.ir.ops.binary import Binary
from firmware_gen.ir.ops.conv2d import Conv2D
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.ir.ops.depthwise_conv2d import DepthwiseConv2D
from firmware_gen.ir.ops.elementwise import Elementwise
from firmware_gen.ir.ops.lookup import Lookup
from firmware_gen.ir.ops.matmul import MatMul
from firmware_gen.ir.ops.movement import Concatenate, Reshape, Transpose
from firmware_gen.passes.rewriting import Change, everywhere, new_value, only_input

_TAKES_LOOKUPS = (Binary, Conv2D, Dense, DepthwiseConv2D, Elementwise, Lookup, MatMul)


def hoist_lookups(graph: Graph) -> Graph:
    """Move Lookups before movement, towards layers and element-wise nodes that nobody else reads."""
    return everywhere(graph, _hoist)


def _hoist(graph: Graph, node: Node) -> Change | None:
    before = only_input(graph, node)
    if not isinstance(node.op, Lookup) or before is None:
        return None
    if not isinstance(before.op, Reshape | Transpose | Concatenate):
        return None
    if not all(_is_arithmetic(graph, value) for value in before.inputs):
        return None
    inner = [new_value(graph, node.output, graph.values[value].shape, after=number)
             for number, value in enumerate(before.inputs)]
    lookups = tuple(Node(node.op, (value,), (new.id,), node.origin)
                    for value, new in zip(before.inputs, inner, strict=True))
    moved = Node(before.op, tuple(new.id for new in inner), node.outputs, before.origin)
    return Change({before: (), node: (*lookups, moved)}, tuple(inner))


def _is_arithmetic(graph: Graph, value: int) -> bool:
    """Whether what computes a value can take over a Lookup, and the value goes nowhere else on the way."""
    if graph.values[value].is_constant:
        return True
    before = graph.producer(value)
    if before is None or not graph.is_private(value):
        return False
    if isinstance(before.op, Reshape | Transpose | Concatenate):
        return all(_is_arithmetic(graph, i) for i in before.inputs)
    return isinstance(before.op, _TAKES_LOOKUPS)
