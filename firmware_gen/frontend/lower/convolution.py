"""CONV_2D and DEPTHWISE_CONV_2D."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from firmware_gen.errors import InputError
from firmware_gen.frontend.lower import parameters, weights
from firmware_gen.frontend.lower.builder import Builder
from firmware_gen.frontend.lower.dense import add_layer
from firmware_gen.frontend.model import Operator
from firmware_gen.ir.ops.base import Op, Scales
from firmware_gen.ir.ops.conv2d import Conv2D
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.ir.ops.depthwise_conv2d import DepthwiseConv2D
from firmware_gen.ir.ops.movement import Concatenate, Slice


def lower_conv_2d(operator: Operator, builder: Builder) -> None:
    """CONV_2D to Conv2D; to Dense where each output position reads the one input position that is its own.

    Groups become convolutions of slices; groups of one channel are a DepthwiseConv2D.
    """
    x, w, y = (builder.tensor(i) for i in (*operator.inputs[:2], operator.outputs[0]))
    weights.int8_tensor(operator, x, ranks=(4,))
    weights.int8_tensor(operator, y, ranks=(4,))
    array = weights.channel_weights(operator, w, 4, 0)
    weights.check_symmetric(operator, w)
    window = parameters.sliding_window(operator, x.shape[1:3], w.shape[1:3], y)
    count, depth = w.shape[0], w.shape[3]
    groups = x.shape[3] // depth
    if groups * depth != x.shape[3] or count % groups or y.shape[3] != count or x.shape[0] != y.shape[0]:
        raise InputError("FG-OP-15", f"{operator}, input {x} {x.shape}, weights {w} {w.shape}, output {y} {y.shape}",
                         expected="weights over all channels of the input, or over equal groups of them",
                         fix="convert the model again with a fixed input size")
    scales, clamp = parameters.channel_scales(operator, x, w, y), parameters.output_clamp(operator, y)
    zero_point = int(x.zero_point[0])
    if groups > 1 and depth > 1:
        _lower_groups(operator, builder, Conv2D(zero_point, scales, clamp, window), array, groups)
        return
    op: Op = Conv2D(zero_point, scales, clamp, window)
    if groups > 1:
        op = DepthwiseConv2D(zero_point, scales, clamp, window, count // groups)
        array = np.ascontiguousarray(array[..., 0].transpose(1, 2, 0))
    elif window.kernel == window.stride == (1, 1):
        op, array = Dense(zero_point, 0, scales, clamp, y.shape), array.reshape(count, depth)
    add_layer(operator, builder, op, builder.value(operator.inputs[0]), array)


def _lower_groups(operator: Operator, builder: Builder, whole: Conv2D, array: np.ndarray, groups: int) -> None:
    """One convolution a group, of a slice of the channels, and their outputs side by side."""
    source, output = builder.value(operator.inputs[0]), builder.value(operator.outputs[0])
    name, bias = builder.tensor(operator.inputs[1]).name, weights.bias_of(operator, builder.tensors, array.shape[0])
    count, depth, parts = array.shape[0] // groups, array.shape[3], []
    for group in range(groups):
        part = slice(group * count, (group + 1) * count)
        scales = whole.scales
        if scales.multiplier.size > 1:
            scales = Scales(scales.multiplier[part], scales.shift[part])
        piece = Slice((0, 0, 0, group * depth), (1, 1, 1, 1), (*builder.shape(source)[:3], depth))
        inputs = [builder.temp_of(piece, source), builder.constant(array[part], f"{name} {group}")]
        if bias is not None:
            inputs.append(builder.constant(bias[part], f"{name} bias {group}"))
        parts.append(builder.temp_of(replace(whole, scales=scales), *inputs))
    builder.add(Concatenate(3), parts, [output])


def lower_depthwise_conv_2d(operator: Operator, builder: Builder) -> None:
    """DEPTHWISE_CONV_2D to DepthwiseConv2D."""
    x, w, y = (builder.tensor(i) for i in (*operator.inputs[:2], operator.outputs[0]))
    weights.int8_tensor(operator, x, ranks=(4,))
    weights.int8_tensor(operator, y, ranks=(4,))
    array = weights.channel_weights(operator, w, 4, 3)
    weights.check_symmetric(operator, w)
    window = parameters.sliding_window(operator, x.shape[1:3], w.shape[1:3], y)
    times = operator.options["depth_multiplier"]
    if w.shape[0] != 1 or w.shape[3] != x.shape[3] * times or y.shape[3] != w.shape[3] or x.shape[0] != y.shape[0]:
        raise InputError("FG-OP-16", f"{operator}, depth multiplier {times}, input {x} {x.shape}, "
                         f"weights {w} {w.shape}, output {y} {y.shape}",
                         expected="depth multiplier times the input's channels", fix="convert the model again")
    op = DepthwiseConv2D(int(x.zero_point[0]), parameters.channel_scales(operator, x, w, y),
                         parameters.output_clamp(operator, y), window, times)
    add_layer(operator, builder, op, builder.value(operator.inputs[0]), array[0])
