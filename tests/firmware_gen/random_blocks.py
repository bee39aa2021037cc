"""Blocks of Transformers, in the operators that converters make of them: what the passes look for."""

from __future__ import annotations

import math

from random_drawing import SPREAD, Drawn
from random_operators import dense
from tflite_builder import options


def _add(draw: Drawn, name: str, a: int, b: int, shape, scale=None, zero_point=None) -> int:
    y = draw.tensor(shape, scale or math.hypot(draw.scales[a], draw.scales[b]), zero_point)
    draw.graph.operator(name, [a, b], [y], version=2, options=options(
        {"SQUARED_DIFFERENCE": "SquaredDifferenceOptions"}.get(name, f"{name.title()}Options")))
    return y


def _dense(draw: Drawn, x: int, units: int) -> int:
    return dense(draw, x, units=units, keep=True)


def gated(draw: Drawn, x: int):
    """Swish, or a gated linear unit of the two halves of the last axis."""
    shape = draw.shapes[x]
    if not shape or len(shape) > 4:
        return None
    value = gate = x
    if shape[-1] % 2 == 0 and draw.coin():
        half = [*shape[:-1], shape[-1] // 2]
        value, gate = draw.like(x, half), draw.like(x, half)
        draw.graph.operator("SPLIT", [draw.numbers(len(shape) - 1), x], [value, gate], version=2,
                            options=options("SplitOptions", numSplits=2))
    sigmoid = draw.tensor(draw.shapes[gate], 1 / 256, -128)
    draw.graph.operator("LOGISTIC", [gate], [sigmoid], version=2)
    return _add(draw, "MUL", value, sigmoid, draw.shapes[value], draw.scales[x] * draw.rng.uniform(0.5, 1))


def feed_forward(draw: Drawn, x: int):
    """Two or three dense layers and the residual."""
    shape = draw.shapes[x]
    if not 2 <= len(shape) <= 4 or shape[-1] > 23:
        return None
    y = dense(draw, x, keep=True)
    if draw.coin():
        y = gated(draw, y)
    return _add(draw, "ADD", x, _dense(draw, y, shape[-1]), shape)


def attention(draw: Drawn, x: int):
    """Multi-head self-attention over the rows of ``[1, T, d]``, with or without the scalar between its products."""
    shape = draw.shapes[x]
    if len(shape) != 3 or shape[0] != 1 or shape[2] not in (4, 6, 8, 12, 16) or shape[1] > 24:
        return None
    heads, width = 2, shape[2] // 2
    transposed = draw.coin()
    query, key, value = (_heads(draw, _dense(draw, x, shape[2]), heads, width, order)
                         for order in ([0, 2, 1, 3], [0, 2, 3, 1] if transposed else [0, 2, 1, 3], [0, 2, 1, 3]))
    scores = draw.tensor((1, heads, shape[1], shape[1]),
                         draw.scales[query] * draw.scales[key] * SPREAD * math.sqrt(width))
    draw.graph.operator("BATCH_MATMUL", [query, key], [scores], version=4,
                        options=options("BatchMatMulOptions", adjY=not transposed))
    if draw.coin():
        factor = draw.tensor((), 0.01, 0, data=[draw.rng.integers(20, 128)])
        scores = _add(draw, "MUL", scores, factor, draw.shapes[scores], draw.scales[scores])
    weights = draw.tensor(draw.shapes[scores], 1 / 256, -128)
    draw.graph.operator("SOFTMAX", [scores], [weights], version=2, options=options("SoftmaxOptions", beta=1.0))
    mixed = draw.tensor((1, heads, shape[1], width), draw.scales[value])
    draw.graph.operator("BATCH_MATMUL", [weights, value], [mixed], version=4, options=options("BatchMatMulOptions"))
    back = draw.like(mixed, (1, shape[1], heads, width))
    draw.graph.operator("TRANSPOSE", [mixed, draw.numbers([0, 2, 1, 3])], [back], version=2)
    joined = draw.like(back, shape)
    draw.graph.operator("RESHAPE", [back, draw.numbers(list(shape))], [joined], options=options("ReshapeOptions"))
    return _add(draw, "ADD", x, _dense(draw, joined, shape[2]), shape)


def _heads(draw: Drawn, x: int, heads: int, width: int, order) -> int:
    rows = draw.shapes[x][1]
    apart = draw.like(x, (1, rows, heads, width))
    draw.graph.operator("RESHAPE", [x, draw.numbers([1, rows, heads, width])], [apart],
                        options=options("ReshapeOptions"))
    y = draw.like(x, [(1, rows, heads, width)[i] for i in order])
    draw.graph.operator("TRANSPOSE", [apart, draw.numbers(order)], [y], version=2)
    return y


def layer_norm(draw: Drawn, x: int):
    """The norm over the last axis in integer operators."""
    shape = draw.shapes[x]
    if not 2 <= len(shape) <= 4 or shape[-1] < 4:
        return None
    one, scale = [*shape[:-1], 1], draw.scales[x]
    mean = _mean(draw, x, one, scale / 2, None)
    squares = _add(draw, "SQUARED_DIFFERENCE", x, mean, shape, scale * scale * SPREAD * 2, -128)
    variance = _mean(draw, squares, one, draw.scales[squares], -128)
    epsilon = draw.tensor((), draw.scales[squares] / 100, -128, data=[-100])
    stable = _add(draw, "ADD", variance, epsilon, one, draw.scales[variance], -128)
    root = draw.tensor(one, 1 / (scale * SPREAD * 60), -128)
    draw.graph.operator("RSQRT", [stable], [root], version=2)
    gamma = draw.tensor(shape[-1:], 0.01, 0, data=draw.rng.integers(30, 128, shape[-1:]))
    factor = _add(draw, "MUL", root, gamma, shape, draw.scales[root], -128)
    scaled = _add(draw, "MUL", x, factor, shape, 0.04)
    shift = _add(draw, "MUL", mean, factor, shape, 0.02)
    return _add(draw, "SUB", scaled, shift, shape, 0.03)


def _mean(draw: Drawn, x: int, shape, scale: float, zero_point) -> int:
    y = draw.tensor(shape, scale, zero_point)
    draw.graph.operator("MEAN", [x, draw.numbers([-1])], [y], version=2,
                        options=options("ReducerOptions", keepDims=True))
    return y
