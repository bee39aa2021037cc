"""Any function of one int8 code, as a table: every unary operator, and chains of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_gen.ir.ops.base import Op, Shape


@dataclass(frozen=True, eq=False)
class Lookup(Op):
    """``y = table[x + 128]``, table int8 ``[256]``; ``what`` names the function for comments (``"LOGISTIC"``)."""

    table: np.ndarray
    what: str

    def infer(self, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        (x,) = shapes
        if self.table.shape != (256,) or self.table.dtype != np.int8:
            raise ValueError(f"table of {self.table.shape} {self.table.dtype}; expected 256 of int8")
        return (tuple(x),)

    def evaluate(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        return (self.table[inputs[0].astype(np.intp) + 128],)
