"""Maximum or average of a window: MAX_POOL_2D, AVERAGE_POOL_2D."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from firmware_gen.ir.ops import output
from firmware_gen.ir.ops.base import Clamp, Op, Shape, Window


@dataclass(frozen=True)
class Pool2D(Op):
    """Input x int8 ``[B, H, W, C]``, output ``[B, *window.output, C]``; taps outside of x are left out.

    An average is the sum of the codes (with their zero point) over the number of taps inside,
    rounded to nearest, ties away from the code 0; then the clamp's limits. Its zero point is the input's.
    """

    kind: Literal["average", "maximum"]
    clamp: Clamp
    window: Window

    def infer(self, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        (x,) = shapes
        output.check(len(x) == 4, f"x {x}; expected 4 dimensions")
        output.check_window((x[1], x[2]), self.window)
        return ((x[0], *self.window.output, x[3]),)

    def evaluate(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        x = inputs[0].astype(np.int64)
        shape = (x.shape[0], *self.window.output, x.shape[3])
        if self.kind == "maximum":
            pooled = np.full(shape, -128, np.int64)
            for _, _, tap in output.taps(x, self.window, -128):
                pooled = np.maximum(pooled, tap)
        else:
            total, count = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
            for (_, _, tap), (_, _, inside) in zip(output.taps(x, self.window, 0),
                                                   output.taps(np.ones_like(x), self.window, 0), strict=True):
                total, count = total + tap, count + inside
            pooled = np.sign(total) * ((np.abs(total) + count // 2) // count)
        return (np.minimum(np.maximum(pooled, self.clamp.low), self.clamp.high).astype(np.int8),)
