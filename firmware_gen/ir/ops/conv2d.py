"""Convolution over height and width with constant weights: CONV_2D."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_gen.ir.ops import output
from firmware_gen.ir.ops.base import Clamp, Op, Scales, Shape, Window


@dataclass(frozen=True, eq=False)
class Conv2D(Op):
    """Inputs: x int8 ``[B, H, W, C]``, w int8 ``[N, kh, kw, C]`` (zero point 0), b int32 ``[N]`` if there is one.

    Taps outside of x contribute nothing. Output ``[B, *window.output, N]``. Groups are not supported.
    ``table`` int8 ``[256]``, if there is one, maps the clamped code (index code + 128).
    """

    input_zero_point: int
    scales: Scales
    clamp: Clamp
    window: Window
    table: np.ndarray | None = None

    def infer(self, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        x, w = shapes[:2]
        output.check(len(x) == 4 and len(w) == 4 and x[3] == w[3], f"x {x} and w {w}")
        output.check(self.window.kernel == tuple(w[1:3]), f"w {w} for a window of {self.window.kernel}")
        output.check_bias(tuple(shapes), w[0])
        output.check_scales(self.scales, w[0])
        output.check_window((x[1], x[2]), self.window)
        return ((x[0], *self.window.output, w[0]),)

    def evaluate(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        x, w = inputs[:2]
        acc = np.zeros((x.shape[0], *self.window.output, w.shape[0]))
        for row, column, tap in output.taps(output.centred(x, self.input_zero_point), self.window, 0):
            acc += tap @ w[:, row, column].T.astype(np.float64)
        exact = output.add_bias(acc, inputs[2] if len(inputs) == 3 else None)
        return (output.codes(exact, self.scales, self.clamp, self.table),)
