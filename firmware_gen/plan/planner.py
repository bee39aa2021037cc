"""From a graph to a program: views, steps, buffers, offsets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from firmware_gen.ir.graph import Graph
from firmware_gen.plan.arena import assign
from firmware_gen.plan.check import check, is_replayable
from firmware_gen.plan.document import peak_step
from firmware_gen.plan.liveness import Draft, draft
from firmware_gen.plan.normal import normalise
from firmware_gen.plan.overlap import Known, Overlaps, overlaps
from firmware_gen.plan.program import Program
from firmware_gen.plan.steps import BLOCK, Group, chained_groups, divided, kind_of, single_groups
from firmware_gen.plan.views import Views, find_views
from firmware_gen.target import Core

LARGEST_BLOCK = 16  # rows: beyond it what a block costs no longer counts
TRIES = 6  # at larger blocks
CUTS = 1500  # tries at cuts times buffers: about half a second


def make_program(graph: Graph, core: Core) -> Program:
    """Where and when everything is computed, in as little memory as was found.

    Parameters
    ----------
    graph : Graph
        All int8, as the passes leave it.
    core : Core
        Decides the form of the kernels, and with it the scratch.

    Returns
    -------
    Program
        The same for the same graph.

    Raises
    ------
    CheckFailed
        :mod:`firmware_gen.plan.check` does not agree: a defect of the planner.
    """
    graph = normalise(graph)
    planner = _Planner(graph, find_views(graph), core)
    program, groups = planner.with_cuts(chained_groups(graph, planner.views))
    program = planner.with_larger_blocks(program, groups)
    check(program)
    return program


def make_simple_program(graph: Graph, core: Core) -> Program:
    """The same results without blocks, strides or shared bytes: what the better program is compared with."""
    graph = normalise(graph)
    views = find_views(graph, only_reshapes=True)
    program = _placed(draft(graph, views, single_groups(graph, views), core), {})
    check(program)
    return program


def _placed(made: Draft, shared: Overlaps, enough: int = 0) -> Program:
    found = assign(made.buffers, shared, enough)
    buffers = {i: replace(buffer, offset=found.offsets[i]) for i, buffer in made.buffers.items()}
    return Program(made.graph, made.steps, made.placements, buffers, found.size, found.lower_bound)


@dataclass(frozen=True, eq=False)
class _Planner:
    """Programs of one graph, and what the trial of one teaches about the others."""

    graph: Graph
    views: Views
    core: Core
    known: Known = field(default_factory=dict)

    def placed(self, groups: list[Group], enough: int = 0) -> Program:
        """The program of those steps; ``enough`` as for :func:`firmware_gen.plan.arena.assign`."""
        made = draft(self.graph, self.views, groups, self.core)
        shared = overlaps(made, self.known) if is_replayable(made.graph, made.steps) else {}
        return _placed(made, shared, enough)

    def with_cuts(self, groups: list[Group]) -> tuple[Program, list[Group]]:
        """The program with steps in two where that takes less arena, and its groups.

        Scores of short windows, all of them, may be smaller than the queries and keys that they make useless.
        """
        program = self.placed(groups)
        tries, pending = CUTS // len(program.buffers), _cuts(program, groups)
        while tries > 0 and (chosen := next(pending, None)):
            tries -= 1
            enough = program.arena_bytes - program.arena_bytes // 64
            cut = divided(self.graph, self.views, groups, *chosen)
            if self.placed(cut, enough).arena_bytes <= enough:
                program, groups = self.placed(cut), cut
                pending = _cuts(program, groups)
        return program, groups

    def with_larger_blocks(self, program: Program, groups: list[Group]) -> Program:
        """The program with more rows a block in the steps where that takes no more arena: fewer calls."""
        blocks = {number: LARGEST_BLOCK for number, step in enumerate(program.steps) if BLOCK == step.block < step.rows}
        for _ in range(TRIES):
            if not blocks:
                break
            larger = [replace(group, most=blocks.get(number, BLOCK)) for number, group in enumerate(groups)]
            tried = self.placed(larger, program.arena_bytes)
            if tried.arena_bytes <= program.arena_bytes:
                return replace(tried, lower_bound_bytes=program.lower_bound_bytes)
            blocks = _fewer(tried, blocks, program.arena_bytes)
        return program


def _cuts(program: Program, groups: list[Group]) -> Iterator[tuple[int, int]]:
    """Steps and positions of nodes in them, of each kind of step once: first the steps beside the fullest one."""
    full, seen = peak_step(program), set()
    for number in sorted(range(len(groups)), key=lambda number: (abs(number - full), number)):
        kind = kind_of(program.graph, groups[number])
        if kind not in seen:
            seen.add(kind)
            nodes = [program.graph.nodes[at] for at in groups[number].nodes]
            size = [program.graph.values[node.output].byte_size for node in nodes]
            yield from ((number, at) for at in sorted(range(1, len(nodes)), key=lambda at: (size[at - 1], at)))


def _fewer(tried: Program, blocks: Mapping[int, int], limit: int) -> dict[int, int]:
    """Half of the rows, or no more than there were, in the steps that reach beyond the limit."""
    ends = dict.fromkeys(blocks, 0)
    for buffer in tried.buffers.values():
        for number in range(buffer.first, buffer.last + 1):
            if number in ends:
                ends[number] = max(ends[number], buffer.offset + buffer.size)
    over = {number for number, end in ends.items() if end > limit} or set(blocks)
    halved = {number: block // 2 if number in over else block for number, block in blocks.items()}
    return {number: block for number, block in halved.items() if block > BLOCK}
