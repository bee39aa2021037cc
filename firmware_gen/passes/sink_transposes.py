"""Transposes after element-wise nodes and reductions, not before: these work in the order in which x lies.

    f(Transpose(x), Transpose(y), constant, [N])  ->  Transpose(f(x, y, constant', Reshape([N])))
    Reduce(Transpose(x))                          ->  Reshape(Reduce(x)), over the same dimensions

Two Transposes that cancel each other meet that way. Keras' LayerNormalization is an example: it
normalises columns of a transposed tensor, and what is left of it here are rows.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from firmware_gen.ir.graph import Graph, Node, Value
from firmware_gen.ir.ops.base import Shape
from firmware_gen.ir.ops.movement import Reshape, Transpose
from firmware_gen.ir.ops.reduce import Reduce
from firmware_gen.passes.rewriting import POINTWISE, Change, everywhere, keeps_order, merged_origin, new_value


def sink_transposes(graph: Graph) -> Graph:
    """Move Transposes that only element-wise nodes and reductions read behind them."""
    return everywhere(graph, _sink)


def _sink(graph: Graph, node: Node) -> Change | None:
    if isinstance(node.op, Reduce):
        return _reduce(graph, node, node.op)
    if not isinstance(node.op, POINTWISE):
        return None
    shape = graph.values[node.output].shape
    for value in node.inputs:
        permutation = _permutation(graph, value)
        if permutation is not None and graph.values[value].shape == shape:
            return _pointwise(graph, node, permutation)
    return None


def _permutation(graph: Graph, value: int) -> tuple[int, ...] | None:
    """That of the Transpose that gives the value, if its readers can do without."""
    before = graph.producer(value)
    if before is None or not isinstance(before.op, Transpose) or value in graph.outputs:
        return None
    if not all(isinstance(reader.op, (*POINTWISE, Reduce)) for reader in graph.consumers(value)):
        return None
    return before.op.permutation


def _pointwise(graph: Graph, node: Node, permutation: tuple[int, ...]) -> Change | None:
    inverse = tuple(permutation.index(i) for i in range(len(permutation)))
    values: list[Value] = []
    nodes: list[Node] = []
    inputs: list[int] = []
    for value in node.inputs:
        before = graph.producer(value)
        if before is not None and _permutation(graph, value) == permutation:
            inputs.append(before.inputs[0])
            continue
        turned = _turned(graph.values[value], inverse, graph.new_id() + len(values))
        if turned is None:
            return None
        values.append(turned)
        inputs.append(turned.id)
        if not turned.is_constant:
            nodes.append(Node(Reshape(turned.shape), (value,), (turned.id,), node.origin))
    shape = graph.values[node.output].shape
    middle = new_value(graph, node.output, tuple(shape[i] for i in inverse), after=len(values))
    nodes += [Node(node.op, tuple(inputs), (middle.id,), node.origin),
              Node(Transpose(permutation), (middle.id,), node.outputs, node.origin)]
    return Change({node: tuple(nodes)}, (*values, middle))


def _turned(value: Value, order: tuple[int, ...], new_id: int) -> Value | None:
    """An operand that broadcasts, with its dimensions in another order; ``None`` where that takes more than a name."""
    whole: Shape = (1,) * (len(order) - len(value.shape)) + value.shape
    if value.data is None and not keeps_order(order, whole):
        return None
    data = None if value.data is None else np.ascontiguousarray(value.data.reshape(whole).transpose(order))
    return replace(value, id=new_id, shape=tuple(whole[i] for i in order), data=data)


def _reduce(graph: Graph, node: Node, op: Reduce) -> Change | None:
    permutation = _permutation(graph, node.inputs[0])
    before = graph.producer(node.inputs[0])
    if permutation is None or before is None:
        return None
    shape = graph.values[before.inputs[0]].shape
    axes = tuple(sorted(permutation[axis] for axis in op.axes))
    reduced = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    if not keeps_order(permutation, reduced):
        return None
    # Dimensions of one element do not count: without them what is reduced are neighbours.
    axes = tuple(axis for axis in axes if shape[axis] != 1) or axes[:1]
    middle = new_value(graph, node.output, reduced)
    rows = Node(replace(op, axes=axes, output_shape=reduced), before.inputs, (middle.id,), merged_origin(before, node))
    named = Node(Reshape(op.output_shape), (middle.id,), node.outputs, node.origin)
    return Change({node: (rows, named)}, (middle,))
