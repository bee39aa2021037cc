"""Functions of one code -> one Lookup, however many operators they are.

    Binary(x, constant of one element)      ->  Lookup(x)
    Binary(f(x), g(x)), for example Swish   ->  Lookup(x)        f, g: Lookups or x itself
    Lookup(Lookup(x))                       ->  Lookup(x)        the inner one is read by nobody else
    Lookup(x) that changes no code          ->  x
"""

from __future__ import annotations

import numpy as np

from firmware_gen.ir.graph import Graph, Node
from firmware_gen.ir.ops.binary import Binary
from firmware_gen.ir.ops.lookup import Lookup
from firmware_gen.ir.ops.movement import Reshape
from firmware_gen.passes.rewriting import Change, bypass, everywhere, merged_origin, new_value

CODES = np.arange(-128, 128).astype(np.int8)
CODES.flags.writeable = False


def unary_chains(graph: Graph) -> Graph:
    """Collapse every element-wise function of one code into one table."""
    return everywhere(graph, _collapse)


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """The table of ``outer[inner[x]]``."""
    return outer[inner.astype(np.intp) + 128]


def _collapse(graph: Graph, node: Node) -> Change | None:
    if isinstance(node.op, Lookup):
        return _lookup(graph, node, node.op)
    return _function_of_one(graph, node, node.op) if isinstance(node.op, Binary) else None


def _lookup(graph: Graph, node: Node, op: Lookup) -> Change | None:
    if np.array_equal(op.table, CODES):
        return bypass(graph, node, node.inputs[0])
    inner = graph.producer(node.inputs[0])
    if inner is None or not isinstance(inner.op, Lookup) or not graph.is_private(node.inputs[0]):
        return None
    both = Lookup(compose(op.table, inner.op.table), f"{inner.op.what}, {op.what}")
    return Change({node: (Node(both, inner.inputs, node.outputs, merged_origin(inner, node)),)})


def _function_of_one(graph: Graph, node: Node, op: Binary) -> Change | None:
    """A Binary whose inputs derive by Lookups from one and the same value, or are constants of one element."""
    chains = {i: _chain(graph, i) for i in node.inputs if not _is_scalar(graph, i)}
    first = next(iter(chains.values()), [])
    root = next((i for i in first if all(i in chain for chain in chains.values())), None)
    if root is None or graph.values[root].is_constant:
        return None
    passed = {step: lookup for chain in chains.values() for step in chain[:chain.index(root)]
              if (lookup := graph.producer(step)) is not None}
    arguments = []
    for i in node.inputs:
        data = graph.values[i].data
        table = CODES if data is None else data.reshape(1)
        for step in reversed(chains[i][:chains[i].index(root)] if i in chains else []):
            (table,) = passed[step].op.evaluate(table)
        arguments.append(table)
    names = dict.fromkeys(lookup.op.what for lookup in passed.values() if isinstance(lookup.op, Lookup))
    collapsed = Lookup(op.evaluate(*arguments)[0], ", ".join((*names, op.kind.upper())))
    return _of_root(graph, node, collapsed, root, merged_origin(*passed.values(), node))


def _of_root(graph: Graph, node: Node, op: Lookup, root: int, origin: tuple[str, ...]) -> Change:
    """A Lookup of the root in place of the node; a constant of more dimensions may have added some of size 1."""
    shape = graph.values[node.output].shape
    if shape == graph.values[root].shape:
        return Change({node: (Node(op, (root,), node.outputs, origin),)})
    middle = new_value(graph, node.output, graph.values[root].shape)
    return Change({node: (Node(op, (root,), (middle.id,), origin),
                          Node(Reshape(shape), (middle.id,), node.outputs, origin))}, (middle,))


def _chain(graph: Graph, value: int) -> list[int]:
    """The value, what the Lookup reads that computes it, and so on."""
    chain = [value]
    while (node := graph.producer(chain[-1])) is not None and isinstance(node.op, Lookup):
        chain.append(node.inputs[0])
    return chain


def _is_scalar(graph: Graph, value: int) -> bool:
    return graph.values[value].is_constant and graph.values[value].elements == 1

