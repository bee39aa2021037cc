"""The rounding rule, once: scales to Q31 multipliers, and requantisation as TensorFlow Lite Micro does it.

Codes and accumulators are NumPy int64 arrays that hold values of int32: what leaves that range
wraps, as the reference's 32-bit arithmetic does. ``Qm.n`` below is an int32 with ``m`` integer bits.

References
----------
TensorFlow Lite Micro, ``kernels/internal/quantization_util.cc`` and ``kernels/internal/common.h``;
gemmlowp, ``fixedpoint/fixedpoint.h``.
"""

from __future__ import annotations

import math

import numpy as np

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1
SHIFT_MIN, SHIFT_MAX = -31, 30
# exp(-2^k) in Q0.31 for k = -2 ... 4: one factor a bit of the argument.
_EXP_OF_MINUS_POWER = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
_EXP_MINUS_1_8, _ONE_THIRD = 1895147668, 715827883  # Q0.31
_48_OVER_17, _MINUS_32_OVER_17 = 1515870810, -1010580540  # Q2.29


def quantize_multiplier(real: float) -> tuple[int, int]:
    """A real factor as Q31 multiplier and shift: ``real = multiplier / 2^31 * 2^shift``.

    Parameters
    ----------
    real : float
        Not negative, finite; computed in the precision that the reference uses.

    Returns
    -------
    multiplier, shift : int
        ``multiplier`` in [2^30, 2^31 - 1], or 0 for a factor below about 2^-32. ``shift`` is at
        least -31; above 30 it is of no use to :func:`requantize`.

    Examples
    --------
    >>> quantize_multiplier(0.25)
    (1073741824, -1)
    """
    if not (math.isfinite(real) and real >= 0):
        raise ValueError(f"factor {real}; expected a finite number that is not negative")
    mantissa, shift = math.frexp(real)
    multiplier = math.floor(mantissa * (1 << 31) + 0.5)  # mantissa >= 0: halves go away from zero
    if multiplier == 1 << 31:
        multiplier, shift = 1 << 30, shift + 1
    return (multiplier, shift) if multiplier and shift >= SHIFT_MIN else (0, 0)


def wrap(x: np.ndarray | np.integer) -> np.ndarray:
    """The low 32 bits as a signed number."""
    return np.asarray(x, np.int64).astype(np.int32).astype(np.int64)


def high_multiply(a: np.ndarray | int, b: np.ndarray | int) -> np.ndarray:
    """``(a * b + 2^30) >> 31``, ties up: the product of two Q0.31 numbers; -1 times -1 gives the largest."""
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    return np.minimum((product + (1 << 30)) >> 31, INT32_MAX)


def shift_right(x: np.ndarray | np.integer, bits: np.ndarray | int) -> np.ndarray:
    """``x / 2^bits`` to nearest, ties away from zero; ``bits`` in [0, 31]."""
    x, bits = np.asarray(x, np.int64), np.asarray(bits, np.int64)
    half = (np.int64(1) << bits) >> 1
    return np.where(bits > 0, (x + half - (x < 0)) >> bits, x)


def shift_left_saturating(x: np.ndarray, bits: int) -> np.ndarray:
    """``x * 2^bits``, kept in int32."""
    return np.clip(np.asarray(x, np.int64) << bits, INT32_MIN, INT32_MAX)


def requantize(acc: np.ndarray | np.integer, multiplier: np.ndarray | int, shift: np.ndarray | int) -> np.ndarray:
    """Accumulators to codes without zero point, with TensorFlow Lite Micro's two roundings.

    Parameters
    ----------
    acc : np.ndarray
        int32 values. ``acc * 2^max(shift, 0)`` wraps.
    multiplier, shift : np.ndarray or int
        Q31 in [0, 2^31 - 1] and [-31, 30], one or broadcast to ``acc``.

    Examples
    --------
    The second rounding counts; one alone would give 0.

    >>> int(requantize(np.int64(1), 1 << 30, -1))
    1
    """
    shift = np.asarray(shift, np.int64)
    scaled = wrap(np.asarray(acc, np.int64) << np.maximum(shift, 0))
    return shift_right(high_multiply(scaled, np.asarray(multiplier, np.int64)), np.maximum(-shift, 0))


def clamp(codes: np.ndarray, zero_point: int, low: int = -128, high: int = 127) -> np.ndarray:
    """int8 codes in ``[low, high]`` from requantised accumulators."""
    return np.minimum(np.maximum(wrap(codes + zero_point), low), high).astype(np.int8)


def exp_on_negative_values(x: np.ndarray, integer_bits: int) -> np.ndarray:
    """exp of numbers in ``Qm.n`` that are not positive, as Q0.31; 0 gives the largest.

    ``integer_bits`` is m, 0 to 5 (softmax uses 5, logistic 4).
    """
    x = np.asarray(x, np.int64)
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    part = (x & (quarter - 1)) - quarter  # in [-1/4, 0)
    y = shift_left_saturating(part, integer_bits) + (1 << 28)  # around -1/8, Q0.31
    y2 = high_multiply(y, y)
    y3, y4 = high_multiply(y2, y), high_multiply(y2, y2)
    series = shift_right(high_multiply(shift_right(y4, 2) + y3, _ONE_THIRD) + y2, 1)
    result = _EXP_MINUS_1_8 + high_multiply(_EXP_MINUS_1_8, y + series)
    rest = part - x
    for power, factor in zip(range(-2, integer_bits), _EXP_OF_MINUS_POWER, strict=False):
        is_set = rest & (1 << (fraction_bits + power)) != 0
        result = np.where(is_set, high_multiply(result, factor), result)
    return np.where(x == 0, INT32_MAX, result)


def half_plus_one(x: np.ndarray) -> np.ndarray:
    """``(x + 1) / 2`` of a Q0.31 number that is not negative, halves up."""
    return (np.asarray(x, np.int64) + INT32_MAX + 1) >> 1


def newton_reciprocal(half_denominator: np.ndarray) -> np.ndarray:
    """``1 / d`` in Q2.29 for ``d`` in Q0.31 within [1/2, 1), by three Newton-Raphson steps."""
    x = _48_OVER_17 + high_multiply(half_denominator, _MINUS_32_OVER_17)
    for _ in range(3):
        error = (1 << 29) - high_multiply(half_denominator, x)
        x = x + shift_left_saturating(high_multiply(x, error), 2)
    return x


def one_over_one_plus(x: np.ndarray) -> np.ndarray:
    """``1 / (1 + x)`` for ``x`` in [0, 1), both Q0.31."""
    return shift_left_saturating(newton_reciprocal(half_plus_one(x)), 1)
