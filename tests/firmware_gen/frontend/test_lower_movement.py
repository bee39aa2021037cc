"""Operators that move elements: lowered and evaluated, they give the oracle's codes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lowered import codes, evaluate
from tflite_builder import Graph, options
from tflite_micro import runtime

from firmware_gen.frontend.lower import lower
from firmware_gen.frontend.tflite import read_tflite

PROPERTY = settings(max_examples=80, deadline=None, derandomize=True)
ranks = {n: st.lists(st.integers(1, 5), min_size=1, max_size=n).map(tuple) for n in (3, 4, 5)}


def assert_moves(graph: Graph, x: int, *outputs: int) -> None:
    """Every output has the oracle's codes; ``x`` is the only input, with a code of its own for most elements."""
    content = graph.finish([x], outputs)
    shape = tuple(graph.subgraph.tensors[x].shape)
    lowered, oracle = lower(read_tflite(content)), runtime.Interpreter.from_bytes(content, arena_size=1 << 18)
    numbered = (np.arange(math.prod(shape)) % 251 - 125).astype(np.int8).reshape(shape)
    for array in (numbered, codes(np.random.default_rng(0), shape)[0]):
        oracle.set_input(array, 0)
        oracle.invoke()
        for number, found in enumerate(evaluate(lowered, [array])):
            expected = oracle.get_output(number)
            assert found.shape == expected.shape
            assert np.array_equal(found, expected)


def started(shape):
    graph = Graph()
    return graph, graph.tensor("int8", shape, zero_point=-3)


def numbers(graph: Graph, values, dtype="int32") -> int:
    return graph.tensor(dtype, np.shape(values), data=values)


def moved(graph: Graph, shape) -> int:
    return graph.tensor("int8", shape, zero_point=-3)


@PROPERTY
@given(ranks[5], st.randoms(use_true_random=False))
def test_transpose(shape, random):
    graph, x = started(shape)
    order = random.sample(range(len(shape)), len(shape))
    y = moved(graph, [shape[i] for i in order])
    graph.operator("TRANSPOSE", [x, numbers(graph, order)], [y], options=options("TransposeOptions"))
    assert_moves(graph, x, y)


@pytest.mark.parametrize(("name", "given_input", "table", "shape"), [
    ("RESHAPE", [4, -1], "ReshapeOptions", (4, 6)), ("RESHAPE", None, "ReshapeOptions", (3, 1, 8)),
    ("EXPAND_DIMS", -1, "ExpandDimsOptions", (2, 3, 4, 1)), ("EXPAND_DIMS", 1, "ExpandDimsOptions", (2, 1, 3, 4)),
])
def test_reshapes(name, given_input, table, shape):
    graph, x = started((2, 3, 4))
    y = moved(graph, shape)
    inputs = [x] if given_input is None else [x, numbers(graph, given_input)]
    chosen = {"newShape": list(shape)} if name == "RESHAPE" else {}
    graph.operator(name, inputs, [y], options=options(table, **chosen))
    assert_moves(graph, x, y)


@pytest.mark.parametrize("axes", [[], [0], [-1], [0, 2]])
def test_squeeze(axes):
    graph, x = started((1, 5, 1))
    y = moved(graph, [n for i, n in enumerate((1, 5, 1)) if n > 1 or (axes and i not in [a % 3 for a in axes])])
    graph.operator("SQUEEZE", [x], [y], options=options("SqueezeOptions", squeezeDims=axes))
    assert_moves(graph, x, y)


@PROPERTY
@given(ranks[4], st.integers(0, 3), st.lists(st.integers(1, 4), min_size=1, max_size=4), st.booleans())
def test_concatenation(shape, axis, sizes, from_behind):
    """Of slices of one input, so that every part is computed."""
    axis %= len(shape)
    graph, x = started((*shape[:axis], 4, *shape[axis + 1:]))
    parts = []
    for size in sizes:
        kept = [*shape[:axis], size, *shape[axis + 1:]]
        parts.append(moved(graph, kept))
        graph.operator("SLICE", [x, numbers(graph, [4 - size if i == axis else 0 for i in range(len(shape))]),
                                 numbers(graph, kept)], [parts[-1]])
    y = moved(graph, [*shape[:axis], sum(sizes), *shape[axis + 1:]])
    graph.operator("CONCATENATION", parts, [y],
                   options=options("ConcatenationOptions", axis=axis - len(shape) if from_behind else axis))
    assert_moves(graph, x, y)


@PROPERTY
@given(ranks[4], st.integers(0, 3), st.integers(1, 4), st.booleans())
def test_split(shape, axis, count, from_behind):
    axis %= len(shape)
    graph, x = started((*shape[:axis], shape[axis] * count, *shape[axis + 1:]))
    outputs = [moved(graph, shape) for _ in range(count)]
    given_axis = numbers(graph, axis - len(shape) if from_behind else axis)
    graph.operator("SPLIT", [given_axis, x], outputs, options=options("SplitOptions", numSplits=count))
    assert_moves(graph, x, *outputs)


@PROPERTY
@given(ranks[4], st.integers(0, 3), st.lists(st.integers(1, 4), min_size=1, max_size=4), st.booleans(), st.booleans())
def test_split_v(shape, axis, sizes, rest, from_behind):
    axis %= len(shape)
    graph, x = started((*shape[:axis], sum(sizes), *shape[axis + 1:]))
    outputs = [moved(graph, [*shape[:axis], size, *shape[axis + 1:]]) for size in sizes]
    given_sizes = [-1 if rest and i == 0 else size for i, size in enumerate(sizes)]
    given_axis = axis - len(shape) if from_behind else axis
    graph.operator("SPLIT_V", [x, numbers(graph, given_sizes), numbers(graph, given_axis)], outputs,
                   options=options("SplitVOptions", numSplits=len(sizes)))
    assert_moves(graph, x, *outputs)


@PROPERTY
@given(ranks[5], st.data())
def test_slice(shape, data):
    begin = [data.draw(st.integers(0, n - 1)) for n in shape]
    size = [data.draw(st.integers(1, n - first)) for n, first in zip(shape, begin, strict=True)]
    graph, x = started(shape)
    y = moved(graph, size)
    given_size = [-1 if first + count == n and data.draw(st.booleans()) else count
                  for n, first, count in zip(shape, begin, size, strict=True)]
    dtype = data.draw(st.sampled_from(["int32", "int64"]))
    graph.operator("SLICE", [x, numbers(graph, begin, dtype), numbers(graph, given_size, dtype)], [y],
                   options=options("SliceOptions"))
    assert_moves(graph, x, y)


bounds = st.integers(-7, 7)


@st.composite
def strided_axes(draw):
    """Size, begin, end, step, the three masks, and how many indices that leaves: at least one."""
    size, begin, end = draw(st.integers(1, 5)), draw(bounds), draw(bounds)
    step = draw(st.sampled_from([-2, -1, 1, 1, 2, 3]))
    no_begin, no_end, shrink = (draw(st.booleans()) for _ in range(3))
    if shrink and step > 0 and not no_begin and -size <= begin < size:
        return size, (begin, end, step), (no_begin, no_end, True), 1
    count = len(range(size)[None if no_begin else begin:None if no_end else end:step])
    if count == 0:
        return size, (0, size, 1), (False, False, False), size
    return size, (begin, end, step), (no_begin, no_end, False), count


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(strided_axes(), min_size=1, max_size=4))
def test_strided_slice(axes):
    """Ends outside of the tensor and counted from behind, steps in both directions, and the three masks."""
    graph, x = started([size for size, *_ in axes])
    begin, end, step = zip(*(axis[1] for axis in axes), strict=True)
    masks = [sum(is_set << i for i, is_set in enumerate(mask)) for mask in zip(*(axis[2] for axis in axes),
                                                                                strict=True)]
    kept = [count for *_, (_, _, shrink), count in axes if not shrink]
    y = moved(graph, kept)
    graph.operator("STRIDED_SLICE", [x, *(numbers(graph, values) for values in (begin, end, step))], [y],
                   options=options("StridedSliceOptions", beginMask=masks[0], endMask=masks[1],
                                   shrinkAxisMask=masks[2]))
    assert_moves(graph, x, y)


@PROPERTY
@given(ranks[4].flatmap(lambda shape: st.tuples(st.just(shape), *(
    st.tuples(st.integers(0, 3), st.integers(0, 3)) for _ in shape))), st.none() | st.integers(-128, 127))
def test_pad(case, value):
    shape, *paddings = case
    graph, x = started(shape)
    y = moved(graph, [n + sum(pair) for n, pair in zip(shape, paddings, strict=True)])
    if value is None:
        graph.operator("PAD", [x, numbers(graph, paddings)], [y], options=options("PadOptions"))
    else:
        constant = graph.tensor("int8", (1,), data=[value], zero_point=-3)
        graph.operator("PADV2", [x, numbers(graph, paddings), constant], [y], options=options("PadV2Options"))
    assert_moves(graph, x, y)


@PROPERTY
@given(ranks[3], st.integers(1, 4), st.integers(0, 3), st.integers(0, 3), st.booleans())
def test_unpack_and_pack(shape, count, axis, other, from_behind):
    axis, other, rank = axis % (len(shape) + 1), other % (len(shape) + 1), len(shape) + 1
    graph, x = started((*shape[:axis], count, *shape[axis:]))
    parts = [moved(graph, shape) for _ in range(count)]
    graph.operator("UNPACK", [x], parts, options=options(
        "UnpackOptions", num=count, axis=axis - rank if from_behind else axis))
    y = moved(graph, [*shape[:other], count, *shape[other:]])
    graph.operator("PACK", parts[::-1], [y], options=options(
        "PackOptions", valuesCount=count, axis=other - rank if from_behind else other))
    assert_moves(graph, x, y)


@PROPERTY
@given(ranks[3], st.integers(0, 2), st.lists(st.integers(0, 4), min_size=1, max_size=6), st.booleans(), st.booleans())
def test_gather(shape, axis, indices, from_behind, matrix):
    axis %= len(shape)
    array = np.array([i % shape[axis] for i in indices]).reshape((1, -1) if matrix else (-1,))
    graph, x = started(shape)
    y = moved(graph, [*shape[:axis], *array.shape, *shape[axis + 1:]])
    graph.operator("GATHER", [x, numbers(graph, array)], [y], options=options(
        "GatherOptions", axis=axis - len(shape) if from_behind else axis))
    assert_moves(graph, x, y)


def test_a_wrong_order_is_noticed():
    """The comparison can fail: a transpose that is off gives other codes."""
    graph, x = started((2, 3, 4))
    y = moved(graph, (4, 3, 2))
    graph.operator("TRANSPOSE", [x, numbers(graph, [2, 1, 0])], [y], options=options("TransposeOptions"))
    (node,) = lower(read_tflite(graph.finish([x], [y]))).nodes
    array = np.arange(24, dtype=np.int8).reshape(2, 3, 4)
    assert not np.array_equal(node.op.evaluate(array)[0], array.reshape(4, 3, 2))
