"""Layers that cannot be lowered are refused with a code, naming the operator and the tensor."""

from __future__ import annotations

import numpy as np
import pytest
from lowered import activation, layer
from tflite_builder import Graph, fb

from firmware_gen.errors import InputError
from firmware_gen.frontend.lower import lower
from firmware_gen.frontend.tflite import read_tflite

STRIDES = {"strideH": 1, "strideW": 1}


def dense(x=(3, 8), w=(5, 8), y=(3, 5), *, weights=None, x_scale=0.05, y_scale=0.1, bias=None, **chosen):
    graph = Graph()
    made = {"data": np.ones(w), "scale": 0.01, **(weights or {})}
    given = [graph.tensor("int8", x, scale=x_scale), graph.tensor("int8", w, **made), -1]
    if bias is not None:
        given[2] = graph.tensor(**bias)
    output = graph.tensor("int8", y, scale=y_scale)
    return layer("FULLY_CONNECTED", graph, given, [output], "FullyConnectedOptions", **chosen)


def conv(x=(1, 5, 5, 4), w=(6, 3, 3, 4), y=(1, 3, 3, 6), *, weights=None, **chosen):
    graph = Graph()
    made = {"data": np.ones(w), "scale": 0.01, **(weights or {})}
    given = [graph.tensor("int8", x), graph.tensor("int8", w, **made)]
    output = graph.tensor("int8", y)
    return layer("CONV_2D", graph, given, [output], "Conv2DOptions",
                 **{**STRIDES, "padding": fb.Padding.VALID, **chosen})


def depthwise(w=(1, 3, 3, 8), y=(1, 3, 3, 8), times=2):
    graph = Graph()
    given = [graph.tensor("int8", (1, 5, 5, 4)), graph.tensor("int8", w, data=np.ones(w), scale=0.01)]
    return layer("DEPTHWISE_CONV_2D", graph, given, [graph.tensor("int8", y)], "DepthwiseConv2DOptions",
                 padding=fb.Padding.VALID, depthMultiplier=times, **STRIDES)


def matmul(a=(2, 3, 4), b=(2, 4, 5), y=(2, 3, 5)):
    graph = Graph()
    given = [graph.tensor("int8", a), graph.tensor("int8", b)]
    return layer("BATCH_MATMUL", graph, given, [graph.tensor("int8", y)], "BatchMatMulOptions")


def pool(y=(1, 2, 2, 3), scale=0.1, zero_point=0, **chosen):
    graph = Graph()
    x = graph.tensor("int8", (1, 4, 4, 3))
    output = graph.tensor("int8", y, scale=scale, zero_point=zero_point)
    return layer("MAX_POOL_2D", graph, [x], [output], "Pool2DOptions",
                 **{"filterHeight": 2, "filterWidth": 2, "strideH": 2, "strideW": 2, "padding": fb.Padding.VALID,
                    **chosen})


def mean(axes=(1,), y=(2, 4), dtype="int32", constant=True):
    graph = Graph()
    x = graph.tensor("int8", (2, 3, 4))
    given = graph.tensor(dtype, (len(axes),), data=axes if constant else None)
    return layer("MEAN", graph, [x, given], [graph.tensor("int8", y)], "ReducerOptions", keepDims=False)


def softmax(x=(2, 3), y=(2, 3), scale=1 / 256, zero_point=-128, beta=1.0, x_scale=0.1):
    graph = Graph()
    given = graph.tensor("int8", x, scale=x_scale)
    output = graph.tensor("int8", y, scale=scale, zero_point=zero_point)
    return layer("SOFTMAX", graph, [given], [output], "SoftmaxOptions", beta=beta)


def chain():
    """A tensor between two operators that has a scale for each row."""
    graph = Graph()
    x, y = graph.tensor("int8", (3, 8)), graph.tensor("int8", (3, 8))
    middle = graph.tensor("int8", (3, 8), scale=[0.1, 0.1, 0.1])
    graph.operator("RELU", [x], [middle])
    graph.operator("RELU", [middle], [y])
    return graph.finish([x], [y])


TWO_SCALES = {"scale": [0.01] * 5}
REFUSED = {
    "activation": ("FG-OP-01", lambda: dense(fusedActivationFunction=fb.ActivationFunctionType.TANH)),
    "limits": ("FG-OP-02", lambda: dense(y_scale=1e-12, fusedActivationFunction=activation("RELU_N1_TO_1"))),
    "factor": ("FG-OP-03", lambda: dense(x_scale=1e20, y_scale=1e-10)),
    "infinite factor": ("FG-OP-03", lambda: dense(x_scale=3e38, weights={"scale": 3e38})),
    "window": ("FG-OP-04", lambda: conv(y=(1, 4, 3, 6))),
    "kernel beyond the image": ("FG-OP-04", lambda: conv(x=(1, 2, 2, 4), y=(1, 1, 1, 6))),
    "bias type": ("FG-OP-05", lambda: dense(bias={"dtype": "int64", "shape": (5,), "data": np.ones(5)})),
    "axes of another type": ("FG-OP-05", lambda: mean(dtype="int64")),
    "scales of a tensor": ("FG-OP-06", chain),
    "rank": ("FG-OP-07", lambda: conv(x=(5, 5, 4))),
    "rank of weights": ("FG-OP-08", lambda: conv(w=(6, 3, 3))),
    "axis of scales": ("FG-OP-09", lambda: dense(w=(5, 5), x=(3, 5), weights={**TWO_SCALES, "axis": 1})),
    "zero points": ("FG-OP-10", lambda: dense(weights={**TWO_SCALES, "zero_point": [0, 0, 1, 0, 0]})),
    "zero point": ("FG-OP-10", lambda: conv(weights={"zero_point": 3})),
    "bias": ("FG-OP-11", lambda: dense(bias={"dtype": "int32", "shape": (4,), "data": np.ones(4)})),
    "order": ("FG-OP-12", lambda: dense(weightsFormat=fb.FullyConnectedOptionsWeightsFormat.SHUFFLED4x16INT8)),
    "rows": ("FG-OP-13", lambda: dense(y=(4, 5))),
    "units": ("FG-OP-13", lambda: dense(y=(3, 4))),
    "weights and bias": ("FG-OP-14", lambda: dense(
        weights={"data": None}, bias={"dtype": "int32", "shape": (5,), "data": np.ones(5)})),
    "channels": ("FG-OP-15", lambda: conv(w=(6, 3, 3, 3))),
    "groups": ("FG-OP-15", lambda: conv(w=(5, 3, 3, 2), y=(1, 3, 3, 5))),
    "depth multiplier": ("FG-OP-16", lambda: depthwise(times=3)),
    "operands": ("FG-OP-17", lambda: matmul(b=(2, 5, 4))),
    "batches": ("FG-OP-17", lambda: matmul(b=(3, 4, 5))),
    "product": ("FG-OP-18", lambda: matmul(y=(2, 5, 3))),
    "pool scale": ("FG-OP-19", lambda: pool(scale=0.2)),
    "pool zero point": ("FG-OP-19", lambda: pool(zero_point=1)),
    "pool channels": ("FG-OP-20", lambda: pool(y=(1, 2, 2, 4))),
    "reduced shape": ("FG-OP-21", lambda: mean(y=(2, 3))),
    "axis": ("FG-OP-22", lambda: mean(axes=(3,))),
    "softmax zero point": ("FG-OP-23", lambda: softmax(zero_point=0)),
    "softmax scale": ("FG-OP-23", lambda: softmax(scale=1 / 128)),
    "softmax shape": ("FG-OP-23", lambda: softmax(y=(3, 2))),
    "softmax row": ("FG-OP-27", lambda: softmax(x=(1, 4096), y=(1, 4096))),
    "beta": ("FG-OP-24", lambda: softmax(beta=0.0)),
    "flat": ("FG-OP-24", lambda: softmax(x_scale=1e-9)),
    "stride": ("FG-OP-25", lambda: pool(y=(1, 1, 1, 3), strideH=1 << 20)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    code, content = REFUSED[name]
    with pytest.raises(InputError) as caught:
        lower(read_tflite(content()))
    assert caught.value.code == code
    assert "operator 0" in caught.value.received
    assert caught.value.expected
    assert caught.value.fix


@pytest.mark.parametrize("made", [dense, conv, depthwise, matmul, pool, mean, softmax])
def test_the_same_files_unspoilt_are_lowered(made):
    assert lower(read_tflite(made())).nodes
