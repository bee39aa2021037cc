"""Buffers: one a family of views, one a scratch; how large they are and from when to when they are needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from firmware_gen.ir.graph import Graph
from firmware_gen.plan.domain import Domain, whole_operands
from firmware_gen.plan.program import Buffer, Placement, Step
from firmware_gen.plan.scratch import node_scratch
from firmware_gen.plan.steps import Group, family_row_bytes
from firmware_gen.plan.strides import Ints, split
from firmware_gen.plan.views import Views
from firmware_gen.target import Core

ALIGNMENT = 4  # of values: kernels move words where they can


@dataclass(frozen=True)
class Draft:
    """Everything of a program but the offsets in the arena."""

    graph: Graph
    steps: tuple[Step, ...]
    placements: Mapping[int, Placement]
    buffers: Mapping[int, Buffer]


def draft(graph: Graph, views: Views, groups: list[Group], core: Core) -> Draft:
    """Steps, placements and buffers without offsets."""
    return _Drafter(graph, views, groups, core).draft()


class _Drafter:
    def __init__(self, graph: Graph, views: Views, groups: list[Group], core: Core) -> None:
        self.graph, self.views, self.groups, self.core = graph, views, groups, core
        self.buffers: dict[int, Buffer] = {}
        self.placements: dict[int, Placement] = {}

    def draft(self) -> Draft:
        self.values()
        steps = tuple(self.step(number, group) for number, group in enumerate(self.groups))
        return Draft(self.graph, steps, self.placements, self.buffers)

    def buffer(self, size: int, alignment: int, first: int, last: int, what: str,
               nodes: tuple[int, int] | None = None) -> int:
        number = len(self.buffers)
        self.buffers[number] = Buffer(number, size, alignment, first, last, what, nodes=nodes)
        return number

    def values(self) -> None:
        """A buffer for every family, and the placements in it."""
        families: dict[int, list[int]] = {}
        for i, layout in sorted(self.views.layouts.items()):
            families.setdefault(layout.buffer, []).append(i)
        for family, members in sorted(families.items()):
            number = next((n for n, group in enumerate(self.groups) if family in group.blocked), None)
            if number is None:
                self.whole_family(family, members)
            else:
                self.blocked_family(family, members, number)

    def whole_family(self, family: int, members: list[int]) -> None:
        graph = self.graph
        used = [number for number, group in enumerate(self.groups) for at in group.nodes
                if not set(members).isdisjoint((*graph.nodes[at].inputs, *graph.nodes[at].outputs))]
        first = 0 if not set(members).isdisjoint(graph.inputs) else min(used, default=0)
        last = len(self.groups) - 1 if not set(members).isdisjoint(graph.outputs) else max(used, default=first)
        value = graph.values[family]
        number = self.buffer(value.byte_size, ALIGNMENT, first, last, value.name)
        for i in members:
            layout = self.views.layouts[i]
            self.placements[i] = Placement(number, layout.offset, layout.strides)

    def blocked_family(self, family: int, members: list[int], step: int) -> None:
        """A few rows: strides as in the whole, none for the outer loops."""
        group, graph = self.groups[step], self.graph
        nodes = [graph.nodes[at] for at in group.nodes]
        touching = [n for n, node in enumerate(nodes) if not set(members).isdisjoint((*node.inputs, *node.outputs))]
        row = family_row_bytes(graph, self.views.layouts, family, nodes, group.domain)
        assert row is not None
        number = self.buffer(row * group.block, ALIGNMENT, step, step, graph.values[family].name,
                             (min(touching), max(touching)))
        for i in members:
            layout = self.views.layouts[i]
            strides = _without_outer(graph.values[i].shape, layout.strides, group.domain)
            self.placements[i] = Placement(number, layout.offset, strides)

    def step(self, number: int, group: Group) -> Step:
        nodes = tuple(self.graph.nodes[at] for at in group.nodes)
        scratch, packed = {}, {}
        for position, node in enumerate(nodes):
            need = node_scratch(self.graph, node, group.block, self.core)
            name = self.graph.values[node.output].name
            if need.working:
                scratch[position] = self.buffer(need.working, need.alignment, number, number, f"{name}: scratch",
                                                (position, position))
            if need.packed:
                packed[position] = self.buffer(need.packed, need.alignment, number, number, f"{name}: packed matrix")
        whole = frozenset((position, i) for position, node in enumerate(nodes)
                          for i in whole_operands(self.graph, node))
        blocked = frozenset(i for i, layout in self.views.layouts.items() if layout.buffer in group.blocked)
        return Step(nodes, group.domain.outer, group.domain.rows, group.block, whole, blocked, scratch, packed)


def _without_outer(shape: Ints, strides: Ints, domain: Domain) -> Ints:
    indices = split(shape, domain.outer, domain.rows)
    first = 0 if indices is None else indices[0]
    return (*(0 for _ in shape[:first]), *strides[first:])


