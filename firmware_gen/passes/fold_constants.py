"""Nodes on constants only are computed now: their results become constants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from firmware_gen.ir.graph import Graph, Node
from firmware_gen.ir.ops.movement import Reshape
from firmware_gen.passes.rewriting import Change, everywhere


def fold_constants(graph: Graph) -> Graph:
    """Replace every node whose inputs are all constants by its result; a model's output becomes a copy of it."""
    return everywhere(graph, _fold)


def _fold(graph: Graph, node: Node) -> Change | None:
    arrays = [graph.values[i].data for i in node.inputs]
    if any(array is None for array in arrays):
        return None
    is_output = not set(node.outputs).isdisjoint(graph.outputs)
    if is_output and isinstance(node.op, Reshape):
        return None
    results = node.op.evaluate(*(array for array in arrays if array is not None))
    values = [replace(graph.values[i], data=np.ascontiguousarray(result).reshape(graph.values[i].shape))
              for i, result in zip(node.outputs, results, strict=True)]
    if not is_output:
        return Change({node: ()}, tuple(values))
    copied = replace(values[0], id=graph.new_id())
    return Change({node: (Node(Reshape(copied.shape), (copied.id,), node.outputs, node.origin),)}, (copied,))
