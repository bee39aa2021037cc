"""What TensorFlow Lite Micro can run, as data.

The facts were read from its reference kernels; the tests hold them against the interpreter of the
``tflite-micro`` package, operator by operator and type by type. TensorFlow Lite Micro does not
look at an operator's version: one that is too new would run with the meaning of an old one, so
the versions are limited here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kernel:
    """One operator's kernel.

    ``types`` are the types of its data that it takes, ``data`` is the index of the input that
    holds them, ``version`` the newest version of the operator whose meaning it has.
    """

    types: tuple[str, ...]
    version: int
    data: int


# "operators | types of the data | newest version | index of the data input", one kernel form a line.
_KERNELS = """
FULLY_CONNECTED | int8 int16 float32 | 11 | 0
CONV_2D | int8 int16 float32 | 8 | 0
DEPTHWISE_CONV_2D | int8 int16 float32 | 7 | 0
TRANSPOSE_CONV | int8 int16 float32 | 5 | 2
BATCH_MATMUL | int8 int16 float32 | 3 | 0
SVDF | int8 float32 | 3 | 0
UNIDIRECTIONAL_SEQUENCE_LSTM | int8 float32 | 1 | 0
EMBEDDING_LOOKUP | int8 float32 | 1 | 1
AVERAGE_POOL_2D MAX_POOL_2D | int8 int16 float32 | 3 | 0
L2_POOL_2D | float32 | 1 | 0
MEAN | int8 int16 float32 | 3 | 0
SUM | int8 int16 float32 | 2 | 0
REDUCE_MAX REDUCE_MIN | int8 float32 | 2 | 0
REDUCE_ALL | bool | 1 | 0
ARG_MAX ARG_MIN | int8 float32 | 2 | 0
CUMSUM | int8 float32 | 1 | 0
SOFTMAX LOGISTIC RELU RELU6 RSQRT ABS | int8 int16 float32 | 3 | 0
LEAKY_RELU | int8 int16 float32 | 2 | 0
TANH LOG_SOFTMAX L2_NORMALIZATION | int8 float32 | 2 | 0
HARD_SWISH ELU PRELU | int8 float32 | 1 | 0
EXP LOG SIN COS SQRT SQUARE NEG FLOOR CEIL ROUND FLOOR_MOD | float32 | 1 | 0
FLOOR_DIV | float32 | 2 | 0
ADD | int8 int16 int32 float32 | 3 | 0
SUB | int8 int16 int32 float32 | 5 | 0
MUL | int8 int16 int32 float32 | 4 | 0
SQUARED_DIFFERENCE | int8 int16 int32 float32 | 2 | 0
MAXIMUM MINIMUM | int8 int16 int32 int64 float32 | 4 | 0
DIV | int8 int32 float32 | 2 | 0
ADD_N | int8 float32 | 1 | 0
LESS LESS_EQUAL GREATER GREATER_EQUAL | int8 int32 int64 float32 | 2 | 0
EQUAL NOT_EQUAL | int8 int32 int64 bool float32 | 2 | 0
LOGICAL_AND LOGICAL_OR LOGICAL_NOT | bool | 1 | 0
SELECT_V2 | int8 int16 float32 | 1 | 1
QUANTIZE | int8 int16 int32 float32 | 2 | 0
DEQUANTIZE | int8 int16 | 3 | 0
CAST | int8 int16 int32 bool float32 | 3 | 0
RESHAPE SQUEEZE SHAPE | int8 int16 int32 int64 bool float32 | 1 | 0
TRANSPOSE | int8 int16 float32 | 5 | 0
EXPAND_DIMS | int8 int16 float32 | 1 | 0
REVERSE_V2 | int8 int16 int32 float32 | 3 | 0
CONCATENATION | int8 int16 int32 int64 bool float32 | 3 | 0
PACK | int8 int16 int32 float32 | 3 | 0
UNPACK | int8 int16 int32 float32 | 4 | 0
SPLIT | int8 int16 int32 float32 | 4 | 1
SPLIT_V | int8 int16 int32 float32 | 2 | 0
SLICE | int8 int16 int32 bool float32 | 5 | 0
STRIDED_SLICE | int8 int16 int32 bool float32 | 6 | 0
GATHER | int8 float32 | 5 | 0
GATHER_ND | int8 float32 | 1 | 0
PAD PADV2 | int8 int16 int32 float32 | 4 | 0
MIRROR_PAD | int8 float32 | 2 | 0
BROADCAST_TO | int8 int16 int32 float32 | 3 | 0
BROADCAST_ARGS | int32 int64 | 1 | 0
FILL | int8 int32 float32 | 3 | 1
ZEROS_LIKE | int8 int32 int64 float32 | 1 | 0
RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR | int8 float32 | 3 | 0
SPACE_TO_DEPTH DEPTH_TO_SPACE | int8 float32 | 2 | 0
SPACE_TO_BATCH_ND BATCH_TO_SPACE_ND | int8 float32 | 3 | 0
DYNAMIC_UPDATE_SLICE | int8 int16 int32 float32 | 4 | 0
"""


def _kernels() -> dict[str, Kernel]:
    kernels = {}
    for line in _KERNELS.strip().splitlines():
        names, types, version, data = (part.strip() for part in line.split("|"))
        kernels.update(dict.fromkeys(names.split(), Kernel(tuple(types.split()), int(version), int(data))))
    return kernels


KERNELS = _kernels()

# Operators that TensorFlow Lite Micro has for control flow and variables, which one straight graph
# does not need and which the checks here do not follow.
STATEFUL = ("IF", "WHILE", "CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE")

# Operators with weights as their second input, and the types that go with those of the data.
WEIGHTED = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
WEIGHT_TYPES = {"int8": ("int8", "int4"), "int16": ("int8",), "float32": ("float32",)}
BIAS_TYPES = {"int8": ("int32",), "int16": ("int64", "int32"), "float32": ("float32",)}

_ACTIVATION = "train with --activation swish, hard_swish, relu, relu6 or tanh"
_NORM = "write the normalisation with subtract, mean, squared difference, rsqrt and multiply"
# What to do about operators that Transformers and their converters bring.
REPLACEMENTS = {
    "GELU": _ACTIVATION,
    "RELU_N1_TO_1": _ACTIVATION,
    "RELU_0_TO_1": _ACTIVATION,
    "SQRT": _NORM,
    "SQUARE": "multiply the tensor with itself",
    "NEG": f"{_NORM} (keras.layers.LayerNormalization brings this operator)",
    "EXP": "use SOFTMAX or LOGISTIC, which hold the exponential",
    "POW": "multiply, or use RSQRT",
    "TILE": "use BROADCAST_TO, or let the operator broadcast",
    "SELECT": "use SELECT_V2, or multiply with a mask",
    "REDUCE_PROD": "fix the batch to 1 at export, so that shapes are constants",
    **dict.fromkeys(STATEFUL, "export one straight graph, without control flow and variables"),
    "LSTM": "use keras.layers.LSTM with its default arguments, which becomes UNIDIRECTIONAL_SEQUENCE_LSTM",
}
REPLACE = "build the model from operators that have a kernel"
