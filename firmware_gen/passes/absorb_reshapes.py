"""A Dense layer works on rows, whatever the dimensions in front are: a Reshape of them needs no node.

    Dense(Reshape(x))  ->  Dense(x)          the last dimension is the same
    Reshape(Dense(x))  ->  Dense(x)          with the other output shape, likewise
"""

from __future__ import annotations

from dataclasses import replace

from firmware_gen.ir.graph import Graph, Node
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.ir.ops.movement import Reshape
from firmware_gen.passes.rewriting import Change, everywhere, merged_origin, only_input


def absorb_reshapes(graph: Graph) -> Graph:
    """Let Dense layers read and write through a Reshape."""
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
    if isinstance(node.op, Reshape) and isinstance(before.op, Dense) and only_input(graph, node) is not None:
        shape = graph.values[node.output].shape
        if not shape or shape[-1] != before.op.output_shape[-1]:
            return None
        op = replace(before.op, output_shape=shape)
        return Change({node: (), before: (Node(op, before.inputs, node.outputs, merged_origin(before, node)),)})
    return None
