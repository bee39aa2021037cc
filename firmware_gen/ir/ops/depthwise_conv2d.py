"""Convolution of every channel by itself with constant weights: DEPTHWISE_CONV_2D."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_gen.ir.ops import output
from firmware_gen.ir.ops.base import Clamp, Op, Scales, Shape, Window


@dataclass(frozen=True, eq=False)
class DepthwiseConv2D(Op):
    """Inputs: x int8 ``[B, H, W, C]``, w int8 ``[kh, kw, C * m]`` (zero point 0), b int32 ``[C * m]`` if there is one.

    Output channel ``c * m + j`` reads input channel ``c``. Output ``[B, *window.output, C * m]``.
    ``table`` int8 ``[256]``, if there is one, maps the clamped code (index code + 128).
    """

    input_zero_point: int
    scales: Scales
    clamp: Clamp
    window: Window
    depth_multiplier: int
    table: np.ndarray | None = None

    def infer(self, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        x, w = shapes[:2]
        fits = len(x) == 4 and len(w) == 3 and x[3] * self.depth_multiplier == w[2]
        output.check(fits, f"x {x} and w {w} with depth multiplier {self.depth_multiplier}")
        output.check(self.window.kernel == tuple(w[:2]), f"w {w} for a window of {self.window.kernel}")
        output.check_bias(tuple(shapes), w[2])
        output.check_scales(self.scales, w[2])
        output.check_window((x[1], x[2]), self.window)
        return ((x[0], *self.window.output, w[2]),)

    def evaluate(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        x, w = inputs[:2]
        spread = output.centred(x, self.input_zero_point).repeat(self.depth_multiplier, axis=3)
        acc = np.zeros((x.shape[0], *self.window.output, w.shape[2]))
        for row, column, tap in output.taps(spread, self.window, 0):
            acc += tap * w[row, column]
        exact = output.add_bias(acc, inputs[2] if len(inputs) == 3 else None)
        return (output.codes(exact, self.scales, self.clamp, self.table),)
