"""Softmax over the last axis: SOFTMAX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_gen import fixedpoint
from firmware_gen.ir.ops import output
from firmware_gen.ir.ops.base import Op, Shape

DIFF_INTEGER_BITS = 5  # the scaled difference is Q5.26
SUM_INTEGER_BITS = 12  # the sum of exponentials is Q12.19


@dataclass(frozen=True)
class Softmax(Op):
    """Input and output int8 of one shape; output scale 1/256, zero point -128, as TFLite Micro demands.

    ``input_multiplier``, ``input_left_shift`` and ``diff_min`` are TFLite Micro's parameters of the
    same names (gemmlowp fixed point); ``exp_table`` derives from them.

    A row of N codes with maximum m, e[i] = exp_table[x[i] - m + 255] (Q0.31):
    s = sum of e[i] / 2^12, each rounded (ties away from zero), Q12.19;
    u = leading zeros of s, d = s * 2^u as Q0.31 of [1, 2), r = 1/d by three Newton-Raphson steps;
    y[i] = clamp(-128 + rounded(r * e[i] / 2^(35 - u)), -128, 127).
    """

    input_multiplier: int
    input_left_shift: int
    diff_min: int

    def infer(self, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        (x,) = shapes
        output.check(len(x) >= 1, "a scalar; expected at least one dimension")
        return (tuple(x),)

    def exp_table(self) -> np.ndarray:
        """exp of every difference d = code - maximum: int32 ``[256]`` in Q0.31 at d + 255, 0 below ``diff_min``."""
        difference = np.arange(-255, 1, dtype=np.int64)
        shifted = fixedpoint.wrap(difference << self.input_left_shift)
        scaled = fixedpoint.high_multiply(shifted, self.input_multiplier)
        exps = fixedpoint.exp_on_negative_values(scaled, DIFF_INTEGER_BITS)
        return np.where(difference >= self.diff_min, exps, 0).astype(np.int32)

    def evaluate(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        x = inputs[0].astype(np.int64)
        exps = self.exp_table().astype(np.int64)[x - x.max(axis=-1, keepdims=True) + 255]
        total = fixedpoint.shift_right(exps, SUM_INTEGER_BITS).sum(axis=-1, keepdims=True)
        zeros = 32 - np.frexp(total.astype(np.float64))[1].astype(np.int64)
        reciprocal = fixedpoint.one_over_one_plus((total << zeros) - (1 << 31))
        bits = SUM_INTEGER_BITS - zeros + 31 - 8
        codes = fixedpoint.shift_right(fixedpoint.high_multiply(reciprocal, exps), bits) - 128
        return (np.clip(codes, -128, 127).astype(np.int8),)
