"""A product with a constant matrix -> a Dense layer, whose weights are packed when compiling."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from firmware_gen.ir.graph import Graph, Node
from firmware_gen.ir.ops.base import Scales
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.ir.ops.matmul import MatMul
from firmware_gen.passes.rewriting import Change, everywhere


def matmul_to_dense(graph: Graph) -> Graph:
    """Turn MatMul whose second input is one constant matrix for all of the first into Dense."""
    return everywhere(graph, _turn)


def _turn(graph: Graph, node: Node) -> Change | None:
    op = node.op
    if not isinstance(op, MatMul) or op.transpose_a:
        return None
    x, matrix = (graph.values[i] for i in node.inputs)
    if matrix.data is None or x.is_constant or math.prod(matrix.shape[:-2]) != 1:
        return None
    square = matrix.data.reshape(matrix.shape[-2:])
    data = np.ascontiguousarray(square if op.transpose_b else square.T)
    weights = replace(matrix, id=graph.new_id(), shape=data.shape, data=data)
    scales = Scales(np.array([op.scale.multiplier], np.int32), np.array([op.scale.shift], np.int8))
    dense = Dense(op.a_zero_point, op.b_zero_point, scales, op.clamp, graph.values[node.output].shape, op.table)
    return Change({node: (replace(node, op=dense, inputs=(x.id, weights.id)),)}, (weights,))
