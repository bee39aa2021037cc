"""Arithmetic on shapes and strides: reshaping without a copy, collapsing dimensions, splitting into rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

Ints = tuple[int, ...]


@dataclass(frozen=True)
class RowAccess:
    """What one operand of a node touches in a step: ``length`` elements, ``stride`` bytes apart, for every row.

    Row r of the outer iteration (o1, o2, ...) begins ``offset + o1 * outer[0] + o2 * outer[1] + ... + r * row``
    bytes into the buffer. ``stride`` is 1, or 0 where one element is repeated.
    """

    offset: int
    outer: Ints
    row: int
    length: int
    stride: int

    @property
    def end(self) -> int:
        """Where the first row ends."""
        return self.offset + (self.length - 1) * self.stride + 1


def dense(shape: Ints) -> Ints:
    """Strides of packed elements, the last dimension fastest; 0 for dimensions of one element."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step if size != 1 else 0)
        step *= size
    return tuple(reversed(strides))


def broadcast(shape: Ints, strides: Ints, to: Ints) -> Ints:
    """Strides with which a value is read as if it had the shape ``to`` (NumPy's rule)."""
    missing = len(to) - len(shape)
    return (*(0 for _ in range(missing)),
            *(0 if size == 1 else stride for size, stride in zip(shape, strides, strict=True)))


def reshape(shape: Ints, strides: Ints, to: Ints) -> Ints | None:
    """Strides of the same elements in the same order under the shape ``to``; ``None`` where no strides do it."""
    runs: list[list[int]] = []  # [elements, stride of the last], outermost first
    for size, stride in zip(shape, strides, strict=True):
        if size == 1:
            continue
        if runs and runs[-1][1] == size * stride:
            runs[-1] = [runs[-1][0] * size, stride]
        else:
            runs.append([size, stride])
    result = []
    for size in reversed(to):
        if size == 1:
            result.append(0)
            continue
        if not runs or runs[-1][0] % size:
            return None
        count, stride = runs.pop()
        result.append(stride)
        if count > size:
            runs.append([count // size, stride * size])
    return tuple(reversed(result))


def collapse(shape: Ints, strides: Ints) -> tuple[int, int] | None:
    """The dimensions as one: (elements, stride), stride 0 for a single element; ``None`` where they are no one run."""
    merged = reshape(shape, strides, (math.prod(shape),))
    return None if merged is None else (math.prod(shape), merged[0])


def split(shape: Ints, outer: Ints, rows: int) -> tuple[int, int] | None:
    """Where a shape divides into the outer loops, the rows and what is inside a row: the two indices between them.

    Dimensions of one element do not count: (1, 4, 50, 8) with outer (4,) and 50 rows divides after 2 and after 3.
    """
    at = 0
    for size in outer:
        while at < len(shape) and shape[at] == 1:
            at += 1
        if at == len(shape) or shape[at] != size:
            return None
        at += 1
    first, count = at, 1
    while count < rows and at < len(shape):
        count *= shape[at]
        at += 1
    return (first, at) if count == rows else None


def row_access(shape: Ints, strides: Ints, offset: int, outer: Ints, rows: int) -> RowAccess | None:
    """The access of an operand whose leading dimensions are the outer loops and the rows; ``None`` if it has none.

    The rows must be one run of strides, and the elements of a row another, of stride 1 or 0.
    """
    indices = split(shape, outer, rows)
    if indices is None:
        return None
    first, last = indices
    run = collapse(shape[first:last], strides[first:last])
    inner = collapse(shape[last:], strides[last:])
    if run is None or inner is None:
        return None
    length, stride = inner
    if length > 1 and stride not in (0, 1):
        return None
    loops = tuple(stride for size, stride in zip(shape[:first], strides[:first], strict=True) if size != 1)
    return RowAccess(offset, loops, run[1], length, stride if length > 1 else 1)
