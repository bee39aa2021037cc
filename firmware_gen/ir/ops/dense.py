"""Dense layer: rows of a tensor times a constant matrix. FULLY_CONNECTED, and 1x1 CONV_2D with stride 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_gen.ir.ops import output
from firmware_gen.ir.ops.base import Clamp, Op, Scales, Shape


@dataclass(frozen=True, eq=False)
class Dense(Op):
    """``y[..., n] = clamp(requantise(sum_k (x[..., k] - input_zero_point) * (w[n, k] - weights_zero_point) + b[n]))``.

    Inputs: x int8 ``[..., K]``, w int8 ``[N, K]`` constant, and b int32 ``[N]`` constant where the
    file has one. The output has the shape of the output value: its last dimension is N and it has
    as many rows as x. ``table`` int8 ``[256]``, if there is one, maps the clamped code (index code + 128).
    """

    input_zero_point: int
    weights_zero_point: int
    scales: Scales
    clamp: Clamp
    output_shape: tuple[int, ...]
    table: np.ndarray | None = None

    def infer(self, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        x, w = shapes[:2]
        output.check(len(w) == 2 and len(x) >= 1 and x[-1] == w[1], f"x {x} and w {w}")
        output.check_bias(tuple(shapes), w[0])
        output.check_scales(self.scales, w[0])
        fits = self.output_shape[-1:] == (w[0],) and math.prod(self.output_shape[:-1]) == math.prod(x[:-1])
        output.check(fits, f"output {self.output_shape} of x {x} and w {w}")
        return (self.output_shape,)

    def evaluate(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        x, w = inputs[:2]
        acc = output.centred(x, self.input_zero_point) @ output.centred(w, self.weights_zero_point).T
        acc = output.add_bias(acc, inputs[2] if len(inputs) == 3 else None)
        return (output.codes(acc, self.scales, self.clamp, self.table).reshape(self.output_shape),)
