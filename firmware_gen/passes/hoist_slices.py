"""What a Slice leaves out is not computed: the Slice goes before the node that it is the only reader of.

    Slice(f(x, y))        ->  f(Slice(x), Slice(y))      element-wise; Softmax, its last dimension whole
    Slice(Dense(x))       ->  Dense(Slice(x))            rows; of the outputs split_layers takes its part
    Slice(MatMul(a, b))   ->  MatMul(Slice(a), b)        rows
    Slice(Reduce(x))      ->  Reduce(Slice(x))           dimensions that are kept, with size 1 where they are not
    Slice(Transpose(x))   ->  Transpose(Slice(x)), and so for Reshape behind the dimensions that are cut

A classifier that reads one row of its last block (a class token, the last time step) needs the
queries, the feed-forward layers and the normalisation of that row alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from firmware_gen.ir.graph import Graph, Node, Value
from firmware_gen.ir.ops.base import Op, Shape
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.ir.ops.matmul import MatMul
from firmware_gen.ir.ops.movement import Reshape, Slice, Transpose
from firmware_gen.ir.ops.reduce import Reduce
from firmware_gen.ir.ops.softmax import Softmax
from firmware_gen.passes.rewriting import POINTWISE, Change, everywhere, merged_origin, new_value, only_input

Cuts = Mapping[int, tuple[int, int, int]]  # by dimension: begin, step, count


def hoist_slices(graph: Graph) -> Graph:
    """Move Slices that leave something out before the computation of what they read."""
    return everywhere(graph, _hoist)


def _hoist(graph: Graph, node: Node) -> Change | None:
    before = only_input(graph, node)
    if not isinstance(node.op, Slice) or before is None:
        return None
    cuts = _cuts(node.op, graph.values[before.output].shape)
    operands = _operands(graph, before, cuts) if cuts else None
    if operands is None:
        return None
    values: list[Value] = []
    nodes: list[Node] = []
    inputs = []
    for index, wanted in zip(before.inputs, operands, strict=True):
        if not wanted:
            inputs.append(index)
            continue
        source, part = graph.values[index], _slice(graph.values[index].shape, wanted)
        taken = new_value(graph, index, part.output_shape, after=len(values))
        if source.data is not None:
            taken = replace(taken, data=np.ascontiguousarray(part.evaluate(source.data)[0]))
        else:
            nodes.append(Node(part, (index,), (taken.id,), node.origin))
        values.append(taken)
        inputs.append(taken.id)
    layer = Node(_resized(before.op, node.op.output_shape), tuple(inputs), node.outputs, merged_origin(before, node))
    return Change({before: (), node: (*nodes, layer)}, tuple(values))


def _cuts(op: Slice, shape: Shape) -> Cuts | None:
    """Dimensions of which a Slice leaves something out; ``None`` where it turns round one that it takes whole."""
    cuts = {}
    for axis, (size, *taken) in enumerate(zip(shape, op.begin, op.step, op.output_shape, strict=True)):
        if taken[2] != size:
            cuts[axis] = (taken[0], taken[1], taken[2])
        elif size > 1 and taken[1] != 1:
            return None
    return cuts


def _slice(shape: Shape, cuts: Cuts) -> Slice:
    """The Slice that takes everything else whole."""
    begin, step, count = zip(*(cuts.get(axis, (0, 1, size)) for axis, size in enumerate(shape)), strict=True)
    return Slice(begin, step, count)


def _resized(op: Op, shape: Shape) -> Op:
    return replace(op, output_shape=shape) if isinstance(op, Dense | Reduce | Reshape) else op


def _operands(graph: Graph, before: Node, cuts: Cuts) -> tuple[Cuts, ...] | None:
    """What the inputs of a node are cut to, so that its output is; ``None`` where that cannot be."""
    op, shape, x = before.op, graph.values[before.output].shape, graph.values[before.inputs[0]].shape
    last = len(shape) - 1
    if isinstance(op, POINTWISE):
        return tuple(_broadcast(cuts, len(shape), graph.values[i].shape) for i in before.inputs)
    if isinstance(op, Softmax):
        return None if last in cuts else (cuts,)
    if isinstance(op, Transpose):
        return ({op.permutation[axis]: cut for axis, cut in cuts.items()},)
    if isinstance(op, Dense):
        return None if last in cuts or x[:-1] != shape[:-1] else (cuts, *({} for _ in before.inputs[1:]))
    if isinstance(op, MatMul):
        return (cuts, {}) if set(cuts) == {last - 1} and not op.transpose_a and len(x) == len(shape) else None
    if isinstance(op, Reduce):
        kept = [axis for axis in range(len(x)) if len(x) == len(shape) or axis not in op.axes]
        return ({kept[axis]: cut for axis, cut in cuts.items()},)
    return _through_reshape(x, shape, cuts) if isinstance(op, Reshape) else None


def _broadcast(cuts: Cuts, rank: int, shape: Shape) -> Cuts:
    """The cuts of an operand: none of dimensions that it does not have, or that it repeats."""
    missing = rank - len(shape)
    return {axis - missing: cut for axis, cut in cuts.items() if axis >= missing and shape[axis - missing] != 1}


def _through_reshape(source: Shape, shape: Shape, cuts: Cuts) -> tuple[Cuts] | None:
    """The dimensions of the source that are those of the result: as many elements, before them as many too."""
    places = {(math.prod(source[:axis]), size): axis for axis, size in enumerate(source)}
    found = {places.get((math.prod(shape[:axis]), shape[axis])): cut for axis, cut in cuts.items()}
    return None if None in found else ({axis: cut for axis, cut in found.items() if axis is not None},)
