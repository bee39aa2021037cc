"""From a graph to a program: views, steps, buffers, offsets."""

from __future__ import annotations

from dataclasses import replace

from firmware_gen.ir.graph import Graph
from firmware_gen.plan.arena import assign
from firmware_gen.plan.check import check
from firmware_gen.plan.liveness import Draft, draft
from firmware_gen.plan.normal import normalise
from firmware_gen.plan.overlap import overlaps
from firmware_gen.plan.program import Program
from firmware_gen.plan.steps import chained_groups, single_groups
from firmware_gen.plan.views import find_views
from firmware_gen.target import Core


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
    views = find_views(graph)
    return _place(draft(graph, views, chained_groups(graph, views), core))


def make_simple_program(graph: Graph, core: Core) -> Program:
    """The same results without blocks, strides or shared bytes: what the better program is compared with."""
    graph = normalise(graph)
    views = find_views(graph, only_reshapes=True)
    return _place(draft(graph, views, single_groups(graph, views), core), may_overlap=False)


def _place(made: Draft, *, may_overlap: bool = True) -> Program:
    found = assign(made.buffers, overlaps(made) if may_overlap else {})
    buffers = {i: replace(buffer, offset=found.offsets[i]) for i, buffer in made.buffers.items()}
    program = Program(made.graph, made.steps, made.placements, buffers, found.size, found.lower_bound)
    check(program)
    return program
