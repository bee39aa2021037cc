"""Models that are sound files but nothing for the compiler: a code, the operator, what was expected, and the fix."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from one_operator import _MAKERS, build
from tflite_builder import Graph, edit, options, small_model

from firmware_gen.errors import InputError
from firmware_gen.frontend.lower import LOWERINGS, lower
from firmware_gen.frontend.lower.checks import MAX_ELEMENTS, MAX_FOLDED_ELEMENTS, MAX_OPERATORS
from firmware_gen.frontend.tflite import read_tflite
from firmware_gen.ir.graph import Graph as IrGraph

WHOLE_MODEL = ("FG-OP-50", "FG-OP-55", "FG-OP-57", "FG-OP-68")  # where no operator is to blame
MEMORY_LIMIT = 50_000_000
FLOAT_ALONE = {"CEIL", "DEQUANTIZE", "FLOOR", "SQUARE"}  # inside of an island


def unary(name="RELU", x=(1, 8), y=(1, 8), table=None, *, x_given=None, y_given=None, dtype="int8", **chosen):
    graph = Graph()
    a = graph.tensor(**{"dtype": dtype, "shape": x, **(x_given or {})})
    b = graph.tensor(**{"dtype": dtype, "shape": y, **(y_given or {})})
    graph.operator(name, [a], [b], options=options(table, **chosen) if table else None)
    return graph.finish([a], [b])


def binary(name="ADD", a=(2, 3), b=(2, 3), y=(2, 3), scales=(0.1, 0.1, 0.1), **chosen):
    graph = Graph()
    tensors = [graph.tensor("int8", shape, scale=scale) for shape, scale in zip((a, b, y), scales, strict=True)]
    graph.operator(name, tensors[:2], tensors[2:], options=options(name.title() + "Options", **chosen))
    return graph.finish(tensors[:2], tensors[2:])


def movement(name, table, x, y, *constants, x_type="int8", order=None, outputs=1, **chosen):
    """An operator with int32 constants behind its data; ``order`` puts the inputs elsewhere."""
    graph = Graph()
    made = [graph.tensor(x_type, x), *(graph.tensor("int32", np.shape(values), data=values) if not isinstance(
        values, dict) else graph.tensor(**values) for values in constants)]
    results = [graph.tensor("int8", y) for _ in range(outputs)]
    inputs = [made[i] for i in order] if order else made
    graph.operator(name, inputs, results, options=options(table, **chosen))
    run_time = [i for i in made if not graph.subgraph.tensors[i].buffer]
    return graph.finish(run_time, results)


def strided(begin=(0, 0), end=(2, 3), step=(1, 1), y=(2, 3), **masks):
    return movement("STRIDED_SLICE", "StridedSliceOptions", (2, 3), y, begin, end, step, **masks)


def split(axis, parts=2):
    return movement("SPLIT", "SplitOptions", (2, 6), (2, 3), axis, order=[1, 0], outputs=2, numSplits=parts)


def split_v(sizes, axis=1):
    return movement("SPLIT_V", "SplitVOptions", (2, 6), (2, 3), sizes, axis, outputs=2, numSplits=2)


def pad(paddings, y=(3, 3), value=None):
    extra = [] if value is None else [{"dtype": "int8", **value}]
    return movement("PADV2" if extra else "PAD", "PadV2Options" if extra else "PadOptions", (2, 3), y, paddings, *extra)


def gather(indices, y=(2, 2), **chosen):
    return movement("GATHER", "GatherOptions", (2, 3), y, indices, **{"axis": 1, **chosen})


def island(x_scale=0.1, y_scale=0.1, middle="NEG"):
    graph = Graph()
    x, y = graph.tensor("int8", (1, 4), scale=x_scale), graph.tensor("int8", (1, 4), scale=y_scale)
    inner = [graph.tensor("float32", (1, 4)) for _ in range(2)]
    graph.operator("DEQUANTIZE", [x], inner[:1])
    graph.operator(middle, inner[:1], inner[1:])
    graph.operator("QUANTIZE", inner[1:], [y])
    return graph.finish([x], [y])


def changed(change):
    """The small model with its tensors and subgraphs edited; operator 0 is its first."""
    return edit(small_model(), change)


def open_shape(signature):
    def change(model):
        model.subgraphs[0].tensors[0].shapeSignature = signature
    return changed(change)


def stateful():
    graph = Graph()
    x, y = graph.tensor("int8", (1, 4)), graph.tensor("int8", (1, 4))
    state = graph.tensor("int8", (1, 4), variable=True)
    graph.operator("ADD", [x, state], [y], options=options("AddOptions"))
    return graph.finish([x], [y])


def typed(dtype, constant=True):
    """A second operand of another type."""
    graph = Graph()
    x, y = graph.tensor("int8", (1, 4)), graph.tensor("int8", (1, 4))
    middle = graph.tensor(dtype, (1, 4), data=[1, 2, 3, 4] if constant else None, scale=0.1)
    if not constant:
        graph.operator("QUANTIZE", [x], [middle])
    graph.operator("ADD", [x, middle], [y], options=options("AddOptions"))
    return graph.finish([x], [y])


def twice(model):
    model.subgraphs.append(model.subgraphs[0])


def without_outputs(model):
    model.subgraphs[0].outputs = []


def input_as_output(model):
    model.subgraphs[0].outputs = [0]


def constants_alone():
    graph = Graph()
    x, y = graph.tensor("int8", (1, 4), data=[1, 2, 3, 4]), graph.tensor("int8", (1, 4))
    graph.operator("RELU", [x], [y])
    return graph.finish([], [y])


def called(name):
    graph = Graph()
    x, y = graph.tensor("int8", (1, 4)), graph.tensor("int8", (1, 4))
    graph.operator(name, [x], [y], custom_code="MyOperator" if name == "CUSTOM" else None)
    return graph.finish([x], [y])


def moved_constant():
    graph = Graph()
    x, y = graph.tensor("int8", (2, 3)), graph.tensor("int8", (2,))
    constant = graph.tensor("int32", (1, 2), data=[[3, 2]])
    graph.operator("SQUEEZE", [constant], [y], options=options("SqueezeOptions"))
    return graph.finish([x], [y])


def hybrid():
    """int8 weights, float32 activations, as dynamic-range quantisation makes them, between int8 ends."""
    graph = Graph()
    x, y = graph.tensor("int8", (1, 8)), graph.tensor("int8", (1, 4))
    a, b = graph.tensor("float32", (1, 8)), graph.tensor("float32", (1, 4))
    w = graph.tensor("int8", (4, 8), data=np.ones((4, 8)), scale=0.1)
    graph.operator("FULLY_CONNECTED", [a, w, -1], [b], options=options("FullyConnectedOptions"))
    graph.operator("DEQUANTIZE", [x], [a])
    graph.operator("QUANTIZE", [b], [y])
    operators = graph.subgraph.operators
    operators[0], operators[1] = operators[1], operators[0]
    return graph.finish([x], [y])


def chain(count):
    graph = Graph()
    tensors = [graph.tensor("int8", (1, 4)) for _ in range(count + 1)]
    for x, y in itertools.pairwise(tensors):
        graph.operator("ABS", [x], [y])
    return graph.finish(tensors[:1], tensors[-1:])


def expanded(count, size=1 << 10):
    """Sums of a column and a row of constants: each gives as many elements as both have as a product."""
    graph = Graph()
    x, y = graph.tensor("int8", (1, 4)), graph.tensor("int8", (1, 4))
    graph.operator("ABS", [x], [y])
    for _ in range(count):
        column, row = (graph.tensor("int8", shape, data=np.ones(shape)) for shape in ((size, 1), (1, size)))
        graph.operator("ADD", [column, row], [graph.tensor("int8", (size, size))], options=options("AddOptions"))
    return graph.finish([x], [y])


REFUSED = {
    "argument too small": ("FG-OP-30", lambda: unary("TANH", x_given={"scale": 1e-9})),
    "argument too large": ("FG-OP-30", lambda: unary("TANH", x_given={"scale": 1e11})),
    "logistic zero point": ("FG-OP-31", lambda: unary("LOGISTIC")),
    "inverse root": ("FG-OP-32", lambda: unary("RSQRT", y_given={"scale": 1e6})),
    "hard swish": ("FG-OP-33", lambda: unary("HARD_SWISH", y_given={"scale": 1e-4})),
    "hard swish gate": ("FG-OP-33", lambda: unary("HARD_SWISH", x_given={"scale": 1e9}, y_given={"scale": 1e9})),
    "sum": ("FG-OP-34", lambda: binary(scales=(0.1, 0.1, 1e-9))),
    "sum underflow": ("FG-OP-34", lambda: binary("SUB", scales=(1e-38, 1e38, 1.0))),
    "island": ("FG-OP-35", lambda: island(1e10, 1e-10)),
    "not float": ("FG-OP-36", lambda: unary("FLOOR")),
    "activation": ("FG-OP-37", lambda: movement("CONCATENATION", "ConcatenationOptions", (2, 3), (2, 3), axis=1,
                                                fusedActivationFunction=1)),
    "split sizes": ("FG-OP-38", lambda: split_v([2, 3])),
    "negative size": ("FG-OP-38", lambda: split_v([-1, -1])),
    "number of sizes": ("FG-OP-38", lambda: split_v([6])),
    "new axis": ("FG-OP-39", lambda: strided(newAxisMask=1)),
    "ellipsis": ("FG-OP-39", lambda: strided(ellipsisMask=1)),
    "offset": ("FG-OP-39", lambda: strided(offset=True)),
    "empty slice": ("FG-OP-40", lambda: strided(begin=(0, 2), end=(2, 2))),
    "step of 0": ("FG-OP-40", lambda: strided(step=(1, 0))),
    "begin outside": ("FG-OP-40", lambda: strided(begin=(5, 0), shrinkAxisMask=1, y=(3,))),
    "shrink backwards": ("FG-OP-40", lambda: strided(step=(-1, 1), shrinkAxisMask=1, y=(3,))),
    "negative padding": ("FG-OP-41", lambda: pad([[0, 1], [-1, 1]])),
    "paddings": ("FG-OP-41", lambda: pad([[0, 1]])),
    "padding scale": ("FG-OP-42", lambda: pad([[0, 1], [0, 0]], value={"shape": (1,), "data": [1], "scale": 0.2})),
    "padding of two": ("FG-OP-42", lambda: pad([[0, 1], [0, 0]], value={"shape": (2,), "data": [1, 1]})),
    "batch dims": ("FG-OP-43", lambda: gather([0, 1], batchDims=1)),
    "index": ("FG-OP-44", lambda: gather([0, 3])),
    "negative index": ("FG-OP-44", lambda: gather([0, -1])),
    "moved constant": ("FG-OP-45", moved_constant),
    "moved output": ("FG-OP-46", lambda: movement("TRANSPOSE", "TransposeOptions", (2, 3), (2, 3), [1, 0])),
    "float movement": ("FG-OP-62", lambda: island(middle="RESHAPE")),
    "axes": ("FG-OP-47", lambda: split([0, 1])),
    "split axis": ("FG-OP-48", lambda: split(2)),
    "parts": ("FG-OP-49", lambda: split(1, parts=4)),
    "number of parts": ("FG-OP-49", lambda: split(1, parts=3)),
    "axis": ("FG-OP-48", lambda: movement("CONCATENATION", "ConcatenationOptions", (2, 3), (2, 3), axis=2)),
    "negative axis": ("FG-OP-48", lambda: gather([0, 1], axis=-3)),
    "pack": ("FG-OP-49", lambda: movement("PACK", "PackOptions", (2, 3), (1, 2, 3), valuesCount=2, axis=0)),
    "unpack": ("FG-OP-49", lambda: movement("UNPACK", "UnpackOptions", (2, 3), (3,), num=1, axis=0)),
    "ranks": ("FG-OP-58", lambda: strided(begin=(0,))),
    "slice ranks": ("FG-OP-58", lambda: movement("SLICE", "SliceOptions", (2, 3), (2, 3), [0], [2])),
    "reshape": ("FG-OP-63", lambda: movement("RESHAPE", "ReshapeOptions", (2, 3), (2, 4), [2, 4])),
    "permutation": ("FG-OP-63", lambda: movement("TRANSPOSE", "TransposeOptions", (2, 3), (3, 2), [1, 1])),
    "negative permutation": ("FG-OP-63", lambda: movement("TRANSPOSE", "TransposeOptions", (2, 3), (3, 2), [-1, 0])),
    "slice": ("FG-OP-63", lambda: movement("SLICE", "SliceOptions", (2, 3), (2, 3), [0, 1], [2, 3])),
    "broadcast": ("FG-OP-63", lambda: binary(a=(2, 3), b=(2, 2))),
    "broadcast output": ("FG-OP-64", lambda: binary(a=(2, 3), b=(1, 3), y=(1, 3))),
    "unary shape": ("FG-OP-64", lambda: unary(y=(8, 1))),
    "six": ("FG-OP-67", lambda: unary("RELU6", x_given={"scale": 1e-9})),
    "subgraphs": ("FG-OP-50", lambda: changed(twice)),
    "operators": ("FG-OP-68", lambda: chain(MAX_OPERATORS + 1)),
    "work when compiling": ("FG-OP-69", lambda: expanded(1 + (MAX_FOLDED_ELEMENTS >> 20))),
    "open input": ("FG-OP-52", lambda: open_shape([1, -1])),
    "zero size": ("FG-OP-53", lambda: unary(x=(1, 0), y=(1, 0))),
    "huge": ("FG-OP-53", lambda: unary(x=(1, MAX_ELEMENTS + 1), y=(1, MAX_ELEMENTS + 1))),
    "rank": ("FG-OP-54", lambda: unary(x=(1,) * 7, y=(1,) * 7)),
    "no input": ("FG-OP-55", constants_alone),
    "no output": ("FG-OP-55", lambda: changed(without_outputs)),
    "float input": ("FG-OP-56", lambda: unary(dtype="float32")),
    "uint8 input": ("FG-OP-56", lambda: unary(dtype="uint8")),
    "int16 input": ("FG-OP-56", lambda: unary(dtype="int16")),
    "no scale": ("FG-OP-56", lambda: unary(x_given={"scale": []})),
    "output": ("FG-OP-57", lambda: changed(input_as_output)),
    "custom operator": ("FG-OP-60", lambda: called("CUSTOM")),
    "loop": ("FG-OP-59", lambda: called("WHILE")),
    "condition": ("FG-OP-59", lambda: called("IF")),
    "unsupported": ("FG-OP-26", lambda: called("COS")),
    "hybrid": ("FG-OP-62", hybrid),
    "variable": ("FG-OP-51", stateful),
    "16-bit constant": ("FG-OP-61", lambda: typed("int16")),
    "16-bit activations": ("FG-OP-66", lambda: typed("int16", constant=False)),
    "32-bit activations": ("FG-OP-65", lambda: typed("int32", constant=False)),
    "int32 operand": ("FG-OP-06", lambda: typed("int32")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    code, content = REFUSED[name]
    with pytest.raises(InputError) as caught:
        lower(read_tflite(content()))
    assert caught.value.code == code
    assert caught.value.expected
    assert caught.value.fix
    if code not in WHOLE_MODEL:
        assert "operator " in caught.value.received


def test_the_same_files_unspoilt_are_lowered():
    for content in (unary(), binary(), strided(), strided(begin=(-1, 0), shrinkAxisMask=1, y=(3,)), split_v([-1, 3]),
                    split_v([3, 3]), split(1), split(-1), pad([[0, 1], [0, 0]]), gather([2, 0]), island(),
                    pad([[0, 1], [0, 0]], value={"shape": (1,), "data": [1]}), island(middle="SQUARE"),
                    typed("int8"), small_model(), chain(3), expanded(1), open_shape([-1, 8])):
        assert lower(read_tflite(content)).nodes


@pytest.mark.parametrize("dtype", ["int8", "float32", "int16", "int32"])
def test_every_operator_is_lowered_or_refused(dtype):
    """Also those that the compiler does not know, with data of every type."""
    lowered = set()
    for name in _MAKERS:
        try:
            assert isinstance(lower(read_tflite(build(name, dtype))), IrGraph)
            lowered.add(name)
        except InputError as error:
            assert error.fix
    assert lowered == (set(LOWERINGS) - FLOAT_ALONE if dtype == "int8" else set())


def test_memory_of_a_huge_model_is_small():
    """Sizes that the file gives are not allocated: the largest tensor that is let through, many times over."""
    graph = Graph()
    tensors = [graph.tensor("int8", (1, MAX_ELEMENTS)) for _ in range(200)]
    for x, y in itertools.pairwise(tensors):
        graph.operator("RELU", [x], [y])
    content = graph.finish(tensors[:1], tensors[-1:])
    tracemalloc.start()
    try:
        assert len(lower(read_tflite(content)).nodes) == 199
        assert tracemalloc.get_traced_memory()[1] < MEMORY_LIMIT
    finally:
        tracemalloc.stop()
