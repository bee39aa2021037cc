"""Shorter arithmetic for functions of two codes, taken where it gives the same code for all 65,536 pairs of codes.

The definition (:class:`Binary`) rescales both inputs, each with two roundings, and then their sum.
Most of that precision is lost in the last shift, so that one multiplication an input suffices::

    add, sub              code = clamp((A * a + B * b + C) >> n)
    mul                   p = (a - za) * (b - zb),  code = clamp((high(p) + C + (p < 0 ? -1 : 0)) >> n)
    squared_difference    d = side(a) - side(b),    code = clamp((((d * d * multiplier + 2^31) >> 32) + C) >> n)

with ``high(p) = (p * multiplier + 2^30) >> 31``, and C the zero point and half a code, or near it.
In all of them no intermediate leaves int32.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from firmware_gen.fixedpoint import high_multiply, requantize, wrap
from firmware_gen.ir.ops.base import Scale
from firmware_gen.ir.ops.binary import Binary

#: How far the integers A and B are looked for from the real slopes.
SEARCH = 4
_REACH = 2 ** 31 - 1
_CODES = np.arange(-128, 128, dtype=np.int64)
_A, _B = (side.reshape(-1) for side in np.meshgrid(_CODES, _CODES, indexing="ij"))


@dataclass(frozen=True)
class Linear:
    """``clamp((a * x + b * y + constant) >> shift)``."""

    a: int
    b: int
    constant: int
    shift: int


@dataclass(frozen=True)
class Product:
    """``clamp((high(product) + constant + sign) >> shift)``, ``sign`` -1 below 0 where there is a shift."""

    multiplier: int
    constant: int
    shift: int


@dataclass(frozen=True)
class Square:
    """``clamp((((difference^2 * multiplier + 2^31) >> 32) + constant) >> shift)``.

    A side that is ``factor * code + constant`` has that pair.
    """

    a: tuple[int, int] | None
    b: tuple[int, int] | None
    multiplier: int
    constant: int
    shift: int


@cache
def form_of(op: Binary) -> Linear | Product | Square | None:
    """The shorter form of a function; ``None`` where it has none, or it is not the same for every pair of codes."""
    if op.kind in ("add", "sub"):
        return _linear(op)
    if op.kind == "mul":
        return _product(op)
    return _square(op) if op.kind == "squared_difference" else None


def side(op: Binary, codes: np.ndarray, which: str) -> np.ndarray:
    """An input of ``add``, ``sub`` or ``squared_difference``, rescaled by definition."""
    zero_point, scale = (op.a_zero_point, op.a_scale) if which == "a" else (op.b_zero_point, op.b_scale)
    return requantize(wrap(codes - zero_point << op.left_shift), scale.multiplier, scale.shift)


def _target(op: Binary) -> np.ndarray:
    return op.evaluate(_A.astype(np.int8), _B.astype(np.int8))[0].astype(np.int64)


def _is_exact(op: Binary, acc: np.ndarray, shift: int) -> bool:
    fits = int(np.abs(acc).max()) <= _REACH
    return fits and bool(np.array_equal(np.clip(acc >> shift, op.clamp.low, op.clamp.high), _target(op)))


def _linear(op: Binary) -> Linear | None:
    slopes = [_real(scale) * _real(op.scale) * 2.0 ** op.left_shift for scale in (op.a_scale, op.b_scale)]
    slopes[1] *= -1 if op.kind == "sub" else 1
    middle = op.clamp.zero_point + 0.5 - slopes[0] * op.a_zero_point - slopes[1] * op.b_zero_point
    reach = abs(middle) + 128 * (abs(slopes[0]) + abs(slopes[1])) + 1
    if reach >= 1 << 29:
        return None
    shift = min(30, int(np.log2(_REACH / reach)))
    nearest = [round(slope * 2.0 ** shift) for slope in slopes]
    found = _search(op, nearest, shift)
    if found is None:
        return None
    a, b, constant = found
    fits = abs(constant) + 128 * (abs(a) + abs(b)) <= _REACH
    return Linear(a, b, constant, shift) if fits and _is_exact(op, a * _A + b * _B + constant, shift) else None


def _search(op: Binary, nearest: list[int], shift: int) -> tuple[int, int, int] | None:
    """A, B near the given ones and C, the middle of its widest interval; from the pairs that bound it most."""
    target, unit, far = _target(op), 1 << shift, np.int64(1) << 60
    base = nearest[0] * _A + nearest[1] * _B
    least = np.where(target > op.clamp.low, target * unit - base, -far)
    most = np.where(target < op.clamp.high, (target + 1) * unit - 1 - base, far)
    slack = 4 * 128 * SEARCH
    tight = (least >= least.max() - slack) | (most <= most.min() + slack)
    best: tuple[int, int, int, int] | None = None
    for da in range(-SEARCH, SEARCH + 1):
        for db in range(-SEARCH, SEARCH + 1):
            moved = da * _A[tight] + db * _B[tight]
            low, high = int((least[tight] - moved).max()), int((most[tight] - moved).min())
            if low <= high and (best is None or high - low > best[0]):
                best = (high - low, nearest[0] + da, nearest[1] + db, (low + high) // 2)
    return None if best is None else best[1:]


def _product(op: Binary) -> Product | None:
    if op.scale.shift > 0:
        return None
    shift = -op.scale.shift
    constant = op.clamp.zero_point * (1 << shift) + (1 << shift >> 1)
    product = (_A - op.a_zero_point) * (_B - op.b_zero_point)
    acc = high_multiply(product, op.scale.multiplier) + constant - ((product < 0) if shift else 0)
    return Product(op.scale.multiplier, constant, shift) if _is_exact(op, acc, shift) else None


def _square(op: Binary) -> Square | None:
    """The square is not doubled, which is one bit of precision less: C is what suits all pairs."""
    square, shift = (side(op, _A, "a") - side(op, _B, "b")) ** 2, -op.scale.shift - 1
    if shift < 0 or int(square.max()) > _REACH:
        return None
    acc, target = (square * op.scale.multiplier + (1 << 31)) >> 32, _target(op)
    least = ((target << shift) - acc)[target > op.clamp.low].max(initial=-_REACH)
    most = ((target + 1 << shift) - 1 - acc)[target < op.clamp.high].min(initial=_REACH)
    constant = int(least + most) // 2
    sides = (_straight(side(op, _CODES, "a")), _straight(side(op, _CODES, "b")))
    exact = _is_exact(op, acc + constant, shift)
    return Square(*sides, op.scale.multiplier, constant, shift) if exact else None


def _straight(values: np.ndarray) -> tuple[int, int] | None:
    """Factor and constant of values that lie on a line over the codes."""
    factor = int(values[1] - values[0])
    constant = int(values[0]) + 128 * factor
    return (factor, constant) if np.array_equal(factor * _CODES + constant, values) else None


def _real(scale: Scale) -> float:
    return float(scale.multiplier / 2 ** 31 * 2.0 ** scale.shift)
