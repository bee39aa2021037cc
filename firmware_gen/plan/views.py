"""Movement without copies: values that are another value's bytes under other strides.

Values joined by movement nodes form a *family* with one buffer. One of them, the root, is packed in
it; the strides of the others follow, forwards (a Transpose of the root) or backwards (what is
reshaped into the root). A node becomes a view where some choice of the root suits every reader and
writer of the family; where none does, it stays as a copy.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware_gen.ir.graph import Graph, Node
from firmware_gen.ir.ops.movement import Concatenate, Reshape, Slice, Transpose
from firmware_gen.plan.domain import MOVEMENT, Layouts, domains
from firmware_gen.plan.program import Placement
from firmware_gen.plan.strides import Ints, dense, reshape

Place = tuple[int, Ints]  # offset and strides


@dataclass(frozen=True)
class Views:
    """Layouts of all run-time values, and the nodes (by position in the graph) that nothing has to be done for.

    A layout's buffer is the id of the family's root.
    """

    layouts: Layouts
    viewed: frozenset[int]


def find_views(graph: Graph, *, only_reshapes: bool = False) -> Views:
    """Views wherever they suit, decided node by node in the graph's order."""
    search = _Search(graph)
    for position, node in enumerate(graph.nodes):
        if isinstance(node.op, Reshape if only_reshapes else MOVEMENT):
            search.consider(position, node)
    return Views(search.layouts, frozenset(search.viewed))


class _Search:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.viewed: set[int] = set()
        self.layouts: dict[int, Placement] = {
            i: Placement(i, 0, dense(value.shape)) for i, value in graph.values.items() if not value.is_constant}

    def consider(self, position: int, node: Node) -> None:
        """Make the node a view if that is possible."""
        if any(self.graph.values[i].is_constant for i in node.inputs):
            return
        joined = {self.layouts[i].buffer for i in (*node.inputs, *node.outputs)}
        members = sorted(i for i, layout in self.layouts.items() if layout.buffer in joined)
        links = [n for at, n in enumerate(self.graph.nodes) if (at in self.viewed or at == position)
                 and not joined.isdisjoint({self.layouts[i].buffer for i in n.outputs})]
        before = dict(self.layouts)
        self.viewed.add(position)
        for root in sorted(members, key=lambda i: (-self.graph.values[i].byte_size, i)):
            places = spread(self.graph, links, root)
            if places is None or set(places) != set(members):
                continue
            self.layouts.update({i: Placement(root, *place) for i, place in places.items()})
            if self._is_sound(members, root):
                return
        self.layouts = before
        self.viewed.discard(position)

    def _is_sound(self, members: list[int], root: int) -> bool:
        """Whether the model's inputs and outputs fill their buffers, and every node can work on the strides."""
        graph = self.graph
        size = graph.values[root].byte_size
        outside = [i for i in members if i in graph.inputs or i in graph.outputs]
        if len(outside) > 1:
            return False
        for i in outside:
            layout, value = self.layouts[i], graph.values[i]
            if layout.offset or layout.strides != dense(value.shape) or value.byte_size != size:
                return False
        for at, node in enumerate(graph.nodes):
            touched = (*node.inputs, *node.outputs)
            if at not in self.viewed and any(i in members for i in touched) and not self._can_run(node):
                return False
        return True

    def _can_run(self, node: Node) -> bool:
        """Whether a node finds loops over its operands; a copy has them, save for a Reshape of strides to strides."""
        if not isinstance(node.op, MOVEMENT):
            return next(domains(self.graph, self.layouts, node), None) is not None
        (source, *_), target = node.inputs, node.output
        if not isinstance(node.op, Reshape) or self.graph.values[source].is_constant:
            return True
        x, y = self.graph.values[source].shape, self.graph.values[target].shape
        return (reshape(x, self.layouts[source].strides, y) or reshape(y, self.layouts[target].strides, x)) is not None


def spread(graph: Graph, links: list[Node], root: int) -> dict[int, Place] | None:
    """Offset and strides of every value that the nodes ``links`` join with the packed ``root``; ``None``: no such."""
    places: dict[int, Place] = {root: (0, dense(graph.values[root].shape))}
    joined: dict[int, list[tuple[Node, int]]] = {}  # nodes by what they join, with the input's position
    for node in links:
        for position, index in enumerate(node.inputs):
            for value in dict.fromkeys((index, node.output)):
                joined.setdefault(value, []).append((node, position))
    pending = [root]
    while pending:
        known = pending.pop()
        for node, position in joined.get(known, ()):
            forwards = known == node.inputs[position]
            other = node.output if forwards else node.inputs[position]
            place = (_forwards if forwards else _backwards)(graph, node, position, places[known])
            if place is None:
                if isinstance(node.op, Concatenate if forwards else Slice):
                    continue  # places nothing in this direction; in the other it does
                return None
            if other not in places:
                places[other] = place
                pending.append(other)
            elif places[other] != place:
                return None
    return places


def _forwards(graph: Graph, node: Node, position: int, place: Place) -> Place | None:
    """Where the output lies if the input lies at ``place``."""
    op, (offset, strides) = node.op, place
    x, y = graph.values[node.inputs[position]].shape, graph.values[node.output].shape
    if isinstance(op, Reshape):
        found = reshape(x, strides, y)
        return None if found is None else (offset, found)
    if isinstance(op, Transpose):
        return offset, tuple(strides[i] for i in op.permutation)
    if isinstance(op, Slice):
        offset += sum(begin * stride for begin, stride in zip(op.begin, strides, strict=True))
        return offset, tuple(step * stride if size != 1 else 0
                             for step, stride, size in zip(op.step, strides, y, strict=True))
    return None


def _backwards(graph: Graph, node: Node, position: int, place: Place) -> Place | None:
    """Where the input lies if the output lies at ``place``."""
    op, (offset, strides) = node.op, place
    x, y = graph.values[node.inputs[position]].shape, graph.values[node.output].shape
    if isinstance(op, Reshape):
        found = reshape(y, strides, x)
        return None if found is None else (offset, found)
    if isinstance(op, Transpose):
        order = dict(zip(op.permutation, strides, strict=True))
        return offset, tuple(order[axis] for axis in range(len(x)))
    if isinstance(op, Concatenate):
        before = sum(graph.values[i].shape[op.axis] for i in node.inputs[:position])
        stride = dense_axis(y, strides, op.axis)
        return offset + before * stride, tuple(s if n != 1 else 0 for s, n in zip(strides, x, strict=True))
    return None


def dense_axis(shape: Ints, strides: Ints, axis: int) -> int:
    """The stride of an axis; of an axis of one element nothing is asked but the first."""
    return strides[axis] if shape[axis] != 1 else 0
