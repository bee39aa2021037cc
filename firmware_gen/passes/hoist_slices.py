"""What no Slice takes is not computed: Slices go before the node that they alone read.

    Slice(f(x, y))        ->  f(Slice(x), Slice(y))      element-wise; Softmax, its last dimension whole
    Slice(Dense(x))       ->  Dense(Slice(x))            rows; of the outputs split_layers takes its part
    Slice(MatMul(a, b))   ->  MatMul(Slice(a), b)        rows
    Slice(Conv2D(x))      ->  Conv2D(Slice(x))           positions, with what their windows see; and other windows
    Slice(Reduce(x))      ->  Reduce(Slice(x))           dimensions that are kept, with size 1 where they are not
    Slice(Transpose(x))   ->  Transpose(Slice(x)), and so for Reshape where it leaves a dimension as it is

Of several Slices what lies between their ends is computed. A classifier that reads one row of its
last block (a class token, the last time step) needs the queries, the feed-forward layers and the
normalisation of that row alone, and of causal convolutions what that row depends on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from firmware_gen.ir.graph import Graph, Node, Value
from firmware_gen.ir.ops.base import Op, Shape, Window
from firmware_gen.ir.ops.conv2d import Conv2D
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.ir.ops.depthwise_conv2d import DepthwiseConv2D
from firmware_gen.ir.ops.matmul import MatMul
from firmware_gen.ir.ops.movement import Reshape, Slice, Transpose
from firmware_gen.ir.ops.pool2d import Pool2D
from firmware_gen.ir.ops.reduce import Reduce
from firmware_gen.ir.ops.softmax import Softmax
from firmware_gen.passes.rewriting import POINTWISE, Change, everywhere, new_value

MAX_STRIDE = 255  # of a window; a Slice in larger steps stays behind it
Cuts = Mapping[int, tuple[int, int, int]]  # by dimension: begin, step, count


def hoist_slices(graph: Graph) -> Graph:
    """Compute only what the Slices take that alone read a value."""
    return everywhere(graph, _hoist)


def _hoist(graph: Graph, node: Node) -> Change | None:
    readers = graph.consumers(node.output)
    if not readers or node.output in graph.outputs:
        return None
    parts = [reader.op for reader in readers if isinstance(reader.op, Slice)]
    cuts = _common(parts, graph.values[node.output].shape) if len(parts) == len(readers) else {}
    needed = _needed(graph, node, cuts) if cuts else None
    if needed is None:
        return None
    op, wanted = needed
    values: list[Value] = []
    nodes: list[Node] = []
    inputs = []
    for index, taken in zip(node.inputs, wanted, strict=True):
        if not taken:
            inputs.append(index)
            continue
        source, part = graph.values[index], _slice(graph.values[index].shape, taken)
        values.append(new_value(graph, index, part.output_shape, after=len(values)))
        if source.data is not None:
            values[-1] = replace(values[-1], data=np.ascontiguousarray(part.evaluate(source.data)[0]))
        else:
            nodes.append(Node(part, (index,), (values[-1].id,), readers[0].origin))
        inputs.append(values[-1].id)
    small = new_value(graph, node.output, _slice(graph.values[node.output].shape, cuts).output_shape, after=len(values))
    nodes.append(Node(op, tuple(inputs), (small.id,), node.origin))
    rests = {reader: (Node(_rest(part, cuts), (small.id,), reader.outputs, reader.origin),)
             for reader, part in zip(readers, parts, strict=True)}
    return Change({node: tuple(nodes), **rests}, (*values, small))


def _common(parts: Sequence[Slice], shape: Shape) -> Cuts:
    """The dimensions of which all Slices leave something out, and what they take of them together."""
    cuts = {}
    for axis, size in enumerate(shape):
        taken = {(part.begin[axis], part.step[axis], part.output_shape[axis]) for part in parts}
        ends = [i for begin, step, count in taken for i in (begin, begin + (count - 1) * step)]
        # One Slice in steps has its own; several have what lies between them.
        step = abs(next(iter(taken))[1]) if len(taken) == 1 and len(set(ends)) > 1 else 1
        count = (max(ends) - min(ends)) // step + 1
        if count != size:
            cuts[axis] = (min(ends), step, count)
    return cuts


def _rest(part: Slice, cuts: Cuts) -> Slice:
    """What is left for a Slice to take of the part that is computed."""
    begin, step = list(part.begin), list(part.step)
    for axis, cut in cuts.items():
        begin[axis] = (begin[axis] - cut[0]) // cut[1]
        step[axis] = step[axis] // cut[1] if part.output_shape[axis] != 1 else 1
    return Slice(tuple(begin), tuple(step), part.output_shape)


def _slice(shape: Shape, cuts: Cuts) -> Slice:
    """The Slice that takes everything else whole."""
    begin, step, count = zip(*(cuts.get(axis, (0, 1, size)) for axis, size in enumerate(shape)), strict=True)
    return Slice(begin, step, count)


def _needed(graph: Graph, node: Node, cuts: Cuts) -> tuple[Op, tuple[Cuts, ...]] | None:
    """The operation whose output is cut, and to what its inputs then are; ``None`` where that cannot be."""
    op, shape, x = node.op, graph.values[node.output].shape, graph.values[node.inputs[0]].shape
    result, last = _slice(shape, cuts).output_shape, len(shape) - 1
    others: tuple[Cuts, ...] = tuple({} for _ in node.inputs[1:])
    if isinstance(op, POINTWISE):
        return op, tuple(_broadcast(cuts, len(shape), graph.values[i].shape) for i in node.inputs)
    if isinstance(op, Transpose):
        return op, ({op.permutation[axis]: cut for axis, cut in cuts.items()},)
    if isinstance(op, Dense | Reshape):
        found = _through_reshape(x, shape, cuts) if isinstance(op, Reshape) or last not in cuts else None
        return (replace(op, output_shape=result), (found, *others)) if found is not None else None
    rows = set(cuts) == {last - 1} and isinstance(op, MatMul) and not op.transpose_a and len(x) == len(shape)
    if rows or (isinstance(op, Softmax) and last not in cuts):
        return op, (cuts, *others)
    if isinstance(op, Conv2D | DepthwiseConv2D | Pool2D) and last not in cuts:
        window, seen = _window(op.window, x, cuts)
        return (replace(op, window=window), (seen, *others)) if max(window.stride) <= MAX_STRIDE else None
    if isinstance(op, Reduce):
        kept = [axis for axis in range(len(x)) if len(x) == len(shape) or axis not in op.axes]
        return replace(op, output_shape=result), ({kept[axis]: cut for axis, cut in cuts.items()},)
    return None


def _window(window: Window, image: Shape, cuts: Cuts) -> tuple[Window, Cuts]:
    """The window that visits some positions only, and what these see of the image."""
    stride, padding, output = list(window.stride), list(window.padding), list(window.output)
    seen = dict(cuts)
    for axis in {1, 2} & set(cuts):
        side, (begin, step, count) = axis - 1, cuts[axis]
        first = begin * stride[side] - padding[side]
        last = first + (count - 1) * step * stride[side] + (window.kernel[side] - 1) * window.dilation[side]
        start, end = max(0, first), min(image[axis], last + 1)
        seen[axis] = (start, 1, end - start)
        stride[side], padding[side], output[side] = step * stride[side], start - first, count
    made = Window(window.kernel, (stride[0], stride[1]), window.dilation, (padding[0], padding[1]),
                  (output[0], output[1]))
    return made, {axis: cut for axis, cut in seen.items() if cut[2] != image[axis]}


def _broadcast(cuts: Cuts, rank: int, shape: Shape) -> Cuts:
    """The cuts of an operand: none of dimensions that it does not have, or that it repeats."""
    missing = rank - len(shape)
    return {axis - missing: cut for axis, cut in cuts.items() if axis >= missing and shape[axis - missing] != 1}


def _through_reshape(source: Shape, shape: Shape, cuts: Cuts) -> Cuts | None:
    """The dimensions of the source that are those of the result: as many elements, before them as many too."""
    places = {(math.prod(source[:axis]), size): axis for axis, size in enumerate(source)}
    found = {places.get((math.prod(shape[:axis]), shape[axis])): cut for axis, cut in cuts.items()}
    return None if None in found else {axis: cut for axis, cut in found.items() if axis is not None}
