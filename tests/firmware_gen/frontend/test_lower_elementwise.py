"""Operators of one code, and of two: lowered and evaluated, they give the oracle's codes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lowered import activation, activations, assert_equal, cases, codes, layer, scales, seeds, zero_points
from tflite_builder import Graph

from firmware_gen.frontend.lower import lower
from firmware_gen.frontend.tflite import read_tflite
from firmware_gen.ir.ops.lookup import Lookup

EVERY_CODE = np.arange(-128, 128).astype(np.int8).reshape(1, 256)
PROPERTY = settings(max_examples=150, deadline=None, derandomize=True)
UNARY = {"ABS": "AbsOptions", "HARD_SWISH": "HardSwishOptions", "LEAKY_RELU": "LeakyReluOptions", "LOGISTIC": None,
         "QUANTIZE": "QuantizeOptions", "RELU": None, "RELU6": None, "RSQRT": None, "TANH": None}
BINARY = {"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions",
          "SQUARED_DIFFERENCE": "SquaredDifferenceOptions", "MAXIMUM": "MaximumMinimumOptions",
          "MINIMUM": "MaximumMinimumOptions"}
wide_scales = st.floats(-4, 1).map(lambda power: float(np.float32(10**power)))


def unary_file(name, x_scale, x_zero, y_scale, y_zero, shape=(1, 256), **chosen):
    graph = Graph()
    x = graph.tensor("int8", shape, scale=x_scale, zero_point=x_zero)
    y = graph.tensor("int8", shape, scale=y_scale, zero_point=y_zero)
    if UNARY[name]:
        return layer(name, graph, [x], [y], UNARY[name], **chosen)
    graph.operator(name, [x], [y])
    return graph.finish([x], [y])


@pytest.mark.parametrize("name", ["ABS", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "QUANTIZE", "RELU", "RELU6", "TANH"])
@settings(max_examples=60, deadline=None, derandomize=True)
@given(case=cases(x_scale=wide_scales, x_zero=zero_points, ratio=st.floats(-1.5, 1.5), y_zero=zero_points,
                  alpha=st.floats(0, 2, width=32)))
def test_every_code(name, case):
    y_scale = float(np.float32(case.x_scale * 10**case.ratio))
    y_zero = {"LOGISTIC": -128, "TANH": 0}.get(name, case.y_zero)
    y_scale = {"LOGISTIC": 1 / 256, "TANH": 1 / 128}.get(name, y_scale)
    chosen = {"alpha": case.alpha} if name == "LEAKY_RELU" else {}
    content = unary_file(name, case.x_scale, case.x_zero, y_scale, y_zero, **chosen)
    assert_equal(content, [[EVERY_CODE]])


@PROPERTY
@given(cases(x_scale=wide_scales, x_zero=zero_points, ratio=st.floats(-3, 0), y_zero=zero_points))
def test_inverse_roots(case):
    """Codes below the zero point stop the oracle, so they are left out."""
    y_scale = float(np.float32(10**case.ratio / np.sqrt(case.x_scale)))
    content = unary_file("RSQRT", case.x_scale, case.x_zero, y_scale, case.y_zero)
    assert_equal(content, [[np.maximum(EVERY_CODE, np.int8(case.x_zero))]])


@pytest.mark.parametrize("name", UNARY)
def test_codes_are_varied(name):
    y_scale, y_zero = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0), "RSQRT": (0.02, -128)}.get(name, (0.05, -9))
    content = unary_file(name, 0.05, -128 if name == "RSQRT" else -9, y_scale, y_zero,
                         **({"alpha": 0.3} if name == "LEAKY_RELU" else {}))
    assert np.unique(assert_equal(content, [[EVERY_CODE]])).size > 8
    (node,) = lower(read_tflite(content)).nodes
    assert isinstance(node.op, Lookup)
    assert node.op.what == name


@PROPERTY
@given(cases(seed=seeds, name=st.sampled_from(sorted(BINARY)), a_scale=scales, b_scale=scales, ratio=st.floats(-1, 1.5),
             a_zero=zero_points, b_zero=zero_points, y_zero=zero_points, fused=activations,
             shape=st.lists(st.integers(1, 5), max_size=4), ones=st.lists(st.tuples(st.booleans(), st.booleans()),
                                                                        min_size=4, max_size=4),
             cut=st.integers(0, 4), constant=st.booleans()))
def test_functions_of_two_tensors(case):
    """Operands broadcast: by size 1 where ``ones`` says so; the second by missing leading dimensions."""
    rng, graph = np.random.default_rng(case.seed), Graph()
    a_shape = [1 if one[0] else n for n, one in zip(case.shape, case.ones, strict=False)]
    b_shape = [1 if one[1] else n for n, one in zip(case.shape, case.ones, strict=False)][case.cut:]
    y_shape = np.broadcast_shapes(tuple(a_shape), tuple(b_shape))
    a = graph.tensor("int8", a_shape, scale=case.a_scale, zero_point=case.a_zero)
    b = graph.tensor("int8", b_shape, scale=case.b_scale, zero_point=case.b_zero,
                     data=rng.integers(-128, 128, b_shape) if case.constant else None)
    fitting = {"MUL": case.a_scale * case.b_scale * 60,
               "SQUARED_DIFFERENCE": 60 * (case.a_scale**2 + case.b_scale**2)}
    y_scale = fitting.get(case.name, max(case.a_scale, case.b_scale)) * 10**case.ratio
    y = graph.tensor("int8", y_shape, scale=y_scale, zero_point=case.y_zero)
    chosen = {"fusedActivationFunction": activation(case.fused)} if case.name in ("ADD", "SUB", "MUL") else {}
    content = layer(case.name, graph, [a, b], [y], BINARY[case.name], **chosen)
    shapes = [a_shape] if case.constant else [a_shape, b_shape]
    assert_equal(content, list(zip(*(codes(rng, shape) for shape in shapes), strict=True)))


@pytest.mark.parametrize("name", BINARY)
def test_every_pair_of_codes(name):
    graph = Graph()
    a = graph.tensor("int8", (256, 1), scale=0.04, zero_point=-17)
    b = graph.tensor("int8", (1, 256), scale=0.03, zero_point=5)
    scale = {"MUL": 0.07, "SQUARED_DIFFERENCE": 0.2}.get(name, 0.05)
    y = graph.tensor("int8", (256, 256), scale=scale, zero_point=-4)
    content = layer(name, graph, [a, b], [y], BINARY[name])
    assert np.unique(assert_equal(content, [[EVERY_CODE.reshape(256, 1), EVERY_CODE]])).size > 8


def test_a_float_island():
    """DEQUANTIZE, NEG in float32, QUANTIZE, as a Keras LayerNormalization leaves them."""
    graph = Graph()
    x, y = (graph.tensor("int8", (1, 256), scale=s, zero_point=z) for s, z in ((0.031, -7), (0.029, 11)))
    real, negative = graph.tensor("float32", (1, 256)), graph.tensor("float32", (1, 256))
    graph.operator("DEQUANTIZE", [x], [real])
    graph.operator("NEG", [real], [negative])
    graph.operator("QUANTIZE", [negative], [y])
    assert np.unique(assert_equal(graph.finish([x], [y]), [[EVERY_CODE]])).size > 8
