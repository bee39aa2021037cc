"""The operators of a model as a ``MicroMutableOpResolver`` of exactly that size."""

from __future__ import annotations

from firmware_gen.errors import InputError
from firmware_gen.frontend.model import Model, Operator

#: Schema name -> what follows ``Add`` in TensorFlow Lite Micro's ``micro_mutable_op_resolver.h``.
RESOLVER_METHODS = {
    "ABS": "Abs", "ADD": "Add", "ADD_N": "AddN", "ARG_MAX": "ArgMax", "ARG_MIN": "ArgMin",
    "ASSIGN_VARIABLE": "AssignVariable", "AVERAGE_POOL_2D": "AveragePool2D", "BATCH_MATMUL": "BatchMatMul",
    "BATCH_TO_SPACE_ND": "BatchToSpaceNd", "BROADCAST_ARGS": "BroadcastArgs", "BROADCAST_TO": "BroadcastTo",
    "CALL_ONCE": "CallOnce", "CAST": "Cast", "CEIL": "Ceil", "CONCATENATION": "Concatenation", "CONV_2D": "Conv2D",
    "COS": "Cos", "CUMSUM": "CumSum", "DEPTHWISE_CONV_2D": "DepthwiseConv2D", "DEPTH_TO_SPACE": "DepthToSpace",
    "DEQUANTIZE": "Dequantize", "DIV": "Div", "ELU": "Elu", "EMBEDDING_LOOKUP": "EmbeddingLookup", "EQUAL": "Equal",
    "EXP": "Exp", "EXPAND_DIMS": "ExpandDims", "FILL": "Fill", "FLOOR": "Floor", "FLOOR_DIV": "FloorDiv",
    "FLOOR_MOD": "FloorMod", "FULLY_CONNECTED": "FullyConnected", "GATHER": "Gather", "GATHER_ND": "GatherNd",
    "GREATER": "Greater", "GREATER_EQUAL": "GreaterEqual", "HARD_SWISH": "HardSwish", "IF": "If",
    "L2_NORMALIZATION": "L2Normalization", "L2_POOL_2D": "L2Pool2D", "LEAKY_RELU": "LeakyRelu", "LESS": "Less",
    "LESS_EQUAL": "LessEqual", "LOG": "Log", "LOGICAL_AND": "LogicalAnd", "LOGICAL_NOT": "LogicalNot",
    "LOGICAL_OR": "LogicalOr", "LOGISTIC": "Logistic", "LOG_SOFTMAX": "LogSoftmax", "MAXIMUM": "Maximum",
    "MAX_POOL_2D": "MaxPool2D", "MEAN": "Mean", "MINIMUM": "Minimum", "MIRROR_PAD": "MirrorPad", "MUL": "Mul",
    "NEG": "Neg", "NOT_EQUAL": "NotEqual", "PACK": "Pack", "PAD": "Pad", "PADV2": "PadV2", "PRELU": "Prelu",
    "QUANTIZE": "Quantize", "READ_VARIABLE": "ReadVariable", "REDUCE_MAX": "ReduceMax", "RELU": "Relu",
    "RELU6": "Relu6", "RESHAPE": "Reshape", "RESIZE_BILINEAR": "ResizeBilinear",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighbor", "ROUND": "Round", "RSQRT": "Rsqrt", "SELECT_V2": "SelectV2",
    "SHAPE": "Shape", "SIN": "Sin", "SLICE": "Slice", "SOFTMAX": "Softmax", "SPACE_TO_BATCH_ND": "SpaceToBatchNd",
    "SPACE_TO_DEPTH": "SpaceToDepth", "SPLIT": "Split", "SPLIT_V": "SplitV", "SQRT": "Sqrt", "SQUARE": "Square",
    "SQUARED_DIFFERENCE": "SquaredDifference", "SQUEEZE": "Squeeze", "STRIDED_SLICE": "StridedSlice", "SUB": "Sub",
    "SUM": "Sum", "SVDF": "Svdf", "TANH": "Tanh", "TRANSPOSE": "Transpose", "TRANSPOSE_CONV": "TransposeConv",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM", "UNPACK": "Unpack", "VAR_HANDLE": "VarHandle",
    "WHILE": "While", "ZEROS_LIKE": "ZerosLike",
}

# Releases differ in where the names live, so the header looks in both namespaces; the empty
# declaration makes the second one known to the releases that lack it.
_HEADER = """\
#ifndef TFSER_OP_RESOLVER_H
#define TFSER_OP_RESOLVER_H

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

/* TensorFlow Lite Micro is in namespace tflite or, in later releases, in tflite::micro. */
namespace tflite {{
namespace micro {{}}
}}

namespace tfser {{

using namespace tflite;
using namespace tflite::micro;

using OpResolver = MicroMutableOpResolver<{count}>;

/* Adds the operators of the model and no others; false when the resolver refuses one. */
inline bool RegisterOperators(OpResolver& resolver) {{
  return {calls};
}}

}}  // namespace tfser

#endif  // TFSER_OP_RESOLVER_H
"""


def op_resolver_header(model: Model) -> str:
    """C++ header with the resolver of ``model``.

    Raises
    ------
    InputError
        An operator has no method in TensorFlow Lite Micro's resolver.
    """
    methods = sorted({_method(operator) for subgraph in model.subgraphs for operator in subgraph.operators})
    calls = " &&\n         ".join(f"resolver.Add{method}() == kTfLiteOk" for method in methods)
    return _HEADER.format(count=len(methods), calls=calls)


def _method(operator: Operator) -> str:
    if operator.name not in RESOLVER_METHODS:
        raise InputError("FG-EXPORT-01", f"{operator} is not in TensorFlow Lite Micro's op resolver",
                         expected="a built-in operator that MicroMutableOpResolver can add",
                         fix="see 'tfser validate' for the layers that have to change")
    return RESOLVER_METHODS[operator.name]
