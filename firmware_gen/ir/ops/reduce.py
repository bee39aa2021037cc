"""Mean or sum over axes: MEAN, SUM."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from firmware_gen.ir.ops import output
from firmware_gen.ir.ops.base import Clamp, Op, Scale, Shape


@dataclass(frozen=True)
class Reduce(Op):
    """Input x int8, output int8 of shape ``output_shape`` (with or without the reduced axes, which are of size 1).

    ``axes`` are non-negative and ascending. ``scale`` maps the int32 sum of ``x - input_zero_point``
    to codes; a mean's division is part of it, so that its multiplier may be below 2^30.
    """

    kind: Literal["mean", "sum"]
    axes: tuple[int, ...]
    input_zero_point: int
    scale: Scale
    clamp: Clamp
    output_shape: tuple[int, ...]

    def infer(self, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        (x,) = shapes
        output.check(tuple(sorted(set(self.axes))) == self.axes and all(0 <= axis < len(x) for axis in self.axes),
                     f"axes {self.axes} of x {x}")
        kept = tuple(n for i, n in enumerate(x) if i not in self.axes)
        ones = tuple(1 if i in self.axes else n for i, n in enumerate(x))
        output.check(self.output_shape in (kept, ones) and math.prod(x) > 0, f"output {self.output_shape} of x {x}")
        return (self.output_shape,)

    def evaluate(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        acc = (x.astype(np.int64) - self.input_zero_point).sum(axis=self.axes)
        return (output.codes(acc, self.scale, self.clamp).reshape(self.output_shape),)
