"""Operations that move elements and compute nothing; most of them become views."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_gen.ir.ops.base import Op, Shape


@dataclass(frozen=True)
class Reshape(Op):
    """RESHAPE, EXPAND_DIMS, SQUEEZE: the same elements in the same order."""

    output_shape: tuple[int, ...]

    def infer(self, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        (x,) = shapes
        _check(math.prod(x) == math.prod(self.output_shape), f"{x} does not fill {self.output_shape}")
        return (self.output_shape,)

    def evaluate(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        return (inputs[0].reshape(self.output_shape),)


@dataclass(frozen=True)
class Transpose(Op):
    """TRANSPOSE: dimension i of the output is dimension ``permutation[i]`` of the input."""

    permutation: tuple[int, ...]

    def infer(self, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        (x,) = shapes
        _check(sorted(self.permutation) == list(range(len(x))), f"permutation {self.permutation} of {x}")
        return (tuple(x[i] for i in self.permutation),)

    def evaluate(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.ascontiguousarray(inputs[0].transpose(self.permutation)),)


@dataclass(frozen=True)
class Slice(Op):
    """SLICE, STRIDED_SLICE, SPLIT, SPLIT_V, and with a Reshape UNPACK: ``x[begin::step]``, ``output_shape`` of it.

    ``step`` may be negative.
    """

    begin: tuple[int, ...]
    step: tuple[int, ...]
    output_shape: tuple[int, ...]

    def infer(self, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        (x,) = shapes
        _check(len(x) == len(self.begin) == len(self.step) == len(self.output_shape), f"{self} of {x}")
        for size, begin, step, count in zip(x, self.begin, self.step, self.output_shape, strict=True):
            last = begin + (count - 1) * step
            _check(count >= 1 and step != 0 and 0 <= begin < size and 0 <= last < size, f"{self} of {x}")
        return (self.output_shape,)

    def evaluate(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        indices = [begin + step * np.arange(count) for begin, step, count in
                   zip(self.begin, self.step, self.output_shape, strict=True)]
        return (inputs[0][np.ix_(*indices)] if indices else inputs[0],)


@dataclass(frozen=True)
class Concatenate(Op):
    """CONCATENATION, and with Reshape PACK: inputs one after the other along ``axis``, codes unchanged."""

    axis: int

    def infer(self, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        first = tuple(shapes[0])
        _check(0 <= self.axis < len(first), f"axis {self.axis} of {first}")
        for shape in shapes:
            same = len(shape) == len(first) and all(
                a == b for i, (a, b) in enumerate(zip(shape, first, strict=True)) if i != self.axis)
            _check(same, f"{shape} after {first} along axis {self.axis}")
        total = sum(shape[self.axis] for shape in shapes)
        return ((*first[:self.axis], total, *first[self.axis + 1:]),)

    def evaluate(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.concatenate(inputs, axis=self.axis),)


@dataclass(frozen=True)
class Pad(Op):
    """PAD, PADV2: ``before`` and ``after`` elements of the code ``value`` on each dimension."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    value: int

    def infer(self, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        (x,) = shapes
        _check(len(x) == len(self.before) == len(self.after) and min((*self.before, *self.after), default=0) >= 0,
               f"{self} of {x}")
        return (tuple(a + n + b for a, n, b in zip(self.before, x, self.after, strict=True)),)

    def evaluate(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        margins = list(zip(self.before, self.after, strict=True))
        return (np.pad(inputs[0], margins, constant_values=self.value) if margins else inputs[0],)


@dataclass(frozen=True)
class Gather(Op):
    """GATHER with constant indices along ``axis``. The output has ``indices_shape`` in place of the axis."""

    axis: int
    indices: tuple[int, ...]
    indices_shape: tuple[int, ...]

    def infer(self, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        (x,) = shapes
        _check(0 <= self.axis < len(x) and math.prod(self.indices_shape) == len(self.indices), f"{self} of {x}")
        _check(all(0 <= index < x[self.axis] for index in self.indices), f"indices {self.indices} of {x}")
        return ((*x[:self.axis], *self.indices_shape, *x[self.axis + 1:]),)

    def evaluate(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        indices = np.array(self.indices, np.int64).reshape(self.indices_shape)
        return (np.take(inputs[0], indices, axis=self.axis),)


def _check(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
