"""Tables of unary operators at the ends of their scales, where fixed point saturates, and float islands."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lowered import assert_equal, cases, evaluate, zero_points
from tflite_builder import Graph, options

from firmware_gen.errors import InputError
from firmware_gen.frontend.lower import lower
from firmware_gen.frontend.tflite import read_tflite

EVERY_CODE = np.arange(-128, 128).astype(np.int8).reshape(1, 256)
OPTIONS = {"LEAKY_RELU": "LeakyReluOptions", "NEG": "NegOptions"}
# Powers of ten of the input's scale, and of the output's over it.
EXTREMES = {
    "ABS": (-6, 3, -8, 8), "HARD_SWISH": (-6, 3, -2, 6), "LEAKY_RELU": (-6, 3, -6, 6), "LOGISTIC": (-8, 9, 0, 0),
    "QUANTIZE": (-6, 3, -8, 8), "RELU": (-6, 3, -8, 8), "RELU6": (-7, 6, -1, 1), "TANH": (-8, 9, 0, 0),
}
FUNCTIONS = st.sampled_from(["NEG", "ABS", "FLOOR", "CEIL", "RELU", "RELU6", "SQUARE"])
chains = st.lists(FUNCTIONS, max_size=3).filter(lambda chain: chain.count("SQUARE") < 2)


def file_of(name, x_scale, x_zero, y_scale, y_zero, **chosen):
    graph = Graph()
    x = graph.tensor("int8", (1, 256), scale=x_scale, zero_point=x_zero)
    y = graph.tensor("int8", (1, 256), scale=y_scale, zero_point=y_zero)
    graph.operator(name, [x], [y], options=options(OPTIONS[name], **chosen) if name in OPTIONS else None)
    return graph.finish([x], [y])


def table_of(content: bytes) -> np.ndarray:
    return evaluate(lower(read_tflite(content)), [EVERY_CODE])[0][0]


@pytest.mark.parametrize("name", EXTREMES)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(case=cases(x=st.floats(0, 1), y=st.floats(0, 1), x_zero=zero_points, y_zero=zero_points,
                  alpha=st.floats(-4, 4, width=32)))
def test_extreme_scales(name, case):
    low, high, y_low, y_high = EXTREMES[name]
    x_scale = float(np.float32(10 ** (low + case.x * (high - low))))
    y_scale = float(np.float32(x_scale * 10 ** (y_low + case.y * (y_high - y_low))))
    content = file_of(name, x_scale, case.x_zero, y_scale, -128 if name == "LOGISTIC" else case.y_zero,
                      **({"alpha": case.alpha} if name == "LEAKY_RELU" else {}))
    try:
        lower(read_tflite(content))
    except InputError as error:
        assert error.code in ("FG-OP-03", "FG-OP-33")
        return
    assert_equal(content, [[EVERY_CODE]])


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.floats(-6, 3), zero_points, st.floats(-5, 3), zero_points)
def test_extreme_inverse_roots(x_power, x_zero, y_power, y_zero):
    """Codes from the zero point on: below it the oracle stops."""
    x_scale = float(np.float32(10**x_power))
    content = file_of("RSQRT", x_scale, x_zero, float(np.float32(10**y_power / x_scale**0.5)), y_zero)
    assert_equal(content, [[np.maximum(EVERY_CODE, np.int8(x_zero))]])


def test_no_root_is_the_largest_code():
    table = table_of(file_of("RSQRT", 0.1, -20, 0.05, -128))
    assert (table[:-20 + 128 + 1] == 127).all()
    assert np.unique(table).size > 8


@pytest.mark.parametrize(("x_zero", "y_scale", "y_zero"), [(0, 0.1, 0), (-7, 0.06, 11), (-20, 0.3, 127)])
def test_negation(x_zero, y_scale, y_zero):
    """The oracle has no NEG of int8: it is QUANTIZE, which it has, of the code on the other side of the zero point."""
    negated = table_of(file_of("NEG", 0.1, x_zero, y_scale, y_zero))
    same = table_of(file_of("QUANTIZE", 0.1, x_zero, y_scale, y_zero))
    mirrored = 2 * x_zero - EVERY_CODE[0].astype(int)
    inside = (mirrored >= -128) & (mirrored <= 127)
    assert np.array_equal(negated[inside], same[mirrored[inside] + 128])
    assert np.unique(negated).size > 8


@settings(max_examples=120, deadline=None, derandomize=True)
@given(cases(chain=chains, x=st.floats(-3, 1), ratio=st.floats(-2, 2), x_zero=zero_points, y_zero=zero_points))
def test_float_islands(case):
    """DEQUANTIZE, functions of one number in float32, QUANTIZE."""
    x_scale = float(np.float32(10**case.x))
    y_scale = float(np.float32(10 ** (case.x * (2 if "SQUARE" in case.chain else 1) + case.ratio)))
    graph = Graph()
    x = graph.tensor("int8", (1, 256), scale=x_scale, zero_point=case.x_zero)
    y = graph.tensor("int8", (1, 256), scale=y_scale, zero_point=case.y_zero)
    inner = [graph.tensor("float32", (1, 256)) for _ in range(len(case.chain) + 1)]
    graph.operator("DEQUANTIZE", [x], inner[:1])
    for name, before, after in zip(case.chain, inner, inner[1:], strict=False):
        graph.operator(name, [before], [after])
    graph.operator("QUANTIZE", inner[-1:], [y])
    assert_equal(graph.finish([x], [y]), [[EVERY_CODE]])
