"""A Dense layer works on rows, whatever the dimensions in front are: a Reshape of them needs no node.

    Dense(Reshape(x))  ->  Dense(x)          the last dimension is the same
    Reshape(Dense(x))  ->  Dense(x)          with the other output shape, likewise
    Lookup(Reshape(x)) ->  Reshape(Lookup(x)), and so for Transpose: the Lookup meets the producer of x
"""

from __future__ import annotations

from dataclasses import replace

from firmware_gen.ir.graph import Graph, Node
from firmware_gen.ir.ops.binary import Binary
from firmware_gen.ir.ops.conv2d import Conv2D
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.ir.ops.depthwise_conv2d import DepthwiseConv2D
from firmware_gen.ir.ops.elementwise import Elementwise
from firmware_gen.ir.ops.lookup import Lookup
from firmware_gen.ir.ops.matmul import MatMul
from firmware_gen.ir.ops.movement import Reshape, Transpose
from firmware_gen.passes.rewriting import Change, everywhere, merged_origin, new_value, only_input

_TAKES_LOOKUPS = (Binary, Conv2D, Dense, DepthwiseConv2D, Elementwise, Lookup, MatMul)


def absorb_reshapes(graph: Graph) -> Graph:
    """Let Dense layers read and write through a Reshape, and move Lookups before movement."""
    return everywhere(graph, _absorb)


def _absorb(graph: Graph, node: Node) -> Change | None:
    before = graph.producer(node.inputs[0])
    if before is None:
        return None
    if isinstance(node.op, Dense) and isinstance(before.op, Reshape):
        source = graph.values[before.inputs[0]].shape
        if not source or source[-1] != graph.values[node.inputs[0]].shape[-1]:
            return None
        inputs = (before.inputs[0], *node.inputs[1:])
        return Change({node: (Node(node.op, inputs, node.outputs, merged_origin(before, node)),)})
    if only_input(graph, node) is None:
        return None
    if isinstance(node.op, Reshape) and isinstance(before.op, Dense):
        return _dense_gives_the_shape(graph, node, before, before.op)
    moved = isinstance(node.op, Lookup) and isinstance(before.op, Reshape | Transpose)
    if moved and _leads_to_arithmetic(graph, before):
        middle = new_value(graph, node.output, graph.values[before.inputs[0]].shape)
        first = Node(node.op, before.inputs, (middle.id,), node.origin)
        last = Node(before.op, (middle.id,), node.outputs, before.origin)
        return Change({before: (first,), node: (last,)}, (middle,))
    return None


def _leads_to_arithmetic(graph: Graph, node: Node) -> bool:
    """Whether what is moved comes from a node that can take over a Lookup, and goes nowhere else on the way."""
    before = only_input(graph, node)
    if before is None:
        return False
    if isinstance(before.op, Reshape | Transpose):
        return _leads_to_arithmetic(graph, before)
    return isinstance(before.op, _TAKES_LOOKUPS)


def _dense_gives_the_shape(graph: Graph, node: Node, before: Node, op: Dense) -> Change | None:
    shape = graph.values[node.output].shape
    if not shape or shape[-1] != op.output_shape[-1]:
        return None
    layer = Node(replace(op, output_shape=shape), before.inputs, node.outputs, merged_origin(before, node))
    return Change({node: (), before: (layer,)})
