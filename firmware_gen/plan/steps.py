"""Steps: chains of nodes that run a few rows at a time, so that what is between them exists for a few rows only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from firmware_gen.ir.graph import Graph, Node
from firmware_gen.plan.domain import (
    MOVEMENT,
    Domain,
    Layouts,
    domains,
    input_access,
    output_access,
    row_operands,
    whole_operands,
)
from firmware_gen.plan.views import Views

BLOCK = 4  # rows that the kernels take at a time


@dataclass(frozen=True)
class Group:
    """Nodes (positions in the graph) of one step, its loops, and the families that exist for a block only.

    ``most`` rows make a block where there is more than one node.
    """

    nodes: tuple[int, ...]
    domain: Domain
    blocked: frozenset[int] = frozenset()
    most: int = BLOCK

    @property
    def block(self) -> int:
        """Rows of an iteration."""
        return min(self.most, self.domain.rows) if len(self.nodes) > 1 else self.domain.rows


def single_groups(graph: Graph, views: Views) -> list[Group]:
    """Every node that has something to do, as a step of its own."""
    return [Group((at,), _first(domains(graph, views.layouts, node))) for at, node in enumerate(graph.nodes)
            if at not in views.viewed]


def chained_groups(graph: Graph, views: Views) -> list[Group]:
    """Nodes joined with those whose rows they read, wherever that makes a value exist for a block only."""
    former = _Former(graph, views)
    for at in range(len(graph.nodes)):
        if at not in views.viewed:
            former.add(at)
    groups = [part for nodes in former.groups for part in former.cut(nodes)]
    return _ordered(graph, views, groups)


def divided(graph: Graph, views: Views, groups: list[Group], number: int, at: int) -> list[Group]:
    """The groups with one of them, and all of its kind, in two: nodes before the position ``at``, and the others."""
    former = _Former(graph, views)
    kind = kind_of(graph, groups[number])
    found = []
    for group in groups:
        alike = kind_of(graph, group) == kind
        for nodes in (group.nodes[:at], group.nodes[at:]) if alike else ():
            found += former.cut(list(nodes))
        found += () if alike else (group,)
    return _ordered(graph, views, found)


def kind_of(graph: Graph, group: Group) -> tuple[type, ...]:
    """What the nodes of a group compute, one after the other."""
    return tuple(type(graph.nodes[at].op) for at in group.nodes)


def _first(found: Iterable[Domain]) -> Domain:
    return next(iter(found))


class _Former:
    def __init__(self, graph: Graph, views: Views) -> None:
        self.graph, self.views = graph, views
        self.origins = computed_by(graph, views)
        self.groups: list[list[int]] = []
        self.group_of: dict[int, int] = {}  # node position -> index into groups
        self.before: list[set[int]] = []  # groups that must run before a group
        self.fitting: dict[int, list[Domain]] = {}  # node position -> its domains
        self.touching: dict[int, set[int]] = {}  # family -> positions of the nodes that read or write it
        for at, node in enumerate(graph.nodes):
            if at not in views.viewed:
                for i in (*node.inputs, *node.outputs):
                    self.touching.setdefault(self.family(i), set()).add(at)

    def family(self, value: int) -> int:
        return -1 if self.graph.values[value].is_constant else self.views.layouts[value].buffer

    def sources(self, at: int) -> set[int]:
        """Groups that write what a node reads."""
        return {self.group_of[w] for i in self.graph.nodes[at].inputs for w in self.origins[i]}

    def add(self, at: int) -> None:
        """Put a node into the group whose rows it reads, or into one of its own."""
        sources = self.sources(at)
        for group in sorted(sources, reverse=True):
            others = sources - {group}
            if not any(self.reaches(group, other) for other in others) and self.can_join(at, group):
                self.groups[group].append(at)
                self.before[group] |= others
                break
        else:
            group = len(self.groups)
            self.groups.append([at])
            self.before.append(sources)
        self.group_of[at] = group

    def reaches(self, group: int, other: int) -> bool:
        """Whether ``other`` needs ``group`` to have run."""
        pending, seen = [other], {other}
        while pending:
            for before in self.before[pending.pop()]:
                if before == group:
                    return True
                if before not in seen:
                    seen.add(before)
                    pending.append(before)
        return False

    def shared(self, nodes: Iterable[int]) -> list[Domain]:
        """Domains that all of the nodes fit, in which there is more than one block."""
        found: list[Domain] | None = None
        for at in nodes:
            if at not in self.fitting:
                self.fitting[at] = list(domains(self.graph, self.views.layouts, self.graph.nodes[at]))
            own = self.fitting[at]
            found = own if found is None else [domain for domain in found if domain in own]
        return [domain for domain in found or [] if domain.rows > BLOCK or (domain.outer and domain.size > 1)]

    def can_join(self, at: int, group: int) -> bool:
        """Whether the node can run on the group's blocks: row by row, on rows that are there."""
        node, members = self.graph.nodes[at], self.groups[group]
        if isinstance(node.op, MOVEMENT) or any(isinstance(self.graph.nodes[m].op, MOVEMENT) for m in members):
            return False
        if any(not self.origins[node.inputs[i]].isdisjoint(members) for i in whole_operands(self.graph, node)):
            return False
        return any(self.rows_are_there(node, members, domain) for domain in self.shared([*members, at]))

    def rows_are_there(self, node: Node, members: list[int], domain: Domain) -> bool:
        """Whether what the node reads of the group's results lies, row for row, inside of what the group wrote."""
        for position in row_operands(self.graph, node):
            writers = [self.graph.nodes[m] for m in members if m in self.origins[node.inputs[position]]]
            if not writers:
                continue
            read = input_access(self.graph, self.views.layouts, node, position, domain)
            accesses = [output_access(self.graph, self.views.layouts, writer, domain) for writer in writers]
            if read is None or not any(
                    w is not None and (read.outer, read.row) == (w.outer, w.row) and w.offset <= read.offset
                    and read.end <= w.end for w in accesses):
                return False
        return True

    def cut(self, nodes: list[int]) -> list[Group]:
        """The group in as many parts as there are without making a value that exists for a block only a whole one."""
        found = [domain for domain in self.shared(nodes) if self.is_sound(nodes, domain)] if len(nodes) > 1 else []
        if not found:
            return [self.alone(at) for at in nodes]
        domain = min(found, key=lambda d: (len(d.outer), -d.rows))
        blocked = self.blocked(nodes, domain)
        parts: list[list[int]] = [[]]
        for number, at in enumerate(nodes):
            early = {self.family(self.graph.nodes[m].output) for m in nodes[:number]}
            late = {self.family(i) for m in nodes[number:] for i in self.graph.nodes[m].inputs}
            if number and not early & late & blocked:
                parts.append([])
            parts[-1].append(at)
        return [Group(tuple(part), domain, self.blocked(part, domain)) if len(part) > 1 else self.alone(part[0])
                for part in parts]

    def is_sound(self, nodes: list[int], domain: Domain) -> bool:
        return all(self.rows_are_there(self.graph.nodes[at], nodes[:number], domain)
                   for number, at in enumerate(nodes))

    def alone(self, at: int) -> Group:
        return Group((at,), _first(domains(self.graph, self.views.layouts, self.graph.nodes[at])))

    def blocked(self, nodes: list[int], domain: Domain) -> frozenset[int]:
        """Families that only these nodes touch, with the same stride from row to row in every one."""
        graph = self.graph
        found, outside = set(), {self.family(i) for i in (*graph.inputs, *graph.outputs)}
        for family in sorted({self.family(graph.nodes[at].output) for at in nodes}):
            touching = self.touching[family]
            if family in outside or not touching <= set(nodes) or len(touching) < 2:
                continue
            if self.row_bytes(family, nodes, domain) is not None:
                found.add(family)
        return frozenset(found)

    def row_bytes(self, family: int, nodes: list[int], domain: Domain) -> int | None:
        """Bytes from row to row of a family, where they are the same for all who touch it."""
        return family_row_bytes(self.graph, self.views.layouts, family, [self.graph.nodes[at] for at in nodes], domain)


def family_row_bytes(graph: Graph, layouts: Layouts, family: int, nodes: Iterable[Node], domain: Domain) -> int | None:
    """Bytes from row to row of a family, if those who touch it agree and every row lies inside of them."""
    accesses = []
    for node in nodes:
        if layouts[node.output].buffer == family:
            accesses.append(output_access(graph, layouts, node, domain))
        for position in row_operands(graph, node):
            index = node.inputs[position]
            if not graph.values[index].is_constant and layouts[index].buffer == family:
                accesses.append(input_access(graph, layouts, node, position, domain))
    if not accesses or any(access is None for access in accesses):
        return None
    found = [access for access in accesses if access is not None]
    steps = {access.row for access in found} if domain.rows > 1 else {max(a.end for a in found)}
    row = max(steps)
    agree = len(steps) == 1 and all(a.offset >= 0 and a.end <= row for a in found)
    return row if agree else None


def computed_by(graph: Graph, views: Views) -> dict[int, frozenset[int]]:
    """Positions of the nodes that write the bytes of each value: its own node, or those behind the views."""
    origins: dict[int, frozenset[int]] = {i: frozenset() for i in graph.values}
    for at, node in enumerate(graph.nodes):
        behind = frozenset().union(*(origins[i] for i in node.inputs))
        origins[node.output] = behind if at in views.viewed else frozenset({at})
    return origins


def _ordered(graph: Graph, views: Views, groups: list[Group]) -> list[Group]:
    """The groups in an order in which they can run, the earliest in the graph first."""
    origins = computed_by(graph, views)
    step_of = {at: number for number, group in enumerate(groups) for at in group.nodes}
    needs = [{step_of[w] for at in group.nodes for i in graph.nodes[at].inputs for w in origins[i]} - {number}
             for number, group in enumerate(groups)]
    done: list[int] = []
    waiting = sorted(range(len(groups)), key=lambda number: groups[number].nodes)
    while waiting:
        ready = next(number for number in waiting if needs[number] <= set(done))
        done.append(ready)
        waiting.remove(ready)
    return [groups[number] for number in done]
