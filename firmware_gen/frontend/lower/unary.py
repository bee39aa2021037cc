"""Operators of one input as tables: LOGISTIC, TANH, RELU, RELU6, LEAKY_RELU, HARD_SWISH, ABS, NEG, RSQRT, QUANTIZE.

The table is computed with the arithmetic of TensorFlow Lite Micro, code by code. It has no NEG for
int8: here NEG is the requantisation of ``zero_point - code``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from firmware_gen.errors import InputError
from firmware_gen.fixedpoint import INT32_MAX, clamp, quantize_multiplier, requantize
from firmware_gen.frontend.lower import functions, weights
from firmware_gen.frontend.lower.builder import Builder
from firmware_gen.frontend.lower.parameters import code_of, scale_of
from firmware_gen.frontend.model import Operator, Tensor
from firmware_gen.ir.ops.base import Scale
from firmware_gen.ir.ops.lookup import Lookup

_EXPORT = "convert the model again with int8 calibration"
# The argument's scale as a left shift of its multiplier: 1 << shift is an int64 in the reference.
_LARGEST_ARGUMENT_SHIFT = 62
# int16 codes are shifted to the left by one less, as an int32.
_LARGEST_GATE_SHIFT = 30


def lower_unary(operator: Operator, builder: Builder) -> None:
    """An operator of ``TABLES`` to Lookup."""
    x, y = builder.tensor(operator.inputs[0]), builder.tensor(operator.outputs[0])
    weights.int8_tensor(operator, x)
    weights.int8_tensor(operator, y)
    codes = np.arange(-128, 128, dtype=np.int64)
    table = TABLES[operator.name](operator, x, y, codes - int(x.zero_point[0])).astype(np.int8)
    builder.add(Lookup(table, operator.name), [builder.value(operator.inputs[0])],
                [builder.value(operator.outputs[0])])


def _clamped(y: Tensor, numbers: np.ndarray) -> np.ndarray:
    return clamp(numbers, int(y.zero_point[0]))


def _ratio(operator: Operator, x: Tensor, y: Tensor) -> Scale:
    return scale_of(operator, y, float(x.scale[0]) / float(y.scale[0]))


def _requantized(operator: Operator, x: Tensor, y: Tensor, numbers: np.ndarray) -> np.ndarray:
    scale = _ratio(operator, x, y)
    return _clamped(y, requantize(numbers, scale.multiplier, scale.shift))


def _neg(operator: Operator, x: Tensor, y: Tensor, numbers: np.ndarray) -> np.ndarray:
    return _requantized(operator, x, y, -numbers)


def _abs(operator: Operator, x: Tensor, y: Tensor, numbers: np.ndarray) -> np.ndarray:
    if x.scale[0] == y.scale[0]:
        return _clamped(y, np.abs(numbers))
    return _requantized(operator, x, y, np.abs(numbers))


def _relu(operator: Operator, x: Tensor, y: Tensor, numbers: np.ndarray) -> np.ndarray:
    return np.maximum(_requantized(operator, x, y, numbers), np.int8(y.zero_point[0]))


def _relu6(operator: Operator, x: Tensor, y: Tensor, numbers: np.ndarray) -> np.ndarray:
    """Codes are kept as they are, whatever the output's scale: the converter gives both tensors the same."""
    codes, low, six = numbers + int(x.zero_point[0]), int(x.zero_point[0]), code_of(x, 6.0)
    if six > INT32_MAX:
        raise InputError("FG-OP-67", f"{operator}, input {x} with scale {x.scale[0]:g}",
                         expected="6.0 within 2^31 steps of the scale", fix=_EXPORT)
    high = min(six, 127)
    return np.where(codes > high, high, np.where(codes < low, low, codes))


def _leaky_relu(operator: Operator, x: Tensor, y: Tensor, numbers: np.ndarray) -> np.ndarray:
    alpha = np.float32(operator.options["alpha"])
    with np.errstate(over="ignore", under="ignore"):
        one = float(np.float32(x.scale[0]) / np.float32(y.scale[0]))
        slope = float(np.float32(x.scale[0]) * alpha / np.float32(y.scale[0]))
    negative = scale_of(operator, y, abs(slope))
    if slope < 0:
        negative = Scale(-negative.multiplier, negative.shift)
    return _clamped(y, functions.leaky(numbers, scale_of(operator, y, one), negative))


def _argument(operator: Operator, x: Tensor) -> tuple[Scale, int]:
    """The factor that brings codes to Q4.27, and the distance from 0 at which logistic and tanh saturate."""
    fraction_bits = 31 - functions.ARGUMENT_BITS
    mantissa, shift = math.frexp(float(x.scale[0]) * (1 << fraction_bits))
    if not 0 <= shift <= _LARGEST_ARGUMENT_SHIFT:
        raise InputError("FG-OP-30", f"{operator}, input {x} with scale {x.scale[0]:g}",
                         expected=f"from 2^-{fraction_bits + 1} to 2^{_LARGEST_ARGUMENT_SHIFT - fraction_bits - 1}",
                         fix=_EXPORT)
    radius = ((1 << functions.ARGUMENT_BITS) - 1 << fraction_bits) >> shift
    # From a shift of 31 on the radius is 0: every code saturates, and the factor is not used.
    return Scale(math.floor(mantissa * (1 << 31) + 0.5), min(shift, 30)), radius


def _logistic(operator: Operator, x: Tensor, y: Tensor, numbers: np.ndarray) -> np.ndarray:
    if y.zero_point[0] != -128:
        raise InputError("FG-OP-31", f"{operator}, output {y} with zero point {y.zero_point[0]}", expected="-128",
                         fix=_EXPORT)
    return clamp(functions.logistic(numbers, *_argument(operator, x)), -128)


def _tanh(operator: Operator, x: Tensor, y: Tensor, numbers: np.ndarray) -> np.ndarray:
    return clamp(functions.tanh(numbers, *_argument(operator, x)), 0)


def _rsqrt(operator: Operator, x: Tensor, y: Tensor, numbers: np.ndarray) -> np.ndarray:
    """0 gives the largest code. So do numbers below 0, at which the reference stops with an error."""
    scale = scale_of(operator, y, 1 / (math.sqrt(float(x.scale[0])) * float(y.scale[0])))
    if scale.shift < functions.ROOT_SHIFT - 31:
        raise InputError("FG-OP-32", f"{operator}, input {x} with scale {x.scale[0]:g}, output {y} with scale "
                         f"{y.scale[0]:g}", expected="a scale of the output below the square root of numbers",
                         fix=_EXPORT)
    return np.where(numbers > 0, _clamped(y, functions.inverse_root(numbers, scale)), 127)


def _hard_swish(operator: Operator, x: Tensor, y: Tensor, numbers: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", under="ignore"):
        fine = np.float32(1 / 128) * np.float32(x.scale[0])
        ratio, gate = float(fine / np.float32(y.scale[0])), float(fine / (np.float32(3) / np.float32(32768)))
    if not math.isfinite(ratio) or quantize_multiplier(ratio)[1] > 0 or \
            not math.isfinite(gate) or quantize_multiplier(gate)[1] > _LARGEST_GATE_SHIFT:
        raise InputError("FG-OP-33", f"{operator}, input {x} with scale {x.scale[0]:g}, output {y} with scale "
                         f"{y.scale[0]:g}", expected="an input whose scale is at most 128 times the output's",
                         fix=_EXPORT)
    scales = [Scale(functions.narrow_multiplier(multiplier), shift)
              for multiplier, shift in (quantize_multiplier(ratio), quantize_multiplier(gate))]
    return _clamped(y, functions.hard_swish(numbers, *scales))


TABLES: Mapping[str, Callable[[Operator, Tensor, Tensor, np.ndarray], np.ndarray]] = MappingProxyType({
    "ABS": _abs,
    "HARD_SWISH": _hard_swish,
    "LEAKY_RELU": _leaky_relu,
    "LOGISTIC": _logistic,
    "NEG": _neg,
    "QUANTIZE": _requantized,
    "RELU": _relu,
    "RELU6": _relu6,
    "RSQRT": _rsqrt,
    "TANH": _tanh,
})
