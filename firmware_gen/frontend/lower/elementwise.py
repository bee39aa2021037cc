"""ADD, SUB, MUL, SQUARED_DIFFERENCE, MAXIMUM, MINIMUM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from firmware_gen.errors import InputError
from firmware_gen.frontend.lower import weights
from firmware_gen.frontend.lower.builder import Builder
from firmware_gen.frontend.lower.parameters import output_clamp, scale_of
from firmware_gen.frontend.model import Operator, Tensor
from firmware_gen.ir.ops.base import Clamp, Scale
from firmware_gen.ir.ops.binary import Binary, Kind

_NO_SCALE = Scale(0, 0)
_SUM_SHIFT, _SQUARE_SHIFT = 20, 7  # fraction bits at the common scale


@dataclass(frozen=True)
class _Common:
    """Bits of the common scale, and the three factors: of a, of b, of the result."""

    left_shift: int
    a: Scale
    b: Scale
    result: Scale


def lower_binary(operator: Operator, builder: Builder) -> None:
    """An element-wise operator of two tensors to Binary."""
    a, b, y = (builder.tensor(i) for i in (*operator.inputs, operator.outputs[0]))
    for tensor in (a, b, y):
        weights.int8_tensor(operator, tensor)
    kind, clamp, common = operator.name.lower(), output_clamp(operator, y), _Common(0, _NO_SCALE, _NO_SCALE, _NO_SCALE)
    if kind in ("maximum", "minimum"):
        clamp = Clamp(int(y.zero_point[0]))
    elif kind == "mul":
        product = float(a.scale[0]) * float(b.scale[0]) / float(y.scale[0])
        common = _Common(0, _NO_SCALE, _NO_SCALE, scale_of(operator, y, product))
    else:
        common = _common(operator, a, b, y)
    op = Binary(cast(Kind, kind), int(a.zero_point[0]), int(b.zero_point[0]), common.left_shift, common.a, common.b,
                common.result, clamp)
    builder.add(op, [builder.value(i) for i in operator.inputs], [builder.value(operator.outputs[0])])


def _common(operator: Operator, a: Tensor, b: Tensor, y: Tensor) -> _Common:
    """Both inputs at twice the larger scale, so that neither factor exceeds a half.

    SUB divides in float32, the others in float64.
    """
    left_shift = _SQUARE_SHIFT if operator.name == "SQUARED_DIFFERENCE" else _SUM_SHIFT
    number = np.float32 if operator.name == "SUB" else np.float64
    a_scale, b_scale, y_scale = (number(tensor.scale[0]) for tensor in (a, b, y))
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        twice = number(2) * max(a_scale, b_scale)
        if operator.name == "SQUARED_DIFFERENCE":
            result = twice * twice / (number(1 << 2 * left_shift) * y_scale)
        else:
            result = twice / (number(1 << left_shift) * y_scale)
        factors = [float(a_scale / twice), float(b_scale / twice), float(result)]
    below_one = factors if operator.name != "SQUARED_DIFFERENCE" else factors[:2]
    if not all(0 < factor < 1 for factor in below_one):
        raise InputError("FG-OP-34", f"{operator}, inputs {a} with scale {a.scale[0]:g} and {b} with {b.scale[0]:g}, "
                         f"output {y} with {y.scale[0]:g}", expected=f"scales within a factor of 2^{left_shift - 1}",
                         fix="convert the model again with int8 calibration")
    return _Common(left_shift, *(scale_of(operator, y, factor) for factor in factors))
