"""Element-wise and float operations of the graph: shapes, loops of several steps, rounding."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_gen.ir.ops.base import Clamp, Scale
from firmware_gen.ir.ops.binary import Binary
from firmware_gen.ir.ops.elementwise import Elementwise, Step
from firmware_gen.ir.ops.float_island import FLOAT_FUNCTIONS, Dequantize, FloatUnary, Quantize
from firmware_gen.ir.ops.lookup import Lookup

NONE = Scale(0, 0)
HALF = Scale(1 << 30, 0)
NEGATIVE = Lookup(np.arange(-128, 128).astype(np.int8)[::-1].copy(), "NEG")
PRODUCT = Binary("mul", 3, -4, 0, NONE, NONE, Scale(1 << 30, -5), Clamp(5, -100, 90))
SUM = Binary("add", 3, -4, 20, HALF, HALF, Scale(1 << 30, -18), Clamp(-2))


def drawn(*shapes):
    rng = np.random.default_rng(0)
    return [rng.integers(-128, 128, shape).astype(np.int8) for shape in shapes]


def test_steps_are_the_operations_one_after_the_other():
    a, b = drawn((2, 3, 4), (3, 1))
    loop = Elementwise((Step(PRODUCT, (0, 1)), Step(NEGATIVE, (-1,)), Step(SUM, (-1, -2)), Step(SUM, (-3, 0))))
    product = PRODUCT.evaluate(a, b)[0]
    total = SUM.evaluate(product, NEGATIVE.evaluate(product)[0])[0]
    (found,) = loop.evaluate(a, b)
    assert loop.infer([a.shape, b.shape]) == (found.shape,) == ((2, 3, 4),)
    assert found.dtype == np.int8
    assert np.array_equal(SUM.evaluate(total, a)[0], found)
    assert not np.array_equal(SUM.evaluate(NEGATIVE.evaluate(product)[0], a)[0], found)  # were -1 the step before
    assert np.unique(found).size > 8


@pytest.mark.parametrize("steps", [
    (), (Step(SUM, (0, 2)),), (Step(NEGATIVE, (-1,)),), (Step(SUM, (0, 1)), Step(SUM, (-1, -3))),
    (Step(NEGATIVE, (1,)),), (Step(NEGATIVE, (0, 1)),),
])
def test_loops_that_do_not_fit(steps):
    with pytest.raises(ValueError):
        Elementwise(steps).infer([(2, 3), (1, 3)])


@pytest.mark.parametrize("op", [SUM, PRODUCT])
def test_shapes_that_do_not_broadcast(op):
    assert op.infer([(2, 1, 4), (3, 1)]) == ((2, 3, 4),)
    with pytest.raises(ValueError):
        op.infer([(2, 3), (2, 2)])


@pytest.mark.parametrize(("kind", "expected"), [("maximum", [5, 20]), ("minimum", [-10, 5])])
def test_largest_and_smallest_are_of_codes(kind, expected):
    """Whatever the zero points; a fused limit cuts off."""
    op = Binary(kind, 100, -100, 0, NONE, NONE, NONE, Clamp(0, -10, 20))
    (found,) = op.evaluate(np.array([5, 60], np.int8), np.array([-90, 5], np.int8))
    assert found.tolist() == expected


def test_halves_are_rounded_away_from_zero():
    """Codes 1 and 3 at scale 0.5 are 0.5 and 1.5 steps of scale 1."""
    real = Dequantize(0.5, 0).evaluate(np.array([-3, -1, 1, 3, 127], np.int8))[0]
    assert real.dtype == np.float32
    assert Quantize(1.0, 0).evaluate(real)[0].tolist() == [-2, -1, 1, 2, 64]
    assert Quantize(1.0, 100).evaluate(real)[0].tolist() == [98, 99, 101, 102, 127]


def test_numbers_far_outside_are_clamped():
    far = np.array([-np.inf, -3e38, 3e38, np.inf], np.float32)
    assert Quantize(1e-30, 7).evaluate(far)[0].tolist() == [-128, -128, 127, 127]


@pytest.mark.parametrize("kind", FLOAT_FUNCTIONS)
def test_float_functions_stay_in_float32(kind):
    x = np.array([-7.5, -0.5, 0.0, 0.5, 7.25], np.float32)
    expected = {"abs": [7.5, 0.5, 0, 0.5, 7.25], "ceil": [-7, 0, 0, 1, 8], "floor": [-8, -1, 0, 0, 7],
                "neg": [7.5, 0.5, 0, -0.5, -7.25], "relu": [0, 0, 0, 0.5, 7.25], "relu6": [0, 0, 0, 0.5, 6],
                "square": [56.25, 0.25, 0, 0.25, 52.5625]}[kind]
    (found,) = FloatUnary(kind).evaluate(x)
    assert found.dtype == np.float32
    assert found.tolist() == expected
    assert FloatUnary(kind).infer([x.shape]) == (x.shape,)
