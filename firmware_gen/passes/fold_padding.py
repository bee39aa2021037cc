"""Pad with the code that means 0 before a convolution -> padding of the convolution's window."""

from __future__ import annotations

from dataclasses import replace

from firmware_gen.ir.graph import Graph, Node
from firmware_gen.ir.ops.conv2d import Conv2D
from firmware_gen.ir.ops.depthwise_conv2d import DepthwiseConv2D
from firmware_gen.ir.ops.movement import Pad
from firmware_gen.passes.rewriting import Change, everywhere, fits, merged_origin, shapes_of


def fold_padding(graph: Graph) -> Graph:
    """Let Conv2D and DepthwiseConv2D pad for themselves."""
    return everywhere(graph, _fold)


def _fold(graph: Graph, node: Node) -> Change | None:
    op = node.op
    if not isinstance(op, Conv2D | DepthwiseConv2D):
        return None
    pad = graph.producer(node.inputs[0])
    if pad is None or not isinstance(pad.op, Pad) or pad.op.value != op.input_zero_point:
        return None
    padding = (op.window.padding[0] + pad.op.before[1], op.window.padding[1] + pad.op.before[2])
    padded = replace(op, window=replace(op.window, padding=padding))
    inputs = (*pad.inputs, *node.inputs[1:])
    # Images and channels that are added, and positions that see nothing but padding, do not fit.
    if not fits(padded, shapes_of(graph, inputs), graph.values[node.output].shape):
        return None
    return Change({node: (Node(padded, inputs, node.outputs, merged_origin(pad, node)),)})
