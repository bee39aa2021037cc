"""A convolution with one output position that covers its whole input -> a Dense layer of one row an image."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from firmware_gen.ir.graph import Graph, Node
from firmware_gen.ir.ops.conv2d import Conv2D
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.ir.ops.movement import Reshape
from firmware_gen.passes.rewriting import Change, everywhere, new_value


def conv_to_dense(graph: Graph) -> Graph:
    """Turn Conv2D whose kernel is as large as its input, without padding, into Dense on the flattened input."""
    return everywhere(graph, _turn)


def _turn(graph: Graph, node: Node) -> Change | None:
    op = node.op
    if not isinstance(op, Conv2D):
        return None
    x, weights = (graph.values[i] for i in node.inputs[:2])
    if op.window.kernel != x.shape[1:3] or op.window.output != (1, 1) or any(op.window.padding) or weights.data is None:
        return None
    if any(step > 1 and size > 1 for step, size in zip(op.window.dilation, op.window.kernel, strict=True)):
        return None
    row = new_value(graph, x.id, (x.shape[0], math.prod(x.shape[1:])))
    data = np.ascontiguousarray(weights.data.reshape(weights.shape[0], -1))
    matrix = replace(weights, id=row.id + 1, shape=data.shape, data=data)
    dense = Dense(op.input_zero_point, 0, op.scales, op.clamp, graph.values[node.output].shape, op.table)
    nodes = (Node(Reshape(row.shape), (x.id,), (row.id,), node.origin),
             Node(dense, (row.id, matrix.id, *node.inputs[2:]), node.outputs, node.origin))
    return Change({node: nodes}, (row, matrix))
