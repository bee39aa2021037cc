"""Make a converted file depend only on its model: layer names, buffers in order, no metadata.

The converter names tensors after its own rewrites, numbers buffers as it meets them and adds
metadata of its version; none of that is part of the model, and some of it changes between runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tfser.convert.compact import pack

INPUT_NAME = "features"
OUTPUT_NAME = "logits"

_OPERATORS = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
# Their weights belong to one layer, whatever else the converter fused into the operator.
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def parse(content: bytes) -> Any:
    """The schema's ``ModelT`` object tree of a ``.tflite`` file."""
    return schema.ModelT.InitFromPackedBuf(content, 0)


def operator_name(model: Any, operator: Any) -> str:
    """An operator's name in the schema, such as ``CONV_2D``."""
    return _OPERATORS[model.operatorCodes[operator.opcodeIndex].builtinCode]


def canonicalise(content: bytes, layers: Sequence[str]) -> bytes:
    """Rewrite a ``.tflite`` file in canonical form; the numbers in it stay as they are.

    Parameters
    ----------
    content : bytes
        A file from the TFLite converter, one subgraph.
    layers : sequence of str
        Names of the model's layers, in their order; tensors are named after them.

    Returns
    -------
    content : bytes
        Canonical already: a second call changes nothing.
    """
    model = parse(content)
    model.description = model.metadata = model.metadataBuffer = model.signatureDefs = None
    graph = model.subgraphs[0]
    graph.name = None
    _order_tensors(graph)
    _name_tensors(model, graph, layers)
    _order_buffers(model, graph)
    _order_operator_codes(model, graph)
    return pack(model)


def _order_tensors(graph: Any) -> None:
    """Number tensors in order of first use."""
    order = list(dict.fromkeys([*graph.inputs, *(int(i) for op in graph.operators for i in (*op.inputs, *op.outputs))]))
    order = [index for index in order if index >= 0]
    new = {old: position for position, old in enumerate(order)} | {-1: -1}
    graph.tensors = [graph.tensors[index] for index in order]
    graph.inputs = [new[int(index)] for index in graph.inputs]
    graph.outputs = [new[int(index)] for index in graph.outputs]
    for operator in graph.operators:
        operator.inputs = [new[int(index)] for index in operator.inputs]
        operator.outputs = [new[int(index)] for index in operator.outputs]


def _name_tensors(model: Any, graph: Any, layers: Sequence[str]) -> None:
    """Name activations and weights after their layers.

    A layer's output has the layer's name (``ffn1/activation``); a tensor on the way there adds its
    operator's (``ffn1/activation/logistic``). Weights are ``ffn1/expand/w``. Biases, shapes and
    axes, all int32, have no name: their operator tells what they are, and names take space.
    """
    rank = {name: index for index, name in enumerate(layers)}
    names = _activation_names(model, graph, rank)
    names |= _weight_names(model, graph, rank, names)
    used: set[str] = set()
    for index, tensor in enumerate(graph.tensors):
        tensor.name = _unique(names[index], used) if index in names else None


def _activation_names(model: Any, graph: Any, rank: dict[str, int]) -> dict[int, str]:
    names = dict.fromkeys(graph.inputs, INPUT_NAME) | dict.fromkeys(graph.outputs, OUTPUT_NAME)
    complete: set[str] = set()
    for operator in reversed(graph.operators):  # the last tensor of a layer is its output
        for index in operator.outputs:
            if index not in names:
                layer = layer_of(graph.tensors[index].name.decode(), rank)
                names[index] = f"{layer}/{operator_name(model, operator).lower()}" if layer in complete else layer
                complete.add(layer)
    return names


def _weight_names(model: Any, graph: Any, rank: dict[str, int], activations: dict[int, str]) -> dict[int, str]:
    names: dict[int, str] = {}
    for operator in graph.operators:
        result = activations[operator.outputs[0]]
        for index in operator.inputs:
            tensor = graph.tensors[index]
            if index < 0 or index in activations or index in names or tensor.type == schema.TensorType.INT32:
                continue
            owners = _layers_in(tensor.name.decode(), rank) if operator_name(model, operator) in _WEIGHTED else []
            names[index] = f"{(owners or [result])[0]}/w"
    return names


def layer_of(converter_name: str, rank: dict[str, int]) -> str:
    """The last layer that a tensor's name mentions as the converter left it; without one, that name.

    ``rank`` is the place of each layer in the model, by its name.
    """
    return (_layers_in(converter_name, rank) or [converter_name])[-1]


def _layers_in(converter_name: str, rank: dict[str, int]) -> list[str]:
    """The layers that a tensor's name mentions, in the model's order.

    The converter joins the names of what it fused with ';', each ``model/layer/operation``.
    """
    found = set()
    for segment in converter_name.split(";"):
        parts = segment.split("/")
        prefixes = ("/".join(parts[start:stop]) for start in (0, 1) for stop in range(len(parts), start, -1))
        found |= set(next(([prefix] for prefix in prefixes if prefix in rank), []))
    return sorted(found, key=rank.__getitem__)


def _unique(name: str, used: set[str]) -> str:
    candidate, number = name, 1
    while candidate in used:
        number += 1
        candidate = f"{name}:{number}"
    used.add(candidate)
    return candidate


def _order_buffers(model: Any, graph: Any) -> None:
    """Buffer 0 is the empty one of all activations; equal constants share a buffer."""
    buffers = [schema.BufferT()]
    seen: dict[bytes, int] = {}
    for tensor in graph.tensors:
        data = model.buffers[tensor.buffer].data
        if data is None or len(data) == 0:
            tensor.buffer = 0
            continue
        content = np.asarray(data, np.uint8).tobytes()
        if content not in seen:
            seen[content] = len(buffers)
            buffers.append(model.buffers[tensor.buffer])
        tensor.buffer = seen[content]
    model.buffers = buffers


def _order_operator_codes(model: Any, graph: Any) -> None:
    """Number operator codes in order of first use."""
    order = list(dict.fromkeys(operator.opcodeIndex for operator in graph.operators))
    new = {old: position for position, old in enumerate(order)}
    model.operatorCodes = [model.operatorCodes[index] for index in order]
    for operator in graph.operators:
        operator.opcodeIndex = new[operator.opcodeIndex]
