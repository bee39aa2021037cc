"""One function an operator that computes: each adds it, with random options, after tensor ``x``.

Each takes what is drawn so far and gives the new tensor, or ``None`` where the operator does not fit ``x``.
"""

from __future__ import annotations

import math

import numpy as np
from random_drawing import SPREAD, Drawn
from tflite_builder import fb, options

SAME, VALID = fb.Padding.SAME, fb.Padding.VALID


def _layer(draw: Drawn, x: int, shape, channels: int, fan_in: int, axis: int, *, tensor_scale=False):
    """Weights, an optional bias and the output scale that fits them."""
    count = 1 if tensor_scale else channels
    weight_scales = draw.rng.uniform(0.005, 0.02, count).astype(np.float32)
    weights = draw.rng.integers(-127, 128, shape)
    w = draw.graph.tensor("int8", shape, data=weights, scale=weight_scales, axis=0 if tensor_scale else axis)
    sigma = draw.scales[x] * SPREAD * float(weight_scales.mean()) * 73 * math.sqrt(fan_in)
    inputs = [x, w]
    if draw.coin(0.7):
        bias_scales = np.float32(draw.scales[x]) * weight_scales
        bias = draw.rng.normal(0, sigma / 2, channels) / np.broadcast_to(bias_scales, channels)
        inputs.append(draw.graph.tensor("int32", (channels,), data=np.round(bias).astype(np.int32),
                                        scale=bias_scales))
    else:
        inputs.append(-1)
    return inputs, sigma / SPREAD


def dense(draw: Drawn, x: int, units: int | None = None, keep: bool | None = None):
    """FULLY_CONNECTED over the last axis; the number of units and the form of the output are drawn where not given."""
    shape = draw.shapes[x]
    if not shape or shape[-1] > 256:
        return None
    units = int(draw.rng.integers(1, 24)) if units is None else units
    keep = draw.coin() if keep is None else keep
    tensor_scale = draw.coin(0.4)
    inputs, scale = _layer(draw, x, (units, shape[-1]), units, shape[-1], 0, tensor_scale=tensor_scale)
    rows = math.prod(shape[:-1])
    y = draw.tensor((*shape[:-1], units) if keep else (rows, units), scale)
    draw.graph.operator("FULLY_CONNECTED", inputs, [y], version=5, options=options(
        "FullyConnectedOptions", keepNumDims=keep, fusedActivationFunction=draw.activation()))
    return y


def _window(draw: Drawn, shape):
    """Kernel, stride, dilation, padding and output size of a sliding window over (height, width)."""
    size = np.array(shape[1:3])
    kernel = np.minimum(draw.rng.integers(1, 5, 2), size)
    stride = draw.rng.integers(1, 4, 2)
    dilation = draw.rng.integers(1, 3, 2) if (stride == 1).all() and draw.coin(0.3) else np.array([1, 1])
    reach = (kernel - 1) * dilation + 1
    if (reach > size).any():
        dilation, reach = np.array([1, 1]), kernel
    padding = SAME if draw.coin() else VALID
    output = -(-size // stride) if padding == SAME else -(-(size - reach + 1) // stride)
    return kernel, stride, dilation, padding, tuple(int(n) for n in output)


def conv(draw: Drawn, x: int):
    """CONV_2D."""
    shape = draw.shapes[x]
    if len(shape) != 4 or shape[3] > 32:
        return None
    kernel, stride, dilation, padding, size = _window(draw, shape)
    channels = int(draw.rng.integers(1, 12))
    inputs, scale = _layer(draw, x, (channels, *kernel, shape[3]), channels, kernel.prod() * shape[3], 0)
    if inputs[2] < 0:
        inputs = inputs[:2]
    y = draw.tensor((shape[0], *size, channels), scale)
    draw.graph.operator("CONV_2D", inputs, [y], version=3, options=options(
        "Conv2DOptions", strideH=stride[0], strideW=stride[1], dilationHFactor=dilation[0],
        dilationWFactor=dilation[1], padding=padding, fusedActivationFunction=draw.activation()))
    return y


def depthwise(draw: Drawn, x: int):
    """DEPTHWISE_CONV_2D."""
    shape = draw.shapes[x]
    if len(shape) != 4 or shape[3] > 32:
        return None
    kernel, stride, dilation, padding, size = _window(draw, shape)
    multiplier = int(draw.rng.choice([1, 1, 2, 3]))
    channels = shape[3] * multiplier
    inputs, scale = _layer(draw, x, (1, *kernel, channels), channels, kernel.prod(), 3)
    if inputs[2] < 0:
        inputs = inputs[:2]
    y = draw.tensor((shape[0], *size, channels), scale)
    draw.graph.operator("DEPTHWISE_CONV_2D", inputs, [y], version=3, options=options(
        "DepthwiseConv2DOptions", strideH=stride[0], strideW=stride[1], dilationHFactor=dilation[0],
        dilationWFactor=dilation[1], depthMultiplier=multiplier, padding=padding,
        fusedActivationFunction=draw.activation()))
    return y


def pool(draw: Drawn, x: int):
    """AVERAGE_POOL_2D or MAX_POOL_2D."""
    shape = draw.shapes[x]
    if len(shape) != 4:
        return None
    kernel, stride, _, padding, _ = _window(draw, shape)
    size = np.array(shape[1:3])
    output = -(-size // stride) if padding == SAME else -(-(size - kernel + 1) // stride)
    name = "AVERAGE_POOL_2D" if draw.coin() else "MAX_POOL_2D"
    y = draw.like(x, (shape[0], *(int(n) for n in output), shape[3]))
    draw.graph.operator(name, [x], [y], version=2, options=options(
        "Pool2DOptions", strideH=stride[0], strideW=stride[1], filterHeight=kernel[0], filterWidth=kernel[1],
        padding=padding, fusedActivationFunction=draw.activation()))
    return y


def matmul(draw: Drawn, x: int):
    """BATCH_MATMUL of a tensor with itself, transposed or not, or with a constant."""
    shape = draw.shapes[x]
    if not 2 <= len(shape) <= 4 or shape[-2] > 64:
        return None
    adj_x, adj_y, other, b = False, True, x, shape
    if draw.coin(0.4):
        depth, columns = shape[-1], int(draw.rng.integers(1, 12))
        adj_y = draw.coin()
        b = (*shape[:-2], columns, depth) if adj_y else (*shape[:-2], depth, columns)
        other = draw.tensor(b, data=draw.rng.integers(-128, 128, b))
        columns = columns if adj_y else b[-1]
    elif draw.coin(0.3):
        adj_x, adj_y, columns = True, False, shape[-1]
    else:
        columns = shape[-2]
    rows, depth = (shape[-1], shape[-2]) if adj_x else (shape[-2], shape[-1])
    scale = draw.scales[x] * draw.scales[other] * SPREAD * (SPREAD if other == x else 73) * math.sqrt(depth) / SPREAD
    y = draw.tensor((*shape[:-2], rows, columns), scale)
    draw.graph.operator("BATCH_MATMUL", [x, other], [y], version=4,
                        options=options("BatchMatMulOptions", adjX=adj_x, adjY=adj_y))
    return y


def softmax(draw: Drawn, x: int):
    """SOFTMAX over the last axis."""
    if not draw.shapes[x]:
        return None
    y = draw.tensor(draw.shapes[x], 1 / 256, -128)
    draw.graph.operator("SOFTMAX", [x], [y], version=2,
                        options=options("SoftmaxOptions", beta=float(draw.rng.choice([1.0, 0.5, 2.0]))))
    return y


def unary(draw: Drawn, x: int):
    """Any function of one code."""
    name = str(draw.rng.choice(["LOGISTIC", "TANH", "RELU", "RELU6", "HARD_SWISH", "LEAKY_RELU", "ABS",
                                "QUANTIZE", "RSQRT"]))
    scale, zero_point = draw.scales[x] * draw.rng.uniform(0.7, 1.5), None
    if name in ("LOGISTIC", "TANH"):
        scale, zero_point = (1 / 256, -128) if name == "LOGISTIC" else (1 / 128, 0)
    if name == "RSQRT":
        if draw.zero_points[x] != -128:  # a negative number has no root: the oracle stops
            return None
        scale = 1 / math.sqrt(draw.scales[x] * 20) / 100
    made = {"LEAKY_RELU": lambda: options("LeakyReluOptions", alpha=0.2)}.get(name)
    y = draw.tensor(draw.shapes[x], scale, zero_point)
    draw.graph.operator(name, [x], [y], version=2, options=made() if made else None)
    return y


def binary(draw: Drawn, x: int):
    """Two tensors: a constant or an earlier one that broadcasts, or a constant scalar."""
    shape = draw.shapes[x]
    if len(shape) > 4 or not shape:
        return None
    name = str(draw.rng.choice(["ADD", "SUB", "MUL", "SQUARED_DIFFERENCE", "MAXIMUM", "MINIMUM"]))
    fitting = [t for t in draw.pool if t != x and draw.shapes[t] == shape]
    keep_scale = {"scale": draw.scales[x], "zero_point": draw.zero_points[x]} if name in ("MAXIMUM", "MINIMUM") else {}
    if keep_scale:
        fitting = [t for t in fitting if (draw.scales[t], draw.zero_points[t]) == tuple(keep_scale.values())]
    if fitting and draw.coin(0.7):
        other = int(draw.rng.choice(fitting))
    else:
        other_shape = [n if draw.coin(0.6) else 1 for n in shape]
        other_shape = other_shape if draw.coin(0.7) else other_shape[-1:]
        other = draw.tensor(other_shape, data=draw.rng.integers(-128, 128, other_shape), **keep_scale)
    a, b = draw.scales[x] * SPREAD, draw.scales[other] * SPREAD
    scale = {"MUL": a * b, "SQUARED_DIFFERENCE": a * a + b * b}.get(name, math.hypot(a, b)) / SPREAD
    y = draw.tensor(shape, **keep_scale) if keep_scale else draw.tensor(shape, scale)
    operands = [x, other] if draw.coin() else [other, x]
    table = {"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions"}.get(name, "MaximumMinimumOptions")
    table = "SquaredDifferenceOptions" if name == "SQUARED_DIFFERENCE" else table
    chosen = {"fusedActivationFunction": draw.activation()} if name in ("ADD", "SUB", "MUL") else {}
    draw.graph.operator(name, operands, [y], version=2, options=options(table, **chosen))
    return y


def reduce(draw: Drawn, x: int):
    """MEAN or SUM over some axes."""
    shape = draw.shapes[x]
    if not 2 <= len(shape) <= 4:
        return None
    axes = sorted(int(a) for a in draw.rng.choice(len(shape), draw.rng.integers(1, len(shape)), replace=False))
    keep, name = draw.coin(), "MEAN" if draw.coin(0.7) else "SUM"
    kept = [1 if i in axes else n for i, n in enumerate(shape)] if keep else [
        n for i, n in enumerate(shape) if i not in axes]
    count = math.prod(shape[i] for i in axes)
    y = draw.tensor(kept, draw.scales[x] * (1 / math.sqrt(count) if name == "MEAN" else math.sqrt(count)))
    given = [a - len(shape) if draw.coin(0.3) else a for a in axes]
    draw.graph.operator(name, [x, draw.numbers(given)], [y], version=2,
                        options=options("ReducerOptions", keepDims=keep))
    return y
