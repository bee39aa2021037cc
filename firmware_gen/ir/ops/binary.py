"""Element-wise functions of two tensors: ADD, SUB, MUL, SQUARED_DIFFERENCE, MAXIMUM, MINIMUM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from firmware_gen.fixedpoint import clamp, requantize, wrap
from firmware_gen.ir.ops.base import Clamp, Op, Scale, Shape, broadcast

Kind = Literal["add", "sub", "mul", "squared_difference", "maximum", "minimum"]


@dataclass(frozen=True)
class Binary(Op):
    """Inputs a, b int8 that broadcast; output int8.

    ``add``, ``sub`` and ``squared_difference`` bring both inputs to a common scale first:
    ``(x - zero_point) << left_shift``, requantised with ``a_scale`` or ``b_scale``; then
    ``a + b``, ``a - b`` or ``(a - b)^2`` is requantised with ``scale``. ``mul`` requantises
    ``(a - a_zero_point) * (b - b_zero_point)`` with ``scale`` alone; ``maximum`` and ``minimum``
    compare codes and use none. Every intermediate fits int32 or wraps as it does there.
    """

    kind: Kind
    a_zero_point: int
    b_zero_point: int
    left_shift: int
    a_scale: Scale
    b_scale: Scale
    scale: Scale
    clamp: Clamp

    def infer(self, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        a, b = shapes
        return (broadcast(a, b),)

    def evaluate(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        a, b = inputs
        if self.kind in ("maximum", "minimum"):
            return (np.clip((np.maximum if self.kind == "maximum" else np.minimum)(a, b),
                            np.int8(self.clamp.low), np.int8(self.clamp.high)),)
        a, b = a.astype(np.int64) - self.a_zero_point, b.astype(np.int64) - self.b_zero_point
        if self.kind != "mul":
            a = requantize(wrap(a << self.left_shift), self.a_scale.multiplier, self.a_scale.shift)
            b = requantize(wrap(b << self.left_shift), self.b_scale.multiplier, self.b_scale.shift)
        scaled = requantize(wrap(self._combine(a, b)), self.scale.multiplier, self.scale.shift)
        return (clamp(scaled, self.clamp.zero_point, self.clamp.low, self.clamp.high),)

    def _combine(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        if self.kind == "mul":
            return a * b
        return a + b if self.kind == "add" else a - b if self.kind == "sub" else (a - b) ** 2
