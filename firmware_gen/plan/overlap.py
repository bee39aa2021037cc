"""How an input that a step is the last to read may share bytes with what the step writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_gen.ir.graph import Node
from firmware_gen.ir.ops.conv2d import Conv2D
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.ir.ops.depthwise_conv2d import DepthwiseConv2D
from firmware_gen.ir.ops.matmul import MatMul
from firmware_gen.ir.ops.softmax import Softmax
from firmware_gen.plan.domain import ELEMENTWISE
from firmware_gen.plan.liveness import Draft
from firmware_gen.plan.program import Buffer, Step
from firmware_gen.plan.traffic import Clock, first_written, last_read


@dataclass(frozen=True)
class Overlap:
    """Safe distances of a dying buffer from a new one, ``offset(dying) - offset(new)`` in bytes.

    At least ``least``, at most ``most``, or one of ``exact``.
    """

    least: int
    most: int
    exact: tuple[int, ...] = ()

    def allows(self, distance: int) -> bool:
        """Whether the distance is safe."""
        return distance >= self.least or distance <= self.most or distance in self.exact


Overlaps = Mapping[tuple[int, int], Overlap]  # (dying, new)


#: What :func:`overlaps` found, by all that it depends on in one graph.
Known = dict[tuple[Any, ...], Overlap]


def overlaps(made: Draft, known: Known) -> dict[tuple[int, int], Overlap]:
    """Safe distances for every pair of which one dies in the step that begins the other.

    Drafts of one graph differ in few steps: what is ``known`` is not found again, what is found is added.
    """
    found = {}
    for number, step in enumerate(made.steps):
        read = {made.placements[i].buffer for node in step.nodes for i in node.inputs
                if not made.graph.values[i].is_constant}
        written = {made.placements[node.output].buffer for node in step.nodes}
        for x in sorted(read):
            for y in sorted(written):
                dying, new = made.buffers[x], made.buffers[y]
                if x != y and _meet(dying, new, number) and (dying.nodes is not None or x not in written):
                    key = _key(made, step, dying, new)
                    found[x, y] = known[key] = known.get(key) or _overlap(made, step, dying, new)
    return found


def _key(made: Draft, step: Step, dying: Buffer, new: Buffer) -> tuple[Any, ...]:
    """The step's nodes and order of work, where their operands lie, in which of the two, and how large those are."""
    part = {dying.id: "dying", new.id: "new"}
    operands = tuple((value, place.offset, place.strides, part.get(place.buffer)) for node in step.nodes
                     for value in (*node.inputs, node.output) if (place := made.placements.get(value)))
    return step.outer, step.rows, step.block, operands, dying.size, new.size, dying.nodes is not None


def _meet(dying: Buffer, new: Buffer, step: int) -> bool:
    """Whether one is last read in the step and the other first written, both as a whole or both by block."""
    if dying.last != step or new.first != step:
        return False
    if dying.nodes is None or new.nodes is None:
        return dying.nodes is None and new.nodes is None
    return dying.nodes[1] == new.nodes[0]


def _overlap(made: Draft, step: Step, dying: Buffer, new: Buffer) -> Overlap:
    by_block = dying.nodes is not None
    own_order = frozenset(n for n, node in enumerate(step.nodes) if isinstance(node.op, ELEMENTWISE))
    clock = Clock(made, step, own_order, by_block)
    read, written = last_read(clock, dying.id), first_written(clock, new.id)
    least, most = _bounds(read, written)
    if any(_multiplies(made, node, dying, new) for node in step.nodes):
        return Overlap(least, most, ())
    exact = []
    for distance in sorted(_candidates(made, step, dying, new)):
        if not most < distance < least:
            continue
        in_place = {n for n, node in enumerate(step.nodes) if _lies_on_input(made, node, dying, new, distance)}
        if in_place:
            own = Clock(made, step, own_order | in_place, by_block)
            safe = _is_safe(last_read(own, dying.id), first_written(own, new.id), distance)
        else:
            safe = _is_safe(read, written, distance)
        if safe:
            exact.append(distance)
    return Overlap(least, most, tuple(exact))


def _bounds(read: np.ndarray, written: np.ndarray) -> tuple[int, int]:
    """Smallest and largest distance from and to which every distance is safe.

    Byte i of the dying and byte j of the new buffer are one at the distance j - i; that is unsafe
    where i is read at the time at which j is written, or later.
    """
    size = read.size
    j = np.flatnonzero(written != np.iinfo(np.int64).max)
    first = np.searchsorted(np.maximum.accumulate(read), written[j])  # the first i that is read so late
    last = size - 1 - np.searchsorted(np.maximum.accumulate(read[::-1]), written[j])
    least = max((j - first)[first < size], default=-size - written.size)
    most = min((j - last)[last >= 0], default=size + written.size)
    return int(least) + 1, int(most) - 1


def _candidates(made: Draft, step: Step, dying: Buffer, new: Buffer) -> set[int]:
    """Distances at which some input and some output of the step begin at one byte."""
    begins = {made.placements[i].offset for node in step.nodes for i in node.inputs
              if not made.graph.values[i].is_constant and made.placements[i].buffer == dying.id}
    return {made.placements[node.output].offset - begin for node in step.nodes for begin in begins
            if made.placements[node.output].buffer == new.id}


def _lies_on_input(made: Draft, node: Node, dying: Buffer, new: Buffer, distance: int) -> bool:
    """Whether a kernel that can work in place finds its output exactly on its input."""
    able = isinstance(node.op, Softmax) or (isinstance(node.op, DepthwiseConv2D) and node.op.depth_multiplier == 1)
    x, y = made.placements.get(node.inputs[0]), made.placements[node.output]
    if not able or x is None or (x.buffer, y.buffer) != (dying.id, new.id):
        return False
    values = made.graph.values
    same = values[node.inputs[0]].shape == values[node.output].shape and x.strides == y.strides
    return same and distance + x.offset == y.offset


def _multiplies(made: Draft, node: Node, dying: Buffer, new: Buffer) -> bool:
    """Whether a matrix kernel reads rows of one and writes the other: between its rows no byte may be written."""
    if not isinstance(node.op, Dense | MatMul | Conv2D):
        return False
    x = made.placements.get(node.inputs[0])
    return x is not None and (x.buffer, made.placements[node.output].buffer) == (dying.id, new.id)


def _is_safe(read: np.ndarray, written: np.ndarray, distance: int) -> bool:
    """Whether no byte that the buffers share at a distance is written before its last read."""
    first, last = max(0, distance), min(written.size, read.size + distance)
    return first >= last or bool(np.all(written[first:last] > read[first - distance:last - distance]))
