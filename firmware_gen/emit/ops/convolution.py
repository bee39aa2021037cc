"""Convolutions, by patches and channel by channel."""

from __future__ import annotations

from firmware_gen.emit.context import Context, NodeText
from firmware_gen.emit.ops.layer import bound, layer, narrowness, packed, packed_bias
from firmware_gen.emit.packing import pack_depthwise
from firmware_gen.ir.ops.base import Shape, Window
from firmware_gen.ir.ops.conv2d import Conv2D
from firmware_gen.ir.ops.depthwise_conv2d import DepthwiseConv2D


def window(context: Context, of: Window, shape: Shape) -> str:
    """Declaration of the window's structure for an input of this shape."""
    numbers = (*shape[1:], *of.kernel, *of.stride, *of.dilation, *of.padding, *of.output)
    return f"static const tfser_window window{context.position} = {{{', '.join(map(str, numbers))}}};"


def emit_conv2d(context: Context) -> NodeText:
    """A call of ``tfser_conv_*_s8`` for the output pixels of a block."""
    op, kernel, bias = context.node.op, context.array(1), context.array(2)
    assert isinstance(op, Conv2D) and kernel is not None
    weights = kernel.reshape(kernel.shape[0], -1)
    narrow = narrowness(context, bound(weights, bias, op.input_zero_point, 0), op.scales, weights)
    names = packed(context, weights, bias, op.input_zero_point, 0, narrow)
    pointer, stride = context.pixels(context.node.inputs[0])
    y = context.output()
    return NodeText(
        (layer(context, depth=weights.shape[1], outputs=weights.shape[0], zero_points=(op.input_zero_point, 0),
               scales=op.scales, clamp=op.clamp, narrow=narrow, table=op.table),
         window(context, op.window, context.value(0).shape)),
        body=(f"tfser_conv_{context.form}_s8(&layer{context.position}, &window{context.position}, {', '.join(names)}, "
              f"{pointer}, {stride}, {context.first}, {context.count}, {y.pointer}, {y.stride}, "
              f"{context.scratch()});",))


def emit_depthwise_conv2d(context: Context) -> NodeText:
    """A call of ``tfser_depthwise_*_s8`` for the whole image."""
    op, kernel, bias = context.node.op, context.array(1), context.array(2)
    assert isinstance(op, DepthwiseConv2D) and kernel is not None
    weights = kernel.reshape(-1, kernel.shape[-1]).T
    narrow = narrowness(context, bound(weights, bias, op.input_zero_point, 0), op.scales)
    names = (context.constants.add("weights", pack_depthwise(kernel), f"weights of {context.title}"),
             packed_bias(context, weights, bias, op.input_zero_point, 0))
    (x, x_stride), (y, y_stride) = (context.pixels(i) for i in (context.node.inputs[0], context.node.output))
    return NodeText(
        (layer(context, depth=weights.shape[1], outputs=weights.shape[0], zero_points=(op.input_zero_point, 0),
               scales=op.scales, clamp=op.clamp, narrow=narrow, table=op.table),
         window(context, op.window, context.value(0).shape)),
        body=(f"{depthwise_kernel(context.form, op.window)}(&layer{context.position}, &window{context.position}, "
              f"{op.depth_multiplier}, {', '.join(names)}, {x}, {x_stride}, {y}, {y_stride}, "
              f"{context.scratch()});",))


def depthwise_kernel(form: str, of: Window) -> str:
    """The kernel with code for the window's taps and no others."""
    if form == "pairs" and of.dilation == (1, 1):
        if of.kernel == (3, 3) and of.stride in ((1, 1), (2, 2)):
            return "tfser_depthwise_three_pairs_s8"
        if of.stride == (1, 1):
            return "tfser_depthwise_near_pairs_s8"
    return f"tfser_depthwise_{form}_s8"
