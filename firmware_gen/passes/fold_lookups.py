"""A Lookup whose input is computed for it alone -> part of the node that computes it.

    Lookup that only cuts off (RELU, RELU6, the codes kept)  ->  the limits of the producer's clamp
    any other Lookup                                         ->  the table of the layer or MatMul before it
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from firmware_gen.ir.graph import Graph, Node
from firmware_gen.ir.ops.base import Clamp, Op
from firmware_gen.ir.ops.binary import Binary
from firmware_gen.ir.ops.conv2d import Conv2D
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.ir.ops.depthwise_conv2d import DepthwiseConv2D
from firmware_gen.ir.ops.lookup import Lookup
from firmware_gen.ir.ops.matmul import MatMul
from firmware_gen.ir.ops.pool2d import Pool2D
from firmware_gen.ir.ops.reduce import Reduce
from firmware_gen.passes.rewriting import Change, everywhere, merged_origin, only_input
from firmware_gen.passes.unary_chains import compose

_Layer = Dense | Conv2D | DepthwiseConv2D | MatMul
_Clamped = Binary | Conv2D | Dense | DepthwiseConv2D | MatMul | Pool2D | Reduce


def fold_lookups(graph: Graph) -> Graph:
    """Let layers, products, pools and element-wise nodes apply the Lookup that follows them."""
    return everywhere(graph, _fold)


def _fold(graph: Graph, node: Node) -> Change | None:
    if not isinstance(node.op, Lookup):
        return None
    producer = only_input(graph, node)
    if producer is None:
        return None
    op = _limits(producer.op, node.op.table) or _table(producer.op, node.op.table)
    if op is None:
        return None
    return Change({node: (), producer: (Node(op, producer.inputs, node.outputs, merged_origin(producer, node)),)})


def _limits(op: Op, table: np.ndarray) -> Op | None:
    """The operation with a narrower clamp, where that is all that the table does to the codes that come."""
    if not isinstance(op, _Clamped) or getattr(op, "table", None) is not None:
        return None
    codes = np.arange(op.clamp.low, op.clamp.high + 1)
    mapped = table[codes + 128].astype(np.int64)
    low, high = int(mapped.min()), int(mapped.max())
    if not np.array_equal(mapped, np.clip(codes, low, high)):
        return None
    return replace(op, clamp=Clamp(op.clamp.zero_point, low, high))


def _table(op: Op, table: np.ndarray) -> Op | None:
    if not isinstance(op, _Layer):
        return None
    return replace(op, table=table if op.table is None else compose(table, op.table))
