"""A Reshape between two element-wise nodes goes before the first, so that the two can become one loop.

    Reshape(f(x, y))  ->  f(Reshape(x), Reshape(y))      only dimensions of size 1 come or go, and an
                                                         element-wise node alone reads it
"""

from __future__ import annotations

from dataclasses import replace

from firmware_gen.ir.graph import Graph, Node, Value
from firmware_gen.ir.ops.base import Shape
from firmware_gen.ir.ops.movement import Reshape
from firmware_gen.passes.rewriting import POINTWISE, Change, everywhere, only_input


def hoist_reshapes(graph: Graph) -> Graph:
    """Move Reshapes before element-wise nodes towards others that read them."""
    return everywhere(graph, _hoist)


def _hoist(graph: Graph, node: Node) -> Change | None:
    first = only_input(graph, node)
    if not isinstance(node.op, Reshape) or first is None or not isinstance(first.op, POINTWISE):
        return None
    if not graph.is_private(node.output) or not isinstance(graph.consumers(node.output)[0].op, POINTWISE):
        return None
    shape, result = graph.values[first.output].shape, graph.values[node.output].shape
    if [size for size in shape if size != 1] != [size for size in result if size != 1]:
        return None
    values: list[Value] = []
    nodes: list[Node] = []
    inputs = []
    for index in first.inputs:
        value = graph.values[index]
        named = _named(value.shape, shape, result)
        if value.shape == named:
            inputs.append(index)
            continue
        data = None if value.data is None else value.data.reshape(named)
        values.append(replace(value, id=graph.new_id() + len(values), shape=named, data=data))
        inputs.append(values[-1].id)
        if data is None:
            nodes.append(Node(Reshape(named), (index,), (inputs[-1],), node.origin))
    nodes.append(Node(first.op, tuple(inputs), node.outputs, first.origin))
    return Change({first: (), node: tuple(nodes)}, tuple(values))


def _named(operand: Shape, shape: Shape, result: Shape) -> Shape:
    """The shape with which an operand that broadcasts to ``shape`` broadcasts to ``result``."""
    whole = (1,) * (len(shape) - len(operand)) + operand
    sizes = iter([size for size, of in zip(whole, shape, strict=True) if of != 1])
    return tuple(next(sizes) if size != 1 else 1 for size in result)
