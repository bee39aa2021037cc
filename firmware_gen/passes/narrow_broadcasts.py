"""What is the same along an axis is computed once: ``[T, 1] * [C]`` with one number C times -> ``[T, 1]``.

A LayerNorm whose gamma is one code for every channel is an example: gamma / sqrt(variance) and
its product with the mean are then one number a row, and not one an element.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from firmware_gen.ir.graph import Graph, Node, Value
from firmware_gen.ir.ops.base import Shape
from firmware_gen.passes.rewriting import POINTWISE


def narrow_broadcasts(graph: Graph) -> Graph:
    """Shrink constants and results of element-wise nodes along the axes on which all their elements are equal."""
    compact = _compact_shapes(graph)
    if all(compact[i] == value.shape for i, value in graph.values.items()):
        return graph
    narrow, wide = _choose(graph, compact)
    readers = [node for node in graph.nodes if isinstance(node.op, POINTWISE) and node not in wide]
    shrunk = sorted({i for node in readers for i in node.inputs
                     if graph.values[i].is_constant and compact[i] != graph.values[i].shape})
    if not narrow and not shrunk:
        return graph
    values = [replace(graph.values[i], shape=compact[i]) for i in sorted(narrow)]
    # A constant may have other readers, which need all of it.
    constants = {i: _shrunk(graph.values[i], compact[i], graph.new_id() + n) for n, i in enumerate(shrunk)}
    nodes = {node: replace(node, inputs=tuple(constants[i].id if i in constants else i for i in node.inputs))
             for node in readers}
    return graph.with_nodes([nodes.get(node, node) for node in graph.nodes], [*values, *constants.values()])


def _compact_shapes(graph: Graph) -> dict[int, Shape]:
    """For each value the smallest shape that it is a broadcast of, of the same rank."""
    compact = {i: _distinct_axes(value) for i, value in graph.values.items()}
    for node in graph.nodes:
        if isinstance(node.op, POINTWISE):
            compact[node.output] = _broadcast((compact[i] for i in node.inputs), graph.values[node.output].shape)
    return compact


def _choose(graph: Graph, compact: Mapping[int, Shape]) -> tuple[set[int], set[Node]]:
    """Values to narrow, and nodes that need their constants whole.

    Starts with everything narrow and widens what does not fit until all of it does: a reader that
    is not element-wise needs all elements, and a result that is wide needs a wide operand.
    """
    narrow = {node.output for node in graph.nodes if isinstance(node.op, POINTWISE)
              and node.output not in graph.outputs and compact[node.output] != graph.values[node.output].shape}
    wide: set[Node] = set()
    settled = False
    while not settled:
        settled = True
        for node in graph.nodes:
            widened = _too_narrow(graph, node, compact, narrow, wide)
            if widened is not None:
                settled = False
                narrow -= widened
                wide.update(() if widened else (node,))
    return narrow, wide


def _too_narrow(graph: Graph, node: Node, compact: Mapping[int, Shape], narrow: set[int],
                wide: set[Node]) -> set[int] | None:
    """Values that must become wide for a node's sake; the empty set for its constants; ``None`` if all is well."""
    if not isinstance(node.op, POINTWISE):
        return narrow.intersection(node.inputs) or None
    full = graph.values[node.output].shape
    small = [i in narrow or (graph.values[i].is_constant and node not in wide) for i in node.inputs]
    given = _broadcast((compact[i] if narrowed else graph.values[i].shape
                        for i, narrowed in zip(node.inputs, small, strict=True)), full)
    if node.output in narrow:
        return None if given == compact[node.output] else {node.output}
    return None if given == full else narrow.intersection(node.inputs)


def _broadcast(shapes: Iterable[Shape], like: Shape) -> Shape:
    shape = np.broadcast_shapes(*shapes)
    return (1,) * (len(like) - len(shape)) + tuple(shape)


def _distinct_axes(value: Value) -> Shape:
    """The shape of a value; of an int8 constant with size 1 where all elements along an axis are equal."""
    shape = value.shape
    if value.data is not None and value.dtype == "int8":
        for axis in range(len(shape)):
            if (value.data == value.data.take([0], axis=axis)).all():
                shape = (*shape[:axis], 1, *shape[axis + 1:])
    return shape


def _shrunk(value: Value, shape: Shape, new_id: int) -> Value:
    """A constant of the elements that stand for the others."""
    assert value.data is not None
    return replace(value, id=new_id, shape=shape, data=np.ascontiguousarray(value.data[tuple(map(slice, shape))]))
