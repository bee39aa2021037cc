"""What the passes have in common: a change of the graph, and how a rule is tried at every node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from firmware_gen.ir.graph import Graph, Node, Value
from firmware_gen.ir.ops.base import Op, Shape
from firmware_gen.ir.ops.binary import Binary
from firmware_gen.ir.ops.elementwise import Elementwise
from firmware_gen.ir.ops.lookup import Lookup

POINTWISE = (Binary, Elementwise, Lookup)


@dataclass(frozen=True, eq=False)
class Change:
    """Nodes that give way to others (in the same place), new or changed values, and readers that turn to another value.

    A node that nobody needs any more afterwards is dropped; its reader need not say so.
    """

    nodes: Mapping[Node, tuple[Node, ...]] = field(default_factory=dict)
    values: tuple[Value, ...] = ()
    aliases: Mapping[int, int] = field(default_factory=dict)

    def applied_to(self, graph: Graph) -> Graph:
        """The graph with the change made, without the nodes that it makes useless."""
        nodes = [new for old in graph.nodes for new in self.nodes.get(old, (old,))]
        if self.aliases:
            nodes = [self._turned(node) for node in nodes]
        return without_unused_nodes(graph.with_nodes(nodes, self.values))

    def _turned(self, node: Node) -> Node:
        inputs = tuple(self.aliases.get(i, i) for i in node.inputs)
        return node if inputs == node.inputs else replace(node, inputs=inputs)


Rule = Callable[[Graph, Node], Change | None]


def everywhere(graph: Graph, rule: Rule) -> Graph:
    """Try a rule at every node, in their order, until it finds nothing at any; the same graph where it never does."""
    settled = None
    while settled is not graph:
        settled = graph
        position = 0
        while position < len(graph.nodes):
            change = rule(graph, graph.nodes[position])
            if change is None:
                position += 1
                continue
            before = len(graph.nodes)
            graph = change.applied_to(graph)
            position = max(0, position - max(0, before - len(graph.nodes)))
    return graph


def without_unused_nodes(graph: Graph) -> Graph:
    """The graph without nodes whose results nobody reads; the same graph if there are none."""
    needed = set(graph.outputs)
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(node.outputs):
            needed.update(node.inputs)
            kept.append(node)
    return graph if len(kept) == len(graph.nodes) else graph.with_nodes(reversed(kept))


def bypass(graph: Graph, node: Node, value: int) -> Change | None:
    """Drop a node whose output holds the same codes in the same shape as ``value``.

    The output of a model must stay a value of its own: there the producer of ``value`` takes over
    the name, and where that cannot be the node stays.
    """
    if node.output not in graph.outputs:
        return Change({node: ()}, aliases={node.output: value})
    producer = graph.producer(value)
    if producer is None or value in graph.outputs:
        return None
    return Change({node: (), producer: (replace(producer, outputs=(node.output,)),)}, aliases={value: node.output})


def only_input(graph: Graph, node: Node) -> Node | None:
    """The node that computes the first input for this node alone."""
    value = node.inputs[0]
    return graph.producer(value) if graph.is_private(value) else None


def merged_origin(*nodes: Node) -> tuple[str, ...]:
    """The operators that several nodes stand for, each once, in their order."""
    return tuple(dict.fromkeys(name for node in nodes for name in node.origin))


def new_value(graph: Graph, like: int, shape: Shape, *, after: int = 0) -> Value:
    """A value that is not in the graph yet, named after another. ``after`` counts those made in the same change."""
    model = graph.values[like]
    return Value(graph.new_id() + after, model.name, tuple(shape), model.dtype, model.scale, model.zero_point)


def shapes_of(graph: Graph, values: Iterable[int]) -> list[Shape]:
    """Shapes of values."""
    return [graph.values[i].shape for i in values]


def fits(op: Op, shapes: Iterable[Shape], output: Shape) -> bool:
    """Whether an operation takes inputs of these shapes and gives the output shape."""
    try:
        return op.infer(list(shapes)) == (output,)
    except ValueError:
        return False


def keeps_order(permutation: tuple[int, ...], shape: Shape) -> bool:
    """Whether a Transpose leaves all dimensions of more than one element in their order."""
    long = [i for i in permutation if shape[i] > 1]
    return long == sorted(long)
