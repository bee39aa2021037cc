"""DEQUANTIZE, float functions of one number, QUANTIZE: what the converter leaves where it lacks an int8 operator."""

from __future__ import annotations

import numpy as np

from firmware_gen.errors import InputError
from firmware_gen.frontend.lower import weights
from firmware_gen.frontend.lower.builder import Builder
from firmware_gen.frontend.lower.unary import TABLES, lower_unary
from firmware_gen.frontend.model import Operator, Tensor
from firmware_gen.ir.ops.base import Op
from firmware_gen.ir.ops.float_island import FLOAT_FUNCTIONS, Dequantize, FloatUnary, Quantize

# The reference converts a float to int32 before it clamps: beyond, what it gives is undefined.
_LARGEST_CODE = float(1 << 30)


def lower_dequantize(operator: Operator, builder: Builder) -> None:
    """DEQUANTIZE of int8 to Dequantize."""
    x = weights.int8_tensor(operator, builder.tensor(operator.inputs[0]))
    _float_tensor(operator, builder.tensor(operator.outputs[0]))
    op = Dequantize(float(x.scale[0]), int(x.zero_point[0]))
    builder.add(op, [builder.value(operator.inputs[0])], [builder.value(operator.outputs[0])])


def lower_quantize(operator: Operator, builder: Builder) -> None:
    """QUANTIZE: of float32 to Quantize, of int8 to Lookup."""
    x, y = builder.tensor(operator.inputs[0]), builder.tensor(operator.outputs[0])
    if x.dtype != "float32":
        lower_unary(operator, builder)
        return
    weights.int8_tensor(operator, y)
    source = builder.value(operator.inputs[0])
    largest = float(np.abs(_all_numbers(builder, source)).max()) / float(y.scale[0])
    if not largest < _LARGEST_CODE:
        raise InputError("FG-OP-35", f"{operator}, input {x} with numbers up to {largest:g} steps of {y}",
                         expected=f"less than {_LARGEST_CODE:g}", fix="convert the model again with int8 calibration")
    builder.add(Quantize(float(y.scale[0]), int(y.zero_point[0])), [source], [builder.value(operator.outputs[0])])


def lower_float_or_unary(operator: Operator, builder: Builder) -> None:
    """A function of one number: of float32 to FloatUnary, of int8 to Lookup."""
    x, y = builder.tensor(operator.inputs[0]), builder.tensor(operator.outputs[0])
    kind = operator.name.lower()
    if operator.name in TABLES and (x.dtype != "float32" or kind not in FLOAT_FUNCTIONS):
        lower_unary(operator, builder)
        return
    _float_tensor(operator, x)
    _float_tensor(operator, y)
    builder.add(FloatUnary(kind), [builder.value(operator.inputs[0])], [builder.value(operator.outputs[0])])


def _all_numbers(builder: Builder, value: int) -> np.ndarray:
    """Every number that a float value may hold: those of a constant, or those that come of the 256 codes."""
    chain: list[Op] = []
    while (node := builder.producer(value)) is not None and isinstance(node.op, Dequantize | FloatUnary):
        chain.append(node.op)
        (value,) = node.inputs
    numbers = builder.data(value)
    if numbers is None:
        numbers = np.arange(-128, 128).astype(np.int8)
    for op in reversed(chain):
        (numbers,) = op.evaluate(numbers)
    return numbers


def _float_tensor(operator: Operator, tensor: Tensor) -> None:
    if tensor.dtype != "float32":
        raise InputError("FG-OP-36", f"{operator}, {tensor}: {tensor.dtype}", expected="float32",
                         fix="build the model from operators that have an int8 form")
