"""FULLY_CONNECTED, CONV_2D, DEPTHWISE_CONV_2D, BATCH_MATMUL: lowered and evaluated, they give the oracle's codes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lowered import (
    activation,
    activations,
    assert_equal,
    cases,
    codes,
    fitting_scale,
    layer,
    looseness,
    scales,
    seeds,
    zero_points,
)
from tflite_builder import Graph, fb

from firmware_gen.frontend.lower import lower
from firmware_gen.frontend.tflite import read_tflite
from firmware_gen.ir.ops.dense import Dense

PROPERTY = settings(max_examples=120, deadline=None, derandomize=True)
CONVOLUTION = {"strideH": 1, "strideW": 1}


class Layer:
    """Draws the tensors of a layer: x, weights, an optional bias, y."""

    def __init__(self, seed, scale, zero_point, loose):
        self.rng, self.graph, self.scale, self.zero_point = np.random.default_rng(seed), Graph(), scale, zero_point
        self.loose = loose

    def tensors(self, x_shape, w_shape, axis, y_shape, *, per_channel=True, bias=True, w_zero_point=0, fan_in):
        channels = w_shape[axis]
        count = channels if per_channel else 1
        w_scales = self.rng.uniform(0.002, 0.02, count).astype(np.float32)
        x = self.graph.tensor("int8", x_shape, scale=self.scale, zero_point=self.zero_point)
        w = self.graph.tensor("int8", w_shape, data=self.rng.integers(-128, 128, w_shape), scale=w_scales,
                              axis=axis if per_channel else 0, zero_point=w_zero_point)
        y_scale = self.loose * fitting_scale(fan_in, self.scale, float(w_scales.mean()))
        y = self.graph.tensor("int8", y_shape, scale=y_scale, zero_point=int(self.rng.integers(-128, 128)))
        inputs = [x, w, -1]
        if bias:
            values = self.rng.normal(0, 73 * 73 * math.sqrt(fan_in), channels).astype(np.int32)
            b_scales = (np.float32(self.scale) * w_scales).tolist()
            inputs[2] = self.graph.tensor("int32", (channels,), data=values, scale=b_scales)
        return inputs, [y]

    def inputs(self, *shapes):
        return list(zip(*(codes(self.rng, shape, self.zero_point) for shape in shapes), strict=True))


drawn_layers = st.builds(Layer, seeds, scales, zero_points, looseness)


@PROPERTY
@given(drawn_layers, cases(leading=st.lists(st.integers(1, 5), max_size=3), depth=st.integers(1, 40),
                           units=st.integers(1, 9), fused=activations, per_channel=st.booleans(), bias=st.booleans(),
                           flat=st.booleans(), w_zero_point=st.integers(-20, 20)))
def test_fully_connected(drawn, case):
    shape = (*case.leading, case.depth)
    y_shape = (math.prod(case.leading), case.units) if case.flat else (*case.leading, case.units)
    inputs, outputs = drawn.tensors(shape, (case.units, case.depth), 0, y_shape, per_channel=case.per_channel,
                                    bias=case.bias, w_zero_point=0 if case.per_channel else case.w_zero_point,
                                    fan_in=case.depth)
    content = layer("FULLY_CONNECTED", drawn.graph, inputs, outputs, "FullyConnectedOptions",
                    keepNumDims=not case.flat, fusedActivationFunction=activation(case.fused))
    assert_equal(content, drawn.inputs(shape))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(drawn_layers, st.sampled_from([(1, 2, 3, 4), (2, 12), (24,), (2, 3, 4)]), st.sampled_from([4, 12, 24]))
def test_fully_connected_reads_rows_across_dimensions(drawn, shape, depth):
    rows = math.prod(shape) // depth
    shape = shape if rows else (1, depth)
    rows = math.prod(shape) // depth
    inputs, outputs = drawn.tensors(shape, (3, depth), 0, (rows, 3), fan_in=depth)
    content = layer("FULLY_CONNECTED", drawn.graph, inputs, outputs, "FullyConnectedOptions")
    assert_equal(content, drawn.inputs(shape))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seeds, zero_points, st.integers(1, 6), st.integers(1, 20), st.integers(1, 6), activations)
def test_fully_connected_with_weights_computed_at_run_time(seed, zero_point, rows, depth, units, fused):
    rng, graph = np.random.default_rng(seed), Graph()
    x = graph.tensor("int8", (rows, depth), scale=0.05, zero_point=zero_point)
    w = graph.tensor("int8", (units, depth), scale=0.01)
    y = graph.tensor("int8", (rows, units), scale=fitting_scale(depth, 0.05, 0.01), zero_point=3)
    content = layer("FULLY_CONNECTED", graph, [x, w, -1], [y], "FullyConnectedOptions",
                    fusedActivationFunction=activation(fused))
    assert_equal(content, list(zip(codes(rng, (rows, depth)), codes(rng, (units, depth)), strict=True)))


convolutions = {
    "batch": st.integers(1, 2), "size": st.tuples(st.integers(1, 9), st.integers(1, 9)),
    "kernel": st.tuples(st.integers(1, 4), st.integers(1, 4)),
    "stride": st.tuples(st.integers(1, 3), st.integers(1, 3)), "dilation": st.integers(1, 3), "same": st.booleans(),
    "depth": st.integers(1, 4), "times": st.integers(1, 4), "fused": activations, "per_channel": st.booleans(),
    "bias": st.booleans(),
}


def window_options(case):
    """Options of a window that fits the image, its kernel and the size of the output."""
    kernel, stride = [min(k, n) for k, n in zip(case.kernel, case.size, strict=True)], case.stride
    dilated = case.dilation > 1 and all((k - 1) * case.dilation < n for k, n in zip(kernel, case.size, strict=True))
    dilation, stride = (case.dilation, (1, 1)) if dilated else (1, stride)
    reach = [(k - 1) * dilation + 1 for k in kernel]
    counts = [-(-n // s) if case.same else -(-(n - r + 1) // s)
              for n, s, r in zip(case.size, stride, reach, strict=True)]
    chosen = {"strideH": stride[0], "strideW": stride[1], "dilationHFactor": dilation, "dilationWFactor": dilation,
              "padding": fb.Padding.SAME if case.same else fb.Padding.VALID,
              "fusedActivationFunction": activation(case.fused)}
    return chosen, kernel, counts


@PROPERTY
@given(drawn_layers, cases(groups=st.integers(1, 3), **convolutions))
def test_conv_2d(drawn, case):
    chosen, kernel, counts = window_options(case)
    shape, channels = (case.batch, *case.size, case.depth * case.groups), case.times * case.groups
    inputs, outputs = drawn.tensors(shape, (channels, *kernel, case.depth), 0, (case.batch, *counts, channels),
                                    per_channel=case.per_channel, bias=case.bias,
                                    fan_in=math.prod(kernel) * case.depth)
    content = layer("CONV_2D", drawn.graph, inputs if case.bias else inputs[:2], outputs, "Conv2DOptions", **chosen)
    assert_equal(content, drawn.inputs(shape))


@PROPERTY
@given(drawn_layers, cases(**convolutions))
def test_depthwise_conv_2d(drawn, case):
    chosen, kernel, counts = window_options(case)
    shape, channels = (case.batch, *case.size, case.depth), case.depth * case.times
    inputs, outputs = drawn.tensors(shape, (1, *kernel, channels), 3, (case.batch, *counts, channels),
                                    per_channel=case.per_channel, bias=case.bias, fan_in=math.prod(kernel))
    content = layer("DEPTHWISE_CONV_2D", drawn.graph, inputs if case.bias else inputs[:2], outputs,
                    "DepthwiseConv2DOptions", depthMultiplier=case.times, **chosen)
    assert_equal(content, drawn.inputs(shape))


operands = st.tuples(st.booleans(), st.booleans(), st.booleans())
PRODUCTS = {
    "seed": seeds, "a_zero": zero_points, "b_zero": zero_points, "scale": scales, "loose": looseness,
    "batch": st.lists(st.integers(1, 3), max_size=3), "a_ones": operands, "b_ones": operands,
    "a_cut": st.integers(0, 3), "b_cut": st.integers(0, 3), "rows": st.integers(1, 9), "depth": st.integers(1, 9),
    "columns": st.integers(1, 9), "adj_x": st.booleans(), "adj_y": st.booleans(),
    "constant": st.sampled_from([None, "a", "b"]),
}


@PROPERTY
@given(cases(**PRODUCTS))
def test_batch_matmul(case):
    """Batches broadcast: by size 1 where ``ones`` says so, by missing leading dimensions where cut off."""
    rng, graph = np.random.default_rng(case.seed), Graph()
    a_batch = [1 if one else n for n, one in zip(case.batch, case.a_ones, strict=False)][case.a_cut:]
    b_batch = [1 if one else n for n, one in zip(case.batch, case.b_ones, strict=False)][case.b_cut:]
    a_shape = (*a_batch, *((case.depth, case.rows) if case.adj_x else (case.rows, case.depth)))
    b_shape = (*b_batch, *((case.columns, case.depth) if case.adj_y else (case.depth, case.columns)))
    y_shape = (*np.broadcast_shapes(tuple(a_batch), tuple(b_batch)), case.rows, case.columns)
    given_tensors = [graph.tensor("int8", shape, scale=scale, zero_point=zero_point,
                                  data=rng.integers(-128, 128, shape) if case.constant == name else None)
                     for name, shape, scale, zero_point in (("a", a_shape, case.scale, case.a_zero),
                                                            ("b", b_shape, 0.03, case.b_zero))]
    y_scale = case.loose * fitting_scale(case.depth, case.scale, 0.03)
    y = graph.tensor("int8", y_shape, scale=y_scale, zero_point=-7)
    content = layer("BATCH_MATMUL", graph, given_tensors, [y], "BatchMatMulOptions", adjX=case.adj_x,
                    adjY=case.adj_y)
    shapes = [shape for name, shape in (("a", a_shape), ("b", b_shape)) if name != case.constant]
    assert_equal(content, list(zip(*(codes(rng, shape) for shape in shapes), strict=True)))


@pytest.mark.parametrize("name", ["FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D"])
@pytest.mark.parametrize("fused", ["NONE", "RELU6"])
def test_codes_are_varied(name, fused):
    """The equality above is not one of saturated codes alone."""
    drawn = Layer(7, 0.05, -3, 1.0)
    x, w, y, axis, table, chosen = {
        "FULLY_CONNECTED": ((40, 32), (24, 32), (40, 24), 0, "FullyConnectedOptions", {}),
        "CONV_2D": ((1, 9, 8, 6), (7, 3, 3, 6), (1, 9, 8, 7), 0, "Conv2DOptions", CONVOLUTION),
        "DEPTHWISE_CONV_2D": ((1, 9, 8, 6), (1, 3, 3, 6), (1, 9, 8, 6), 3, "DepthwiseConv2DOptions",
                              {**CONVOLUTION, "depthMultiplier": 1}),
    }[name]
    inputs, outputs = drawn.tensors(x, w, axis, y, fan_in=math.prod(w) // w[axis])
    content = layer(name, drawn.graph, inputs, outputs, table, fusedActivationFunction=activation(fused), **chosen)
    expected = assert_equal(content, drawn.inputs(x))
    assert np.unique(expected).size > 8


def test_a_nudged_weight_is_noticed():
    """The comparison can fail: one weight that is off by one changes the codes."""
    drawn = Layer(7, 0.05, -3, 1.0)
    inputs, outputs = drawn.tensors((300, 8), (3, 8), 0, (300, 3), fan_in=8)
    content = layer("FULLY_CONNECTED", drawn.graph, inputs, outputs, "FullyConnectedOptions")
    graph = lower(read_tflite(content))
    (node,) = graph.nodes
    assert isinstance(node.op, Dense)
    x, w, b = codes(drawn.rng, (300, 8))[0], graph.values[node.inputs[1]].data, graph.values[node.inputs[2]].data
    nudged = w.copy()
    nudged[0, 0] += 1 if nudged[0, 0] < 0 else -1
    assert not np.array_equal(node.op.evaluate(x, w, b)[0], node.op.evaluate(x, nudged, b)[0])
