"""As ``random_operators``, for operators that move elements."""

from __future__ import annotations

import math

from random_drawing import Drawn
from tflite_builder import options


def reshape(draw: Drawn, x: int):
    """RESHAPE, EXPAND_DIMS or SQUEEZE."""
    shape = draw.shapes[x]
    count = math.prod(shape)
    divisors = [d for d in range(1, count + 1) if count % d == 0]
    a = int(draw.rng.choice(divisors))
    rest = [d for d in divisors if (count // a) % d == 0]
    b = int(draw.rng.choice(rest))
    new = [(1, a, b, count // a // b), (a, count // a), (1, count // a, a)][draw.rng.integers(3)]
    if draw.coin(0.2) and len(shape) < 4:
        axis = int(draw.rng.integers(len(shape) + 1))
        y = draw.like(x, [*shape[:axis], 1, *shape[axis:]])
        draw.graph.operator("EXPAND_DIMS", [x, draw.numbers(axis)], [y], options=options("ExpandDimsOptions"))
        return y
    if draw.coin(0.2) and 1 in shape[:-1]:
        axis = shape.index(1)
        y = draw.like(x, [*shape[:axis], *shape[axis + 1:]])
        draw.graph.operator("SQUEEZE", [x], [y], options=options("SqueezeOptions", squeezeDims=[axis]))
        return y
    y = draw.like(x, new)
    draw.graph.operator("RESHAPE", [x, draw.numbers(list(new))], [y], options=options("ReshapeOptions"))
    return y


def transpose(draw: Drawn, x: int):
    """TRANSPOSE."""
    shape = draw.shapes[x]
    if not 2 <= len(shape) <= 4:
        return None
    order = draw.rng.permutation(len(shape))
    y = draw.like(x, [shape[i] for i in order])
    draw.graph.operator("TRANSPOSE", [x, draw.numbers(order.tolist())], [y], version=2)
    return y


def strided_slice(draw: Drawn, x: int):
    """STRIDED_SLICE, forwards or backwards."""
    shape = draw.shapes[x]
    if not 1 <= len(shape) <= 4:
        return None
    begin, end, step, kept = [], [], [], []
    for n in shape:
        first, last = sorted(draw.rng.integers(0, n, 2).tolist())
        stride = int(draw.rng.choice([1, 1, 1, 2]))
        backwards = draw.coin(0.15) and first > 0
        begin.append(last if backwards else first)
        end.append(first - 1 if backwards else last + 1)
        step.append(-stride if backwards else stride)
        kept.append(-(-(last - first + 1) // stride))
    y = draw.like(x, kept)
    draw.graph.operator("STRIDED_SLICE", [x, *map(draw.numbers, (begin, end, step))], [y], version=2,
                        options=options("StridedSliceOptions"))
    return y


def slice_(draw: Drawn, x: int):
    """SLICE."""
    shape = draw.shapes[x]
    if not 1 <= len(shape) <= 4:
        return None
    begin = [int(draw.rng.integers(0, n)) for n in shape]
    size = [int(draw.rng.integers(1, n - b + 1)) for n, b in zip(shape, begin, strict=True)]
    y = draw.like(x, size)
    draw.graph.operator("SLICE", [x, draw.numbers(begin), draw.numbers(size)], [y], version=2)
    return y


def split(draw: Drawn, x: int):
    """SPLIT or SPLIT_V; the parts come together again in another order, or one goes on alone."""
    shape = draw.shapes[x]
    axes = [i for i, n in enumerate(shape) if n > 1]
    if not axes or len(shape) > 4:
        return None
    axis = int(draw.rng.choice(axes))
    n = shape[axis]
    parts = int(draw.rng.choice([d for d in (1, 2, 3, 4, 5) if n % d == 0]))
    sizes = [n // parts] * parts
    if draw.coin(0.5):
        cut = int(draw.rng.integers(1, n))
        sizes = [cut, n - cut]
    outputs = [draw.like(x, [*shape[:axis], size, *shape[axis + 1:]]) for size in sizes]
    if len(set(sizes)) == 1 and draw.coin():
        draw.graph.operator("SPLIT", [draw.numbers(axis), x], outputs, version=2,
                            options=options("SplitOptions", numSplits=len(sizes)))
    else:
        draw.graph.operator("SPLIT_V", [x, draw.numbers(sizes), draw.numbers(axis)], outputs, version=2,
                            options=options("SplitVOptions", numSplits=len(sizes)))
    return concatenate(draw, outputs[0], outputs[::-1], axis) if draw.coin(0.7) else outputs[0]


def concatenate(draw: Drawn, x: int, parts=None, axis=None):
    """CONCATENATION of tensors of one scale."""
    if not draw.shapes[x]:
        return None
    parts = parts or [x, x]
    axis = int(draw.rng.integers(len(draw.shapes[x]))) if axis is None else axis
    shape = list(draw.shapes[x])
    shape[axis] = sum(draw.shapes[p][axis] for p in parts)
    y = draw.like(x, shape)
    draw.graph.operator("CONCATENATION", parts, [y], version=2, options=options("ConcatenationOptions", axis=axis))
    return y


def pad(draw: Drawn, x: int):
    """PAD or PADV2."""
    shape = draw.shapes[x]
    if not 1 <= len(shape) <= 4:
        return None
    paddings = draw.rng.integers(0, 3, (len(shape), 2))
    y = draw.like(x, [int(n + p.sum()) for n, p in zip(shape, paddings, strict=True)])
    inputs = [x, draw.numbers(paddings.tolist())]
    if draw.coin():
        value = draw.tensor((1,), draw.scales[x], draw.zero_points[x], data=draw.rng.integers(-128, 128, 1))
        draw.graph.operator("PADV2", [*inputs, value], [y], version=2)
    else:
        draw.graph.operator("PAD", inputs, [y], version=2)
    return y


def pack_unpack(draw: Drawn, x: int):
    """UNPACK along an axis and PACK along another."""
    shape = draw.shapes[x]
    if not 2 <= len(shape) <= 3:
        return None
    axis = int(draw.rng.choice([i for i, n in enumerate(shape) if n == min(shape)]))
    if shape[axis] > 6:
        return None
    rest = [n for i, n in enumerate(shape) if i != axis]
    parts = [draw.like(x, rest) for _ in range(shape[axis])]
    draw.graph.operator("UNPACK", [x], parts, version=2, options=options("UnpackOptions", num=shape[axis], axis=axis))
    other = int(draw.rng.integers(len(shape)))
    y = draw.like(x, [*rest[:other], shape[axis], *rest[other:]])
    draw.graph.operator("PACK", parts[::-1], [y], version=2,
                        options=options("PackOptions", valuesCount=shape[axis], axis=other))
    return y


def gather(draw: Drawn, x: int):
    """GATHER with constant indices."""
    shape = draw.shapes[x]
    if not 1 <= len(shape) <= 3:
        return None
    axis = int(draw.rng.integers(len(shape)))
    indices = draw.rng.integers(0, shape[axis], draw.rng.integers(1, 5)).tolist()
    y = draw.like(x, [*shape[:axis], len(indices), *shape[axis + 1:]])
    draw.graph.operator("GATHER", [x, draw.numbers(indices)], [y], version=2,
                        options=options("GatherOptions", axis=axis))
    return y
