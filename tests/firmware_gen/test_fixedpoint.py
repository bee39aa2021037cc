"""Fixed point: the golden values of the rounding rule, and its agreement with exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_gen import fixedpoint

EXP_ATOL = 3e-7  # the first term that the series leaves out, (1/8)^5 / 5!, and roundings
RECIPROCAL_ATOL = 2e-8  # a few units of Q2.29
int32 = st.integers(-(2**31), 2**31 - 1)


@pytest.mark.parametrize(("acc", "multiplier", "shift", "expected"), [
    (1, 1 << 30, -1, 1),  # 0.25: each of two roundings goes up
    (-1, 1 << 30, -1, 0),  # -0.5 goes up to 0 in the first
    (2, 1 << 30, -1, 1), (-2, 1 << 30, -1, -1),  # -0.5 goes away from zero in the second
    (3, 1 << 30, 0, 2), (-3, 1 << 30, 0, -1),
    (5, 1 << 30, 2, 10), (7, 0, 0, 0),
    (2**31 - 1, 2**31 - 1, 0, 2**31 - 2), (-(2**31), 2**31 - 1, 0, -(2**31 - 1)),
    (2**30, 1 << 30, 1, -(2**30)),  # the shift to the left wraps
    (2**31 - 1, 2**31 - 1, -31, 1), (-(2**31), 2**31 - 1, -31, -1),
])
def test_requantize_golden(acc, multiplier, shift, expected):
    assert int(fixedpoint.requantize(np.int64(acc), multiplier, shift)) == expected


@given(int32, st.integers(2**30, 2**31 - 1), st.integers(-31, 0))
def test_requantize_rounds_twice(acc, multiplier, shift):
    first = math.floor(Fraction(acc * multiplier, 2**31) + Fraction(1, 2))
    second = Fraction(first, 2**-shift)
    expected = math.floor(abs(second) + Fraction(1, 2)) * (1 if first >= 0 else -1)
    assert int(fixedpoint.requantize(np.int64(acc), multiplier, shift)) == expected


def test_requantize_per_channel():
    acc = np.array([[1, 2, 3], [-1, -2, -3]])
    found = fixedpoint.requantize(acc, np.array([1 << 30] * 3, np.int32), np.array([-1, 0, 1], np.int8))
    assert found.tolist() == [[1, 1, 3], [0, -1, -3]]


@pytest.mark.parametrize(("real", "multiplier", "shift"), [
    (0.25, 1 << 30, -1), (1.0, 1 << 30, 1), (0.0, 0, 0), (2.0**-40, 0, 0), (2.0**-32, 1 << 30, -31),
    (1 - 2.0**-40, 1 << 30, 1), (0.75, 3 << 29, 0), (2.0**99, 1 << 30, 100),
])
def test_quantize_multiplier_golden(real, multiplier, shift):
    found = fixedpoint.quantize_multiplier(real)
    assert found[1] == shift
    assert found[0] == multiplier


@given(st.floats(2.0**-30, 2.0**30))
def test_quantize_multiplier_is_nearest(real):
    multiplier, shift = fixedpoint.quantize_multiplier(real)
    assert 2**30 <= multiplier < 2**31
    step = Fraction(2) ** (shift - 31)
    assert abs(multiplier * step - Fraction(real)) <= step / 2


@pytest.mark.parametrize("real", [math.nan, math.inf, -1.0])
def test_quantize_multiplier_refuses(real):
    with pytest.raises(ValueError, match="finite number that is not negative"):
        fixedpoint.quantize_multiplier(real)


@given(int32, st.integers(0, 31))
def test_shift_right_is_nearest_and_ties_go_away_from_zero(x, bits):
    exact = Fraction(x, 2**bits)
    expected = math.floor(abs(exact) + Fraction(1, 2)) * (1 if x >= 0 else -1)
    assert int(fixedpoint.shift_right(np.int64(x), bits)) == expected


@settings(max_examples=300)
@given(st.integers(-(2**31), 0), st.sampled_from([4, 5]))
def test_exp_is_close(raw, integer_bits):
    found = int(fixedpoint.exp_on_negative_values(np.int64(raw), integer_bits)) / 2**31
    assert found == pytest.approx(math.exp(raw / 2 ** (31 - integer_bits)), abs=EXP_ATOL)


@given(st.integers(0, 2**31 - 1))
def test_reciprocal_is_close(raw):
    found = int(fixedpoint.one_over_one_plus(np.int64(raw))) / 2**31
    assert found == pytest.approx(1 / (1 + raw / 2**31), abs=RECIPROCAL_ATOL)
