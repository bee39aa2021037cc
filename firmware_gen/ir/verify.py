"""Is a graph sound? Asked after the frontend and after every pass.

A finding is a defect of the compiler, not of the model: the frontend has refused what it cannot
compile. It stops all the same, before code is made of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from firmware_gen.errors import CheckFailed
from firmware_gen.fixedpoint import INT32_MAX, INT32_MIN, SHIFT_MAX, SHIFT_MIN
from firmware_gen.ir.graph import Graph, Node, Value
from firmware_gen.ir.ops.base import Clamp, Op, Scale, Scales
from firmware_gen.ir.ops.conv2d import Conv2D
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.ir.ops.depthwise_conv2d import DepthwiseConv2D
from firmware_gen.ir.ops.elementwise import Elementwise
from firmware_gen.ir.ops.float_island import Dequantize, FloatUnary, Quantize

_LAYERS = (Dense, Conv2D, DepthwiseConv2D)
_FLOAT = (Dequantize, FloatUnary, Quantize)


def verify(graph: Graph, *, integers_only: bool = False) -> None:
    """Check order, producers, shapes, types and the ranges of parameters.

    Parameters
    ----------
    graph : Graph
    integers_only : bool, optional
        After the passes: no float operation may be left.

    Raises
    ------
    CheckFailed
        Naming the node or the value, and what it stands for in the file.
    """
    known = _check_values(graph)
    for position, node in enumerate(graph.nodes):
        where = f"node {position} {node}"
        for value in node.inputs:
            _hold(value in known, f"{where} reads {_name(graph, value)}", "a value that is known by then")
        for value in node.outputs:
            _hold(value in graph.values and value not in known, f"{where} computes {_name(graph, value)}",
                  "a value that nothing else gives")
        _check_node(graph, node, where)
        known.update(node.outputs)
        if integers_only and isinstance(node.op, _FLOAT):
            raise CheckFailed("FG-OP-71", f"{where}: a float operation that is left over",
                              expected="DEQUANTIZE, functions of one number and QUANTIZE, one after the other",
                              fix="build the model from operators that have an int8 form")
    for value in graph.outputs:
        _hold(value in known, f"output {_name(graph, value)} of the graph", "a value that some node computes")


def _check_values(graph: Graph) -> set[int]:
    """Ids of the inputs and the constants."""
    known: set[int] = set()
    for key, value in graph.values.items():
        _hold(key == value.id, f"value {value.id} under the id {key}", "its own id")
        _hold(all(n >= 1 for n in value.shape) or value.dtype != "int8", f"value {key} of shape {value.shape}",
              "no dimension of 0")
        if value.data is not None:
            matches = value.data.shape == value.shape and value.data.dtype == np.dtype(value.dtype)
            _hold(matches, f"constant {_name(graph, key)}, {value.data.dtype}{value.data.shape}",
                  f"{value.dtype}{value.shape}")
            known.add(key)
    for i in graph.inputs:
        _hold(i in graph.values and i not in known, f"input {_name(graph, i)} of the graph", "one that is set once")
        known.add(i)
    return known


def _check_node(graph: Graph, node: Node, where: str) -> None:
    inputs, outputs = ([graph.values[i] for i in side] for side in (node.inputs, node.outputs))
    try:
        shapes = tuple(node.op.infer([value.shape for value in inputs]))
    except (ValueError, IndexError, TypeError) as error:
        raise CheckFailed("FG-OP-72", f"{where}: {error}", expected="inputs that fit the operation",
                          fix="report this: the compiler has a defect") from error
    _hold(shapes == tuple(value.shape for value in outputs),
          f"{where} with outputs {[value.shape for value in outputs]}", f"{list(shapes)}")
    given = [value.dtype for value in inputs], [value.dtype for value in outputs]
    _hold(given == _types(node.op, inputs, outputs), f"{where}: types {given[0]} to {given[1]}",
          "those of the operation")
    if isinstance(node.op, _LAYERS):
        _hold(all(value.is_constant for value in inputs[1:]), f"{where}: weights computed at run time", "constants")
    for parameter in _parameters(node.op):
        if not _in_range(parameter):
            _hold(False, f"{where}: {parameter}", "a parameter in its range")


def _types(op: Op, inputs: Sequence[Value], outputs: Sequence[Value]) -> tuple[list[str], list[str]]:
    source = "float32" if isinstance(op, FloatUnary | Quantize) else "int8"
    target = "float32" if isinstance(op, FloatUnary | Dequantize) else "int8"
    bias = ["int32"] * (len(inputs) - 2) if isinstance(op, _LAYERS) else [source] * (len(inputs) - 2)
    return [source] * min(len(inputs), 2) + bias, [target] * len(outputs)


def _parameters(op: Op) -> Iterator[object]:
    """Scales, limits and tables of an operation, also of the steps that it holds."""
    if isinstance(op, Elementwise):
        for step in op.steps:
            yield from _parameters(step.op)
    for parameter in vars(op).values():
        if isinstance(parameter, Scale | Scales | Clamp | np.ndarray):
            yield parameter


def _in_range(parameter: object) -> bool:
    if isinstance(parameter, Scale | Scales):
        multiplier, shift = np.asarray(parameter.multiplier, np.int64), np.asarray(parameter.shift, np.int64)
        return bool(((multiplier >= INT32_MIN) & (multiplier <= INT32_MAX)).all()
                    and ((shift >= SHIFT_MIN) & (shift <= SHIFT_MAX)).all())
    if isinstance(parameter, Clamp):
        return all(-128 <= n <= 127 for n in (parameter.zero_point, parameter.low, parameter.high))
    return isinstance(parameter, np.ndarray) and parameter.shape == (256,) and parameter.dtype == np.int8


def _hold(condition: bool, received: str, expected: str) -> None:
    if not condition:
        raise CheckFailed("FG-OP-70", received, expected=expected, fix="report this: the compiler has a defect")


def _name(graph: Graph, value: int) -> str:
    return f"{value} {graph.values[value].name!r}" if value in graph.values else f"{value}, which does not exist"
