"""Product of two tensors, of which at most one is constant: BATCH_MATMUL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_gen.ir.ops import output
from firmware_gen.ir.ops.base import Clamp, Op, Scale, Shape, broadcast


@dataclass(frozen=True, eq=False)
class MatMul(Op):
    """``y[..., m, n] = clamp(requantise(sum_k (a[..., m, k] - a_zero_point) * (b[..., k, n] - b_zero_point)))``.

    Inputs: a int8 ``[..., M, K]`` (``[..., K, M]`` where ``transpose_a``), b int8 ``[..., K, N]``
    (``[..., N, K]`` where ``transpose_b``). Leading dimensions broadcast.
    ``table`` int8 ``[256]``, if there is one, maps the clamped code (index code + 128).
    """

    transpose_a: bool
    transpose_b: bool
    a_zero_point: int
    b_zero_point: int
    scale: Scale
    clamp: Clamp
    table: np.ndarray | None = None

    def infer(self, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        output.check(len(shapes) == 2 and min(map(len, shapes)) >= 2, f"inputs {tuple(shapes)}")
        a, b = shapes
        rows, depth = (a[-1], a[-2]) if self.transpose_a else (a[-2], a[-1])
        columns, other = (b[-2], b[-1]) if self.transpose_b else (b[-1], b[-2])
        output.check(depth == other, f"products over {depth} of a {a} and {other} of b {b}")
        return ((*broadcast(a[:-2], b[:-2]), rows, columns),)

    def evaluate(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        a, b = output.centred(inputs[0], self.a_zero_point), output.centred(inputs[1], self.b_zero_point)
        acc = (a.swapaxes(-1, -2) if self.transpose_a else a) @ (b.swapaxes(-1, -2) if self.transpose_b else b)
        return (output.codes(output.add_bias(acc, None), self.scale, self.clamp, self.table),)
