"""A depthwise convolution of one channel -> a convolution: every output reads the same input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from firmware_gen.ir.graph import Graph, Node
from firmware_gen.ir.ops.conv2d import Conv2D
from firmware_gen.ir.ops.depthwise_conv2d import DepthwiseConv2D
from firmware_gen.passes.rewriting import Change, everywhere


def depthwise_to_conv(graph: Graph) -> Graph:
    """Turn DepthwiseConv2D of one input channel into Conv2D: weights ``[kh, kw, m]`` to ``[m, kh, kw, 1]``."""
    return everywhere(graph, _turn)


def _turn(graph: Graph, node: Node) -> Change | None:
    op, weights = node.op, graph.values[node.inputs[-1 if len(node.inputs) < 2 else 1]]
    if not isinstance(op, DepthwiseConv2D) or weights.data is None or graph.values[node.inputs[0]].shape[3] != 1:
        return None
    data = np.ascontiguousarray(weights.data.transpose(2, 0, 1))[..., None]
    turned = replace(weights, id=graph.new_id(), shape=data.shape, data=data)
    conv = Conv2D(op.input_zero_point, op.scales, op.clamp, op.window, op.table)
    inputs = (node.inputs[0], turned.id, *node.inputs[2:])
    return Change({node: (replace(node, op=conv, inputs=inputs),)}, (turned,))
