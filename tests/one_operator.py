"""A .tflite file of one operator, for every operator that the reader knows.

``build(name, dtype)`` gives the operator in the form in which converters write it, with ``dtype``
as the type of its data. What TensorFlow Lite Micro makes of it is for the tests to find out.
"""

from __future__ import annotations

import numpy as np
from tflite_builder import Graph, codes, fb, options

CODE = codes(fb.TensorType)
SAME_SHAPE = ("ABS NEG RELU RELU6 LEAKY_RELU TANH HARD_SWISH ELU SQRT RSQRT EXP SIN COS LOG FLOOR CEIL ROUND SQUARE "
              "L2_NORMALIZATION ZEROS_LIKE LOGICAL_NOT").split()
BINARY = ("ADD SUB MUL DIV MAXIMUM MINIMUM SQUARED_DIFFERENCE FLOOR_DIV FLOOR_MOD PRELU ADD_N "
          "LOGICAL_OR LOGICAL_AND").split()
COMPARISONS = "LESS LESS_EQUAL GREATER GREATER_EQUAL EQUAL NOT_EQUAL".split()
OPTION_VALUES = {
    "Conv2DOptions": {"strideW": 1, "strideH": 1}, "DepthwiseConv2DOptions": {
        "strideW": 1, "strideH": 1, "depthMultiplier": 1},
    "TransposeConvOptions": {"strideW": 1, "strideH": 1}, "SoftmaxOptions": {"beta": 1.0},
    "Pool2DOptions": {"strideW": 2, "strideH": 2, "filterWidth": 2, "filterHeight": 2, "padding": 1},
    "SpaceToDepthOptions": {"blockSize": 2}, "DepthToSpaceOptions": {"blockSize": 2},
    "ConcatenationOptions": {"axis": 1}, "SplitOptions": {"numSplits": 2}, "SplitVOptions": {"numSplits": 2},
    "PackOptions": {"valuesCount": 2}, "UnpackOptions": {"num": 2}, "SqueezeOptions": {"squeezeDims": [0]},
    "LeakyReluOptions": {"alpha": 0.1}, "ReducerOptions": {"keepDims": True}, "GatherOptions": {"axis": 0},
    "ArgMaxOptions": {"outputType": 2}, "ArgMinOptions": {"outputType": 2}, "ShapeOptions": {"outType": 2},
    "SVDFOptions": {"rank": 1, "fusedActivationFunction": 1}, "ReshapeOptions": {"newShape": [4, 2]},
}


def build(name: str, dtype: str) -> bytes | None:
    """The file, or ``None`` where the operator has no form with data of this type here."""
    graph = Graph()
    maker = _MAKERS.get(name)
    if maker is None:
        return None
    # Zero points of 0: some kernels insist on the one that they expect, given where it matters.
    inputs, outputs = maker(graph, dtype)
    table = _option_name(name)
    graph.operator(name, inputs, outputs, options=options(table, **OPTION_VALUES.get(table, {})) if table else None)
    constants = {i for i, t in enumerate(graph.subgraph.tensors) if t.buffer or t.isVariable}
    return graph.finish([i for i in inputs if i not in constants and i >= 0], outputs)


def _option_name(name: str) -> str | None:
    from firmware_gen.frontend.schema import OPERATOR_FORMS

    form = OPERATOR_FORMS[name]
    return form.options.name if form.options else None


def _same(graph, dtype):
    return [graph.tensor(dtype, (1, 4))], [graph.tensor(dtype, (1, 4))]


def _logistic(graph, dtype):
    return [graph.tensor(dtype, (1, 4))], [_output(graph, dtype, 1 / 256, -128)]


def _log_softmax(graph, dtype):
    return [graph.tensor(dtype, (1, 4))], [_output(graph, dtype, 16 / 256, 127)]


def _output(graph, dtype, scale, zero_point):
    if dtype == "int8":
        return graph.tensor(dtype, (1, 4), scale=scale, zero_point=zero_point)
    if dtype == "int16":
        return graph.tensor(dtype, (1, 4), scale=1 / 32768)
    return graph.tensor(dtype, (1, 4))


def _l2_normalization(graph, dtype):
    return [graph.tensor(dtype, (1, 4))], [_output(graph, dtype, 1 / 128, 0)]


def _binary(graph, dtype):
    return [graph.tensor(dtype, (1, 4)), graph.tensor(dtype, (1, 4))], [graph.tensor(dtype, (1, 4))]


def _comparison(graph, dtype):
    return [graph.tensor(dtype, (1, 4)), graph.tensor(dtype, (1, 4))], [graph.tensor("bool", (1, 4))]


def _with_constant(values, shape_in, shape_out, out_type=None):
    def make(graph, dtype):
        x, constant = graph.tensor(dtype, shape_in), graph.tensor("int32", np.shape(values), data=values)
        return [x, constant], [graph.tensor(out_type or dtype, shape_out)]
    return make


def _with_constants(constants, shape_in, shape_out):
    def make(graph, dtype):
        x = graph.tensor(dtype, shape_in)
        return ([x, *(graph.tensor("int32", np.shape(values), data=values) for values in constants)],
                [graph.tensor(dtype, shape_out)])
    return make


def _unary(shape_in, shape_out, out_type=None):
    def make(graph, dtype):
        return [graph.tensor(dtype, shape_in)], [graph.tensor(out_type or dtype, shape_out)]
    return make


def _bias_type(dtype):
    return {"int8": "int32", "int16": "int64"}.get(dtype, dtype)


def _weight_type(dtype):
    return "int8" if dtype == "int16" else dtype


def _weights(graph, dtype, shape, axis, channels):
    kind = _weight_type(dtype)
    scale = [0.02] * channels if kind == "int8" else None
    weights = graph.tensor(kind, shape, data=np.ones(shape), scale=scale, axis=axis)
    bias = graph.tensor(_bias_type(dtype), (channels,), data=np.ones(channels),
                        scale=[0.002] * channels if dtype in ("int8", "int16") else None)
    return [weights, bias]


def _convolution(shape_in, weight_shape, shape_out, axis):
    def make(graph, dtype):
        x = graph.tensor(dtype, shape_in)
        return [x, *_weights(graph, dtype, weight_shape, axis, shape_out[-1])], [graph.tensor(dtype, shape_out)]
    return make


def _transpose_conv(graph, dtype):
    shape = graph.tensor("int32", (4,), data=[1, 4, 4, 3])
    x = graph.tensor(dtype, (1, 4, 4, 2))
    weights = _weights(graph, dtype, (3, 2, 2, 2), 0, 3)
    return [shape, weights[0], x, weights[1]], [graph.tensor(dtype, (1, 4, 4, 3))]


def _batch_matmul(graph, dtype):
    return ([graph.tensor(dtype, (1, 2, 3)), graph.tensor(dtype, (1, 3, 4))], [graph.tensor(dtype, (1, 2, 4))])


def _svdf(graph, dtype):
    x = graph.tensor(dtype, (1, 4))
    feature = graph.tensor(dtype, (2, 4), data=np.ones((2, 4)))
    time_type = {"int8": "int16"}.get(dtype, dtype)
    time = graph.tensor(time_type, (2, 3), data=np.ones((2, 3)))
    bias = graph.tensor(_bias_type(dtype), (2,), data=np.ones(2), scale=0.01 if dtype == "int8" else None)
    state = graph.tensor(time_type, (1, 6), variable=True)
    return [x, feature, time, bias, state], [graph.tensor(dtype, (1, 2))]


def _embedding(graph, dtype):
    return ([graph.tensor("int32", (2,)), graph.tensor(dtype, (4, 3), data=np.ones((4, 3)))],
            [graph.tensor(dtype, (2, 3))])


def _gather(indices, shape_out):
    def make(graph, dtype):
        return ([graph.tensor(dtype, (2, 4)), graph.tensor("int32", np.shape(indices), data=indices)],
                [graph.tensor(dtype, shape_out)])
    return make


def _padv2(graph, dtype):
    x = graph.tensor(dtype, (1, 2, 2, 1))
    paddings = graph.tensor("int32", (4, 2), data=[[0, 0], [1, 1], [1, 1], [0, 0]])
    return [x, paddings, graph.tensor(dtype, (1,), data=[1])], [graph.tensor(dtype, (1, 4, 4, 1))]


def _select(graph, dtype):
    return ([graph.tensor("bool", (1, 4)), graph.tensor(dtype, (1, 4)), graph.tensor(dtype, (1, 4))],
            [graph.tensor(dtype, (1, 4))])


def _split(graph, dtype):
    axis = graph.tensor("int32", (), data=1)
    return [axis, graph.tensor(dtype, (1, 4))], [graph.tensor(dtype, (1, 2)), graph.tensor(dtype, (1, 2))]


def _split_v(graph, dtype):
    sizes, axis = graph.tensor("int32", (2,), data=[1, 3]), graph.tensor("int32", (), data=1)
    return [graph.tensor(dtype, (1, 4)), sizes, axis], [graph.tensor(dtype, (1, 1)), graph.tensor(dtype, (1, 3))]


def _pack(graph, dtype):
    return [graph.tensor(dtype, (1, 4)), graph.tensor(dtype, (1, 4))], [graph.tensor(dtype, (2, 1, 4))]


def _concatenation(graph, dtype):
    return [graph.tensor(dtype, (1, 4)), graph.tensor(dtype, (1, 2))], [graph.tensor(dtype, (1, 6))]


def _unpack(graph, dtype):
    return [graph.tensor(dtype, (2, 3))], [graph.tensor(dtype, (3,)), graph.tensor(dtype, (3,))]


def _fill(graph, dtype):
    return ([graph.tensor("int32", (2,), data=[1, 4]), graph.tensor(dtype, ())], [graph.tensor(dtype, (1, 4))])


def _update_slice(graph, dtype):
    return ([graph.tensor(dtype, (1, 4)), graph.tensor(dtype, (1, 2)), graph.tensor("int32", (2,), data=[0, 1])],
            [graph.tensor(dtype, (1, 4))])


def _quantize(graph, dtype):
    return [graph.tensor(dtype, (1, 4))], [graph.tensor("int8", (1, 4), scale=0.2)]


def _dequantize(graph, dtype):
    return [graph.tensor(dtype, (1, 4), scale=0.1)], [graph.tensor("float32", (1, 4))]


def _broadcast_args(graph, dtype):
    return [graph.tensor(dtype, (2,), data=[1, 4]), graph.tensor(dtype, (1,), data=[4])], [graph.tensor(dtype, (2,))]


_POOL = _unary((1, 4, 4, 1), (1, 2, 2, 1))
_MAKERS = {
    **dict.fromkeys(SAME_SHAPE, _same), **dict.fromkeys(BINARY, _binary), **dict.fromkeys(COMPARISONS, _comparison),
    "LOGISTIC": _logistic, "SOFTMAX": _logistic, "LOG_SOFTMAX": _log_softmax, "L2_NORMALIZATION": _l2_normalization,
    "QUANTIZE": _quantize, "DEQUANTIZE": _dequantize, "CAST": _unary((1, 4), (1, 4), "float32"),
    "SHAPE": _unary((1, 4), (2,), "int32"), "SQUEEZE": _unary((1, 4), (4,)),
    "AVERAGE_POOL_2D": _POOL, "MAX_POOL_2D": _POOL, "L2_POOL_2D": _POOL,
    "SPACE_TO_DEPTH": _unary((1, 4, 4, 1), (1, 2, 2, 4)), "DEPTH_TO_SPACE": _unary((1, 2, 2, 4), (1, 4, 4, 1)),
    "RESHAPE": _with_constant([4, 2], (1, 8), (4, 2)), "BROADCAST_ARGS": _broadcast_args,
    "EMBEDDING_LOOKUP": _embedding, "BATCH_MATMUL": _batch_matmul,
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ALL"),
                    _with_constant([1], (1, 4, 2), (1, 1, 2))),
    **dict.fromkeys(("ARG_MAX", "ARG_MIN"), _with_constant([1], (1, 4), (1,), "int32")),
    "CUMSUM": _with_constant([1], (1, 4), (1, 4)), "TRANSPOSE": _with_constant([1, 0], (2, 3), (3, 2)),
    "EXPAND_DIMS": _with_constant([0], (2, 3), (1, 2, 3)), "REVERSE_V2": _with_constant([1], (2, 3), (2, 3)),
    "GATHER": _gather([1, 0, 1], (3, 4)), "GATHER_ND": _gather([[1], [0]], (2, 4)),
    "PAD": _with_constant([[0, 0], [1, 1]], (1, 2), (1, 4)),
    "MIRROR_PAD": _with_constant([[0, 0], [1, 1]], (1, 3), (1, 5)),
    "BROADCAST_TO": _with_constant([2, 4], (1, 4), (2, 4)), "FILL": _fill,
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"),
                    _with_constant([4, 4], (1, 2, 2, 1), (1, 4, 4, 1))),
    "PADV2": _padv2, "SLICE": _with_constants(([0, 1], [1, 2]), (1, 4), (1, 2)), "SELECT_V2": _select,
    "BATCH_TO_SPACE_ND": _with_constants(([2, 2], [[0, 0], [0, 0]]), (4, 1, 1, 1), (1, 2, 2, 1)),
    "SPACE_TO_BATCH_ND": _with_constants(([2, 2], [[0, 0], [0, 0]]), (1, 2, 2, 1), (4, 1, 1, 1)),
    "DYNAMIC_UPDATE_SLICE": _update_slice,
    "STRIDED_SLICE": _with_constants(([0, 0], [1, 2], [1, 1]), (1, 4), (1, 2)),
    "FULLY_CONNECTED": _convolution((1, 8), (4, 8), (1, 4), 0),
    "CONV_2D": _convolution((1, 4, 4, 2), (3, 2, 2, 2), (1, 4, 4, 3), 0),
    "DEPTHWISE_CONV_2D": _convolution((1, 4, 4, 2), (1, 2, 2, 2), (1, 4, 4, 2), 3),
    "TRANSPOSE_CONV": _transpose_conv, "SVDF": _svdf, "CONCATENATION": _concatenation, "PACK": _pack,
    "UNPACK": _unpack, "SPLIT": _split, "SPLIT_V": _split_v,
}
