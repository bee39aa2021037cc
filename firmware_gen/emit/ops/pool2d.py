"""Pools."""

from __future__ import annotations

from firmware_gen.emit.context import Context, NodeText
from firmware_gen.emit.ops.convolution import window
from firmware_gen.ir.ops.pool2d import Pool2D


def emit_pool2d(context: Context) -> NodeText:
    """A call of ``tfser_average_pool_s8`` or ``tfser_max_pool_s8`` for the output pixels of a block."""
    op = context.node.op
    assert isinstance(op, Pool2D)
    pointer, stride = context.pixels(context.node.inputs[0])
    y = context.output()
    name = {"average": "tfser_average_pool_s8", "maximum": "tfser_max_pool_s8"}[op.kind]
    return NodeText(
        (window(context, op.window, context.value(0).shape),),
        body=(f"{name}(&window{context.position}, {op.clamp.low}, {op.clamp.high}, {pointer}, {stride}, "
              f"{context.first}, {context.count}, {y.pointer}, {y.stride});",))
