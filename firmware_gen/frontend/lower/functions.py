"""Functions of one code in fixed point, for all 256 codes at once: what the unary operators compute.

``x`` is ``code - zero_point``, int64, and so are the results: numbers of the output without its zero point,
not clamped, except where said otherwise.

References
----------
TensorFlow Lite Micro, ``kernels/internal/reference/integer_ops`` and ``hard_swish.h``; gemmlowp,
``fixedpoint/fixedpoint.h``.
"""

from __future__ import annotations

import functools

import numpy as np

from firmware_gen.fixedpoint import (
    INT32_MAX,
    exp_on_negative_values,
    half_plus_one,
    newton_reciprocal,
    one_over_one_plus,
    requantize,
    shift_left_saturating,
    shift_right,
)
from firmware_gen.ir.ops.base import Scale

ARGUMENT_BITS = 4  # integer bits of the argument of logistic and tanh
ROOT_SHIFT = 20  # fraction bits that an inverse root keeps between its two roundings
_INT16_MIN, _INT16_MAX = -(1 << 15), (1 << 15) - 1
_HALF_ROOT_OF_2 = 1518500250  # Q0.31
_ROOT_STEPS = 5


def logistic(x: np.ndarray, scale: Scale, radius: int) -> np.ndarray:
    """``1 / (1 + exp(-x))`` in steps of 1/256, before the zero point of -128; saturates from ``radius`` on."""
    argument = requantize(x, scale.multiplier, scale.shift)
    of_magnitude = one_over_one_plus(exp_on_negative_values(-np.abs(argument), ARGUMENT_BITS))
    result = np.where(argument > 0, of_magnitude, INT32_MAX - of_magnitude)
    result = np.where(argument == 0, 1 << 30, result)
    return _saturate(x, radius, shift_right(result, 23), 0, 255)


def tanh(x: np.ndarray, scale: Scale, radius: int) -> np.ndarray:
    """``tanh(x)`` in steps of 1/128; saturates from ``radius`` on."""
    argument = requantize(x, scale.multiplier, scale.shift)
    # exp(-2 |x|): the same bits, read with one more integer bit.
    square = exp_on_negative_values(-np.abs(argument), ARGUMENT_BITS + 1)
    of_magnitude = shift_left_saturating(newton_reciprocal(half_plus_one(square)) - (1 << 29), 2)
    result = np.where(argument == 0, 0, np.where(argument < 0, -of_magnitude, of_magnitude))
    return _saturate(x, radius, shift_right(result, 24), -128, 127)


def _saturate(x: np.ndarray, radius: int, inside: np.ndarray, low: int, high: int) -> np.ndarray:
    return np.where(x <= -radius, low, np.where(x >= radius, high, inside))


def inverse_root(x: np.ndarray, scale: Scale) -> np.ndarray:
    """``scale / sqrt(x)``: rounded to ``2^-ROOT_SHIFT`` first, then to whole steps. ``x > 0``, else as for 1."""
    roots = [_inverse_root_scale(max(number, 1)) for number in x.tolist()]
    multiplier, shift = (np.array(numbers, np.int64) for numbers in zip(*roots, strict=True))
    fraction = requantize(np.ones_like(x), multiplier, shift + ROOT_SHIFT)
    return requantize(fraction, scale.multiplier, scale.shift - ROOT_SHIFT)


@functools.cache
def _inverse_root_scale(x: int) -> tuple[int, int]:
    """``1 / sqrt(x)`` for an integer from 1 to 2^29 - 1, as Q31 multiplier and shift.

    Newton-Raphson in Q3.28 on ``x`` scaled to [1/2, 2); no step leaves the range, so that none saturates.
    """
    if x == 1:
        return INT32_MAX, 0
    pairs = (31 - x.bit_length()) // 2 - 1
    argument = x << 2 * pairs >> 1
    half, y = (argument + 1) >> 1, 1 << 28
    for _ in range(_ROOT_STEPS):
        cube = _product(_product(y, y), y) << 6
        y = (_product((1 << 28) + (1 << 27), y) - _product(half, cube)) << 3
    multiplier, shift = _product(y, _HALF_ROOT_OF_2), 11 - pairs
    return multiplier << max(-shift, 0), -max(shift, 0)


def _product(a: int, b: int) -> int:
    return (a * b + (1 << 30)) >> 31


def leaky(x: np.ndarray, positive: Scale, negative: Scale) -> np.ndarray:
    """``positive * x`` from 0 on, else ``negative * x``."""
    return np.where(x >= 0, requantize(x, positive.multiplier, positive.shift),
                    requantize(x, negative.multiplier, negative.shift))


def hard_swish(x: np.ndarray, output: Scale, gate: Scale) -> np.ndarray:
    """``x * relu6(x + 3) / 6`` in 16-bit fixed point; ``output`` and ``gate`` have multipliers of 16 bits, Q15.

    ``gate`` scales ``x << 7`` so that 3.0 becomes 2^15; ``output.shift`` is not positive.
    """
    fine = x << 7
    value = _high_multiply_16(fine, output.multiplier)
    factor = fine
    if gate.shift > 0:  # the last bit of the shift comes after the product: only it may saturate
        factor = _saturate_16(factor << (gate.shift - 1))
    factor = _high_multiply_16(factor, gate.multiplier)
    factor = _saturate_16(factor << 1) if gate.shift > 0 else _shift_right_16(factor, -gate.shift)
    factor = (factor + (1 << 15)) >> 1
    product = factor * value
    truncated = np.where(product < 0, -(-product >> 15), product >> 15)
    return _shift_right_16(truncated, -output.shift)


def narrow_multiplier(multiplier: int) -> int:
    """A Q31 multiplier as Q15, halves up, the largest kept in range."""
    return _INT16_MAX if multiplier >= INT32_MAX - (1 << 15) else (multiplier + (1 << 15)) >> 16


def _saturate_16(x: np.ndarray) -> np.ndarray:
    return np.clip(x, _INT16_MIN, _INT16_MAX)


def _high_multiply_16(a: np.ndarray, b: int) -> np.ndarray:
    """``(a * b + 2^14) >> 15``: the product of two Q0.15 numbers, ties up."""
    return np.minimum((a * b + (1 << 14)) >> 15, _INT16_MAX)


def _shift_right_16(x: np.ndarray, bits: int) -> np.ndarray:
    """``x / 2^bits`` to nearest, ties away from zero; from 16 bits on as the reference's 16-bit mask makes it.

    There the mask is all ones, so that every number above 0, and 0 itself, counts as more than a half.
    """
    if bits < 16:
        return shift_right(x, bits)
    return np.where(x >= 0, 1, -1)
