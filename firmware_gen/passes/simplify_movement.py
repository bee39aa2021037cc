"""Movement that moves nothing, and movement of movement.

    Reshape, Transpose, Slice, Pad, Concatenate that leave all as it is  ->  their input
    Reshape(Reshape(x))              ->  Reshape(x)
    Transpose of dimensions of size 1 among the others  ->  Reshape
    Transpose(Transpose(x))          ->  Transpose(x)
    Gather of evenly spaced indices  ->  Slice (and Reshape)
    Slice(Slice(x))                  ->  Slice(x)
    Slice(Concatenate(x, y, ...))    ->  Slice of the one input that it lies in
    Reshape(Pad(x))                  ->  Pad(Reshape(x)), where only dimensions of size 1 come or go
"""

from __future__ import annotations

from itertools import accumulate

from firmware_gen.ir.graph import Graph, Node
from firmware_gen.ir.ops.base import Op, Shape
from firmware_gen.ir.ops.movement import Concatenate, Gather, Pad, Reshape, Slice, Transpose
from firmware_gen.passes.rewriting import Change, bypass, everywhere, keeps_order, merged_origin, new_value

_MOVEMENT = (Concatenate, Gather, Pad, Reshape, Slice, Transpose)


def simplify_movement(graph: Graph) -> Graph:
    """Drop, merge and turn into simpler kinds what only moves elements."""
    return everywhere(graph, _simplify)


def _simplify(graph: Graph, node: Node) -> Change | None:
    if not isinstance(node.op, _MOVEMENT):
        return None
    shape, result = graph.values[node.inputs[0]].shape, graph.values[node.output].shape
    if _moves_nothing(node.op, shape, result):
        change = bypass(graph, node, node.inputs[0])
        if change is not None:
            return change
    if isinstance(node.op, Gather):
        return _gather(graph, node, node.op)
    if isinstance(node.op, Transpose) and keeps_order(node.op.permutation, shape):
        return _to(node, Reshape(result), node.inputs[0])
    producer = graph.producer(node.inputs[0])
    if producer is None:
        return None
    if isinstance(node.op, Slice) and isinstance(producer.op, Concatenate):
        return _slice_of_concatenation(graph, node, producer)
    if isinstance(node.op, Reshape) and isinstance(producer.op, Pad):
        return _reshape_of_pad(graph, node, producer, producer.op)
    merged = _merge(producer.op, node.op)
    return None if merged is None else _to(node, merged, producer.inputs[0], producer)


def _moves_nothing(op: Op, shape: Shape, result: Shape) -> bool:
    if isinstance(op, Transpose):
        return op.permutation == tuple(range(len(shape)))
    if isinstance(op, Slice):
        return shape == result and all(step == 1 or size == 1 for step, size in zip(op.step, shape, strict=True))
    return shape == result and isinstance(op, Reshape | Pad | Concatenate)


def _merge(first: Op, second: Op) -> Op | None:
    """One operation for two, the second on the result of the first."""
    if isinstance(first, Reshape) and isinstance(second, Reshape):
        return second
    if isinstance(first, Transpose) and isinstance(second, Transpose):
        return Transpose(tuple(first.permutation[i] for i in second.permutation))
    if isinstance(first, Slice) and isinstance(second, Slice):
        begin = tuple(a + b * step for a, b, step in zip(first.begin, second.begin, first.step, strict=True))
        return Slice(begin, tuple(a * b for a, b in zip(first.step, second.step, strict=True)), second.output_shape)
    return None


def _to(node: Node, op: Op, value: int, *before: Node) -> Change:
    return Change({node: (Node(op, (value,), node.outputs, merged_origin(*before, node)),)})


def _gather(graph: Graph, node: Node, op: Gather) -> Change | None:
    steps = {b - a for a, b in zip(op.indices, op.indices[1:], strict=False)} or {1}
    if len(steps) > 1 or 0 in steps:
        return None
    shape, axis = graph.values[node.inputs[0]].shape, op.axis
    taken = (*shape[:axis], len(op.indices), *shape[axis + 1:])
    begin = tuple(op.indices[0] if i == axis else 0 for i in range(len(shape)))
    part = Slice(begin, tuple(steps.pop() if i == axis else 1 for i in range(len(shape))), taken)
    if taken == graph.values[node.output].shape:
        return _to(node, part, node.inputs[0])
    middle = new_value(graph, node.output, taken)
    nodes = (Node(part, node.inputs, (middle.id,), node.origin),
             Node(Reshape(graph.values[node.output].shape), (middle.id,), node.outputs, node.origin))
    return Change({node: nodes}, (middle,))


def _slice_of_concatenation(graph: Graph, node: Node, producer: Node) -> Change | None:
    assert isinstance(node.op, Slice) and isinstance(producer.op, Concatenate)
    axis = producer.op.axis
    ends = (node.op.begin[axis], node.op.begin[axis] + (node.op.output_shape[axis] - 1) * node.op.step[axis])
    sizes = [graph.values[i].shape[axis] for i in producer.inputs]
    for value, size, end in zip(producer.inputs, sizes, accumulate(sizes), strict=True):
        if all(end - size <= i < end for i in ends):
            begin = tuple(b - (end - size) if i == axis else b for i, b in enumerate(node.op.begin))
            return _to(node, Slice(begin, node.op.step, node.op.output_shape), value, producer)
    return None


def _reshape_of_pad(graph: Graph, node: Node, producer: Node, op: Pad) -> Change | None:
    """The Pad last: a convolution that reads it may pad for itself."""
    padded, result = graph.values[producer.output].shape, graph.values[node.output].shape
    if [size for size in padded if size != 1] != [size for size in result if size != 1]:
        return None
    margins = iter([pair for pair, size in zip(zip(op.before, op.after, strict=True), padded, strict=True)
                    if size != 1])
    turned = [next(margins) if size != 1 else (0, 0) for size in result]
    before, after = (tuple(pair[side] for pair in turned) for side in (0, 1))
    inner = tuple(size - low - high for size, low, high in zip(result, before, after, strict=True))
    middle = new_value(graph, producer.inputs[0], inner)
    nodes = (Node(Reshape(inner), producer.inputs, (middle.id,), node.origin),
             Node(Pad(before, after, op.value), (middle.id,), node.outputs, producer.origin))
    return Change({node: nodes}, (middle,))
