"""Make a converted file depend only on its model: layer names, buffers in order, no metadata.

The converter names tensors after its own rewrites, numbers buffers as it meets them and adds
metadata of its version; none of that is part of the model, and some of it changes between runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfser.convert.compact import pack
from tfser.keras import tf  # noqa: F401  (before the schema module, which belongs to TensorFlow)

from tensorflow.lite.python import schema_py_generated as schema  # isort: skip

INPUT_NAME = "features"
OUTPUT_NAME = "logits"


def canonicalise(content: bytes, layers: Sequence[str]) -> bytes:
    """Rewrite a ``.tflite`` file in canonical form.

    Parameters
    ----------
    content : bytes
        A file from the TFLite converter, one subgraph.
    layers : sequence of str
        Names of the model's layers, in their order; tensors are named after them.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    model.description = model.metadata = model.metadataBuffer = model.signatureDefs = None
    graph = model.subgraphs[0]
    graph.name = None
    _name_tensors(graph, layers)
    _order_tensors(graph)
    _order_buffers(model, graph)
    _order_operator_codes(model, graph)
    return pack(model)


def _name_tensors(graph: Any, layers: Sequence[str]) -> None:
    """Activations take their layer's name, constants their consumer's with a suffix."""
    rank = {name: index for index, name in enumerate(layers)}
    inputs, outputs = set(graph.inputs), set(graph.outputs)
    names: dict[int, str] = {}
    for operator in graph.operators:
        layer = ""
        for index in operator.outputs:
            layer = _layer_of(graph.tensors[index].name.decode(), rank)
            names[index] = layer
        for index in operator.inputs:
            if index >= 0 and index not in names and graph.tensors[index].type == schema.TensorType.INT8:
                names[index] = f"{layer}/w"
    used: set[str] = set()
    for index, tensor in enumerate(graph.tensors):
        name = INPUT_NAME if index in inputs else OUTPUT_NAME if index in outputs else names.get(index)
        tensor.name = None if name is None else _unique(name, used)


def _layer_of(converter_name: str, rank: dict[str, int]) -> str:
    """The latest layer that a fused tensor's name mentions (segments are joined with ';')."""
    found = []
    for segment in converter_name.split(";"):
        parts = segment.split("/")
        prefixes = ["/".join(parts[start:stop]) for start in (0, 1) for stop in range(len(parts), start, -1)]
        found += [prefix for prefix in prefixes if prefix in rank][:1]
    return max(found, key=rank.__getitem__) if found else converter_name


def _unique(name: str, used: set[str]) -> str:
    candidate, number = name, 1
    while candidate in used:
        number += 1
        candidate = f"{name}:{number}"
    used.add(candidate)
    return candidate


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
