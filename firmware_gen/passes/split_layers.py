"""A Dense layer whose readers take slices of its outputs -> one layer a slice.

    a, b = split(Dense(x, w))   ->   a = Dense(x, w[:n]), b = Dense(x, w[n:])

The codes are those of the one layer: an output depends on its own row of weights only. It costs
one more pass over x. In return no slice is left between a layer and its activation (GLU), each
part can be dropped when it has been read (queries, keys and values), and outputs that nobody
reads are not computed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from firmware_gen.ir.graph import Graph, Node, Value
from firmware_gen.ir.ops.base import Op, Scales, Shape
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.ir.ops.movement import Slice
from firmware_gen.passes.rewriting import Change, everywhere, merged_origin

MIN_OUTPUTS = 4  # a layer of fewer outputs costs more to read its input than to compute


def split_layers(graph: Graph) -> Graph:
    """Split Dense layers of which only slices of the outputs are read, each output by one slice at most."""
    return everywhere(graph, _split)


def _split(graph: Graph, node: Node) -> Change | None:
    if not isinstance(node.op, Dense) or node.output in graph.outputs:
        return None
    parts = graph.consumers(node.output)
    rows = [_outputs(part.op, graph.values[node.output].shape) for part in parts]
    if any(row is None or row.size < MIN_OUTPUTS for row in rows):
        return None
    taken = np.concatenate([row for row in rows if row is not None])
    if np.unique(taken).size != taken.size:
        return None
    # The ids of the weights of all parts are new; the outputs are those of the slices.
    values: list[Value] = []
    nodes = []
    for part, row in zip(parts, rows, strict=True):
        assert row is not None
        constants = [replace(_rows(graph.values[i], row), id=graph.new_id() + len(values) + offset)
                     for offset, i in enumerate(node.inputs[1:])]
        values += constants
        op = replace(node.op, scales=_scales(node.op.scales, row), output_shape=graph.values[part.output].shape)
        inputs = (node.inputs[0], *(value.id for value in constants))
        nodes.append(Node(op, inputs, part.outputs, merged_origin(node, part)))
    return Change({node: tuple(nodes), **dict.fromkeys(parts, ())}, tuple(values))


def _outputs(op: Op, shape: Shape) -> np.ndarray | None:
    """Which outputs a slice takes, of all rows; ``None`` for anything else."""
    if not isinstance(op, Slice) or op.output_shape[:-1] != shape[:-1]:
        return None
    if any(step != 1 and size > 1 for step, size in zip(op.step[:-1], shape[:-1], strict=True)):
        return None
    return op.begin[-1] + op.step[-1] * np.arange(op.output_shape[-1])


def _rows(value: Value, rows: np.ndarray) -> Value:
    assert value.data is not None
    data = np.ascontiguousarray(value.data[rows])
    return replace(value, shape=data.shape, data=data)


def _scales(scales: Scales, rows: np.ndarray) -> Scales:
    def of(array: np.ndarray) -> np.ndarray:
        return np.asarray(array) if np.size(array) == 1 else np.ascontiguousarray(np.asarray(array)[rows])
    return Scales(of(scales.multiplier), of(scales.shift))
