"""The graph in the form that kernels take: rows that are side by side, runs of reduced dimensions, outputs of nodes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from firmware_gen.ir.graph import Graph, Node, Value
from firmware_gen.ir.ops.matmul import MatMul
from firmware_gen.ir.ops.movement import Reshape, Transpose
from firmware_gen.ir.ops.reduce import Reduce


def normalise(graph: Graph) -> Graph:
    """An equal graph for the planner.

    A MatMul's first operand is not transposed (a Transpose in front, often a view); the dimensions
    that a Reduce takes together are neighbours; every output of the model is computed by a node of
    its own, never an input or a constant.
    """
    form = _Form(graph)
    for node in graph.nodes:
        if isinstance(node.op, MatMul) and node.op.transpose_a:
            form.multiply(node, node.op)
        elif isinstance(node.op, Reduce):
            form.reduce(node, node.op)
        else:
            form.nodes.append(node)
    outputs = tuple(form.output(i) for i in graph.outputs)
    return replace(graph, outputs=outputs).with_nodes(form.nodes, form.values.values())


class _Form:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[Node] = []
        self.values: dict[int, Value] = {}
        self.next_id = graph.new_id()
        self.seen: set[int] = set()

    def value(self, of: Value, shape: tuple[int, ...], data: np.ndarray | None = None) -> int:
        """A new value beside ``of``."""
        value = replace(of, id=self.next_id, shape=shape, data=data)
        self.values[value.id] = value
        self.next_id += 1
        return value.id

    def transpose(self, index: int, permutation: tuple[int, ...], origin: tuple[str, ...]) -> int:
        """``index`` with its dimensions in another order."""
        x = self.graph.values[index]
        shape = tuple(x.shape[i] for i in permutation)
        if x.data is not None:
            return self.value(x, shape, np.ascontiguousarray(x.data.reshape(x.shape).transpose(permutation)))
        result = self.value(x, shape)
        self.nodes.append(Node(Transpose(permutation), (index,), (result,), origin))
        return result

    def multiply(self, node: Node, op: MatMul) -> None:
        rank = len(self.graph.values[node.inputs[0]].shape)
        a = self.transpose(node.inputs[0], (*range(rank - 2), rank - 1, rank - 2), node.origin)
        self.nodes.append(replace(node, op=replace(op, transpose_a=False), inputs=(a, *node.inputs[1:])))

    def reduce(self, node: Node, op: Reduce) -> None:
        x = self.graph.values[node.inputs[0]]
        kept = tuple(axis for axis in range(len(x.shape)) if axis not in op.axes)
        # Dimensions of one element may be counted as reduced: the sum is the same.
        between = [axis for axis in kept if op.axes and op.axes[0] < axis < op.axes[-1]]
        if not op.axes or not between:
            axes, index = op.axes, node.inputs[0]
        elif all(x.shape[axis] == 1 for axis in between):
            axes, index = tuple(range(op.axes[0], op.axes[-1] + 1)), node.inputs[0]
        else:
            index = self.transpose(node.inputs[0], (*kept, *op.axes), node.origin)
            axes = tuple(range(len(kept), len(x.shape)))
        self.nodes.append(replace(node, op=replace(op, axes=axes), inputs=(index,)))

    def output(self, index: int) -> int:
        """``index``, or a copy of it where it is an input, a constant or an output that was named before."""
        value = self.graph.values[index]
        if not (index in self.graph.inputs or value.is_constant or index in self.seen):
            self.seen.add(index)
            return index
        result = self.value(value, value.shape)
        self.nodes.append(Node(Reshape(value.shape), (index,), (result,)))
        return result
