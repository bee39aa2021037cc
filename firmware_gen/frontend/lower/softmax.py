"""SOFTMAX."""

from __future__ import annotations

from firmware_gen.errors import InputError
from firmware_gen.fixedpoint import INT32_MAX, quantize_multiplier
from firmware_gen.frontend.lower import weights
from firmware_gen.frontend.lower.builder import Builder
from firmware_gen.frontend.model import Operator
from firmware_gen.ir.ops.softmax import DIFF_INTEGER_BITS, Softmax

MAX_DEPTH = 4095  # exponentials of at most 2^19, summed in int32
_FRACTION_BITS = 31 - DIFF_INTEGER_BITS


def lower_softmax(operator: Operator, builder: Builder) -> None:
    """SOFTMAX over the last axis to Softmax."""
    x, y = builder.tensor(operator.inputs[0]), builder.tensor(operator.outputs[0])
    weights.int8_tensor(operator, x)
    weights.int8_tensor(operator, y)
    if float(y.scale[0]) != 1 / 256 or y.zero_point[0] != -128 or x.shape != y.shape or not x.shape:
        raise InputError("FG-OP-23", f"{operator}, input {x} {x.shape}, output {y} {y.shape} with scale "
                         f"{y.scale[0]:g} and zero point {y.zero_point[0]}",
                         expected="one shape of at least one dimension, scale 1/256, zero point -128",
                         fix="convert the model again with int8 calibration")
    if x.shape[-1] > MAX_DEPTH:
        raise InputError("FG-OP-27", f"{operator}, input {x} {x.shape}",
                         expected=f"at most {MAX_DEPTH} elements in a row",
                         fix="divide the row: TensorFlow Lite Micro's sum of more exponentials does not fit int32")
    real = min(operator.options["beta"] * float(x.scale[0]) * (1 << _FRACTION_BITS), float(INT32_MAX))
    if not real > 1:
        raise InputError("FG-OP-24", f"{operator}, input {x} with scale {x.scale[0]:g} and beta "
                         f"{operator.options['beta']:g}", expected=f"a product above 2^-{_FRACTION_BITS}",
                         fix="convert the model again with int8 calibration")
    multiplier, shift = quantize_multiplier(real)
    radius = ((1 << DIFF_INTEGER_BITS) - 1 << _FRACTION_BITS) >> shift
    op = Softmax(multiplier, shift, -radius)
    builder.add(op, [builder.value(operator.inputs[0])], [builder.value(operator.outputs[0])])
