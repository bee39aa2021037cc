"""Pools, MEAN, SUM and SOFTMAX: lowered and evaluated, they give the oracle's codes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lowered import activation, activations, assert_equal, cases, codes, layer, looseness, scales, seeds, zero_points
from tflite_builder import Graph, fb

PROPERTY = settings(max_examples=150, deadline=None, derandomize=True)


@PROPERTY
@given(cases(seed=seeds, name=st.sampled_from(["AVERAGE_POOL_2D", "MAX_POOL_2D"]), scale=scales,
             zero_point=zero_points, batch=st.integers(1, 2), size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
             depth=st.integers(1, 5), kernel=st.tuples(st.integers(1, 6), st.integers(1, 6)),
             stride=st.tuples(st.integers(1, 4), st.integers(1, 4)), same=st.booleans(), fused=activations))
def test_pools(case):
    rng, graph, kernel = np.random.default_rng(case.seed), Graph(), case.kernel
    if not case.same:
        kernel = [min(k, n) for k, n in zip(kernel, case.size, strict=True)]
    counts = [-(-n // s) if case.same else (n - k) // s + 1
              for n, k, s in zip(case.size, kernel, case.stride, strict=True)]
    shape = (case.batch, *case.size, case.depth)
    x = graph.tensor("int8", shape, scale=case.scale, zero_point=case.zero_point)
    y = graph.tensor("int8", (case.batch, *counts, case.depth), scale=case.scale, zero_point=case.zero_point)
    content = layer(case.name, graph, [x], [y], "Pool2DOptions", filterHeight=kernel[0], filterWidth=kernel[1],
                    strideH=case.stride[0], strideW=case.stride[1], fusedActivationFunction=activation(case.fused),
                    padding=fb.Padding.SAME if case.same else fb.Padding.VALID)
    assert_equal(content, [[array] for array in codes(rng, shape, case.zero_point)])


@PROPERTY
@given(cases(seed=seeds, name=st.sampled_from(["MEAN", "SUM"]), scale=scales, x_zero=zero_points, y_zero=zero_points,
             loose=looseness, shape=st.lists(st.integers(1, 6), min_size=1, max_size=5), keep=st.booleans(),
             axes=st.lists(st.integers(-5, 4), min_size=1, max_size=2)))
def test_mean_and_sum(case):
    """Axes count from either end, and may be given twice."""
    rng, graph, rank = np.random.default_rng(case.seed), Graph(), len(case.shape)
    axes = [axis % rank - (rank if axis < 0 else 0) for axis in case.axes]
    reduced = {axis % rank for axis in axes}
    kept = [1 if i in reduced else n for i, n in enumerate(case.shape)] if case.keep else [
        n for i, n in enumerate(case.shape) if i not in reduced]
    count = math.prod(case.shape[i] for i in reduced)
    x = graph.tensor("int8", case.shape, scale=case.scale, zero_point=case.x_zero)
    given_axes = axes if len(axes) > 1 else axes[0]
    numbers = graph.tensor("int32", np.shape(given_axes), data=given_axes)
    y_scale = case.loose * case.scale * (math.sqrt(count) if case.name == "SUM" else 1 / math.sqrt(count))
    y = graph.tensor("int8", kept, scale=y_scale, zero_point=case.y_zero)
    content = layer(case.name, graph, [x, numbers], [y], "ReducerOptions", keepDims=case.keep)
    assert_equal(content, [[array] for array in codes(rng, case.shape, case.x_zero)])


@pytest.mark.parametrize("keep", [True, False])
def test_mean_that_keeps_its_scale(keep):
    """Older kernels had ways of their own for equal scales, and for axes 1 and 2 of four."""
    graph, rng = Graph(), np.random.default_rng(3)
    x = graph.tensor("int8", (2, 7, 6, 9), scale=0.05, zero_point=-9)
    axes = graph.tensor("int32", (2,), data=[1, 2])
    y = graph.tensor("int8", (2, 1, 1, 9) if keep else (2, 9), scale=0.05, zero_point=-9)
    content = layer("MEAN", graph, [x, axes], [y], "ReducerOptions", keepDims=keep)
    inputs = [*codes(rng, (2, 7, 6, 9)), (rng.normal(0, 60, (2, 1, 1, 9)) + rng.normal(0, 9, (2, 7, 6, 9)))
              .clip(-128, 127).astype(np.int8)]
    assert np.unique(assert_equal(content, [[array] for array in inputs])).size > 8


@PROPERTY
@given(seeds, st.floats(1e-5, 4.0), zero_points, st.floats(0.125, 8.0, width=32),
       st.lists(st.integers(1, 4), max_size=3), st.integers(1, 70))
def test_softmax(seed, scale, zero_point, beta, leading, depth):
    rng, graph, shape = np.random.default_rng(seed), Graph(), (*leading, depth)
    x = graph.tensor("int8", shape, scale=scale, zero_point=zero_point)
    y = graph.tensor("int8", shape, scale=1 / 256, zero_point=-128)
    content = layer("SOFTMAX", graph, [x], [y], "SoftmaxOptions", beta=beta)
    narrow = rng.normal(0, 5, shape).round().astype(np.int8)
    assert_equal(content, [[array] for array in (*codes(rng, shape), narrow)])


@pytest.mark.parametrize("depth", [2, 50, 511])
def test_softmax_codes_are_varied(depth):
    """Every difference of codes occurs; 511 is the deepest row that the oracle takes whatever its codes."""
    graph, rng = Graph(), np.random.default_rng(5)
    x = graph.tensor("int8", (300, depth), scale=0.02)
    y = graph.tensor("int8", (300, depth), scale=1 / 256, zero_point=-128)
    content = layer("SOFTMAX", graph, [x], [y], "SoftmaxOptions", beta=1.0)
    ramp = np.tile(np.arange(300).reshape(300, 1) % 256 - 128, (1, depth)).astype(np.int8)
    ramp[:, 0] = 127
    expected = assert_equal(content, [[array] for array in (*codes(rng, (300, depth)), ramp)])
    assert np.unique(expected).size > 8
