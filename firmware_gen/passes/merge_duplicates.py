"""The same movement or table of the same value twice -> once."""

from __future__ import annotations

from firmware_gen.ir.graph import Graph
from firmware_gen.ir.ops.lookup import Lookup
from firmware_gen.ir.ops.movement import Concatenate, Gather, Pad, Reshape, Slice, Transpose
from firmware_gen.passes.rewriting import Change

_MOVEMENT = (Concatenate, Gather, Pad, Reshape, Slice, Transpose)


def merge_duplicates(graph: Graph) -> Graph:
    """Let readers of a repeated Lookup or movement read the first one."""
    first: dict[object, int] = {}
    aliases: dict[int, int] = {}
    for node in graph.nodes:
        inputs = tuple(aliases.get(i, i) for i in node.inputs)
        if isinstance(node.op, _MOVEMENT):
            key: object = (node.op, inputs)
        elif isinstance(node.op, Lookup):
            key = (node.op.table.tobytes(), inputs)
        else:
            continue
        known = first.setdefault(key, node.output)
        if known != node.output and node.output not in graph.outputs:
            aliases[node.output] = known
    return Change(aliases=aliases).applied_to(graph) if aliases else graph
