"""Several element-wise functions as one loop: what the fusion pass makes of Binary and Lookup nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_gen.ir.ops.base import Op, Shape, broadcast
from firmware_gen.ir.ops.binary import Binary
from firmware_gen.ir.ops.lookup import Lookup


@dataclass(frozen=True)
class Step:
    """One function of the loop body. An operand ``i >= 0`` is input i of the node, ``-1 - j`` the result of step j."""

    op: Binary | Lookup
    operands: tuple[int, ...]


@dataclass(frozen=True)
class Elementwise(Op):
    """Inputs int8 that broadcast to the shape of the output; the last step gives the output."""

    steps: tuple[Step, ...]

    def infer(self, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        results: list[Shape] = []
        for number, step in enumerate(self.steps):
            if not all(-number <= operand < len(shapes) for operand in step.operands):
                raise ValueError(f"step {number} with operands {step.operands} of {len(shapes)} inputs")
            results += step.op.infer([tuple(shapes[i]) if i >= 0 else results[-1 - i] for i in step.operands])
        whole = broadcast(*shapes)
        if not results or results[-1] != whole:
            raise ValueError(f"inputs {[tuple(shape) for shape in shapes]}; the last step gives {results[-1:]}")
        return (whole,)

    def evaluate(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        results: list[np.ndarray] = []
        for step in self.steps:
            results += step.op.evaluate(*(inputs[i] if i >= 0 else results[-1 - i] for i in step.operands))
        return (results[-1],)
