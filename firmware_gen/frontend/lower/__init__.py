"""From the operators of a file to the graph of integer operations: one function an operator, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from firmware_gen.errors import InputError
from firmware_gen.frontend.lower import checks, movement
from firmware_gen.frontend.lower.builder import Builder
from firmware_gen.frontend.lower.convolution import lower_conv_2d, lower_depthwise_conv_2d
from firmware_gen.frontend.lower.dense import lower_fully_connected
from firmware_gen.frontend.lower.elementwise import lower_binary
from firmware_gen.frontend.lower.island import lower_dequantize, lower_float_or_unary, lower_quantize
from firmware_gen.frontend.lower.matmul import lower_batch_matmul
from firmware_gen.frontend.lower.pool import lower_pool_2d
from firmware_gen.frontend.lower.reduce import lower_reduce
from firmware_gen.frontend.lower.softmax import lower_softmax
from firmware_gen.frontend.lower.unary import lower_unary
from firmware_gen.frontend.model import Model, Operator
from firmware_gen.ir.graph import Graph
from firmware_gen.ir.verify import verify

LOWERINGS: Mapping[str, Callable[[Operator, Builder], None]] = MappingProxyType({
    "ABS": lower_float_or_unary,
    "ADD": lower_binary,
    "AVERAGE_POOL_2D": lower_pool_2d,
    "BATCH_MATMUL": lower_batch_matmul,
    "CEIL": lower_float_or_unary,
    "CONCATENATION": movement.lower_concatenation,
    "CONV_2D": lower_conv_2d,
    "DEPTHWISE_CONV_2D": lower_depthwise_conv_2d,
    "DEQUANTIZE": lower_dequantize,
    "EXPAND_DIMS": movement.lower_reshape,
    "FLOOR": lower_float_or_unary,
    "FULLY_CONNECTED": lower_fully_connected,
    "GATHER": movement.lower_gather,
    "HARD_SWISH": lower_unary,
    "LEAKY_RELU": lower_unary,
    "LOGISTIC": lower_unary,
    "MAXIMUM": lower_binary,
    "MAX_POOL_2D": lower_pool_2d,
    "MEAN": lower_reduce,
    "MINIMUM": lower_binary,
    "MUL": lower_binary,
    "NEG": lower_float_or_unary,
    "PACK": movement.lower_pack,
    "PAD": movement.lower_pad,
    "PADV2": movement.lower_pad,
    "QUANTIZE": lower_quantize,
    "RELU": lower_float_or_unary,
    "RELU6": lower_float_or_unary,
    "RESHAPE": movement.lower_reshape,
    "RSQRT": lower_unary,
    "SLICE": movement.lower_slice,
    "SOFTMAX": lower_softmax,
    "SPLIT": movement.lower_split,
    "SPLIT_V": movement.lower_split_v,
    "SQUARE": lower_float_or_unary,
    "SQUARED_DIFFERENCE": lower_binary,
    "SQUEEZE": movement.lower_reshape,
    "STRIDED_SLICE": movement.lower_strided_slice,
    "SUB": lower_binary,
    "SUM": lower_reduce,
    "TANH": lower_unary,
    "TRANSPOSE": movement.lower_transpose,
    "UNPACK": movement.lower_unpack,
})


def lower(model: Model) -> Graph:
    """The graph of integer operations of a model, verified.

    Parameters
    ----------
    model : Model
        What :func:`firmware_gen.frontend.tflite.read_tflite` gives: sound, but of any kind.

    Returns
    -------
    Graph
        Every value int8, except for constants and for float32 between DEQUANTIZE and QUANTIZE.

    Raises
    ------
    InputError
        The model is not a static graph of int8 tensors, or an operator, one of its options, types
        or shapes is not supported: the operator and the tensor are named.
    """
    subgraph = checks.check_model(model)
    builder = Builder(subgraph)
    for operator in subgraph.operators:
        checks.check_operator(operator, subgraph)
        if operator.name not in LOWERINGS:
            raise InputError("FG-OP-26", f"{operator}, output {subgraph.tensors[operator.outputs[0]]}"
                             if operator.outputs else f"{operator}",
                             expected=", ".join(LOWERINGS), fix="build the model from these operators")
        builder.begin(operator)
        LOWERINGS[operator.name](operator, builder)
    graph = builder.graph()
    verify(graph)
    return graph
