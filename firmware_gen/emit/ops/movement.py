"""Movements that are no views: copies between strides."""

from __future__ import annotations

from firmware_gen.emit.context import Context, NodeText
from firmware_gen.ir.ops.base import Shape
from firmware_gen.ir.ops.movement import Concatenate, Gather, Pad, Reshape, Slice, Transpose
from firmware_gen.plan.strides import dense, reshape

DIMENSIONS = 6  # of tfser_copy_s8


def emit_movement(context: Context) -> NodeText:
    """Calls of ``tfser_copy_s8``, one for each part of the output that an input fills."""
    op, graph = context.node.op, context.program.graph
    shape = graph.values[context.node.output].shape
    to, to_strides = context.whole(context.node.output, (), len(shape))
    sources = [(*context.whole(i, (), len(graph.values[i].shape)), graph.values[i].shape) for i in context.node.inputs]
    source, strides, given = sources[0]
    if isinstance(op, Reshape):
        return _text([_reshaped(source, strides, given, to, to_strides, shape)])
    if isinstance(op, Transpose):
        return _text([_copy(shape, source, [strides[i] for i in op.permutation], to, to_strides)])
    if isinstance(op, Slice):
        start = sum(begin * stride for begin, stride in zip(op.begin, strides, strict=True))
        steps = [step * stride for step, stride in zip(op.step, strides, strict=True)]
        return _text([_copy(shape, _plus(source, start), steps, to, to_strides)])
    if isinstance(op, Concatenate):
        return _text(_joined(op.axis, sources, to, to_strides))
    if isinstance(op, Pad):
        start = sum(before * stride for before, stride in zip(op.before, to_strides, strict=True))
        return _text([_fill(shape, op.value, to, to_strides),
                      _copy(given, source, strides, _plus(to, start), to_strides)])
    assert isinstance(op, Gather)
    return _text(_gathered(op, source, strides, given, to, to_strides))


def _text(lines: list[str]) -> NodeText:
    return NodeText(body=tuple(lines))


def _reshaped(source: str, strides: Shape, given: Shape, to: str, to_strides: Shape, shape: Shape) -> str:
    """A copy in the shape of the side that is not packed: the packed side takes any shape of as many elements."""
    packed = reshape(shape, to_strides, given)
    if packed is not None:
        return _copy(given, source, strides, to, packed)
    other = reshape(given, strides, shape)
    assert other is not None, f"{given} to {shape}: neither side is packed"
    return _copy(shape, source, other, to, to_strides)


def _joined(axis: int, sources: list[tuple[str, Shape, Shape]], to: str, to_strides: Shape) -> list[str]:
    lines, at = [], 0
    for source, strides, shape in sources:
        lines.append(_copy(shape, source, strides, _plus(to, at * to_strides[axis]), to_strides))
        at += shape[axis]
    return lines


def _gathered(op: Gather, source: str, strides: Shape, given: Shape, to: str, to_strides: Shape) -> list[str]:
    axis, count = op.axis, len(op.indices_shape)
    lines = []
    places = dense(op.indices_shape)
    for number, index in enumerate(op.indices):
        position = [number // place % size if place else 0
                    for place, size in zip(places, op.indices_shape, strict=True)]
        start = sum(p * s for p, s in zip(position, to_strides[axis:axis + count], strict=True))
        lines.append(_copy((*given[:axis], *given[axis + 1:]), _plus(source, index * strides[axis]),
                           (*strides[:axis], *strides[axis + 1:]), _plus(to, start),
                           (*to_strides[:axis], *to_strides[axis + count:])))
    return lines


def _copy(shape: Shape, source: str, strides: list[int] | Shape, to: str, to_strides: Shape) -> str:
    loops = _merged(shape, strides, to_strides)
    numbers = [f"{{{n}, {a}, {b}}}" for n, a, b in loops]
    if not loops:
        numbers = ["{1, 1, 1}"]
    assert len(numbers) <= DIMENSIONS
    return (f"{{ static const tfser_loop loops[] = {{{', '.join(numbers)}}}; "
            f"tfser_copy_s8(loops, {len(numbers)}, {source}, {to}); }}")


def _fill(shape: Shape, value: int, to: str, to_strides: Shape) -> str:
    numbers = [f"{{{n}, 0, {b}}}" for n, _, b in _merged(shape, [0] * len(shape), to_strides)] or ["{1, 0, 1}"]
    return (f"{{ static const tfser_loop loops[] = {{{', '.join(numbers)}}}; "
            f"tfser_fill_s8(loops, {len(numbers)}, {value}, {to}); }}")


def _merged(shape: Shape, first: list[int] | Shape, second: Shape) -> list[tuple[int, int, int]]:
    """Loops of more than one element, neighbours joined where both sides allow it."""
    loops: list[tuple[int, int, int]] = []
    for n, a, b in zip(shape, first, second, strict=True):
        if n == 1:
            continue
        if loops and loops[-1][1] == n * a and loops[-1][2] == n * b:
            loops[-1] = (loops[-1][0] * n, a, b)
        else:
            loops.append((n, a, b))
    return loops


def _plus(base: str, offset: int) -> str:
    return f"{base} + {offset}" if offset > 0 else f"{base} - {-offset}" if offset else base
