"""When the bytes of a buffer are last read and first written in a step: the times that decide what may overlap.

A time is one int64. Blocks ascend, nodes follow each other inside of a block, kernels take rows four
at a time. For most nodes all writes of such an event come before all of its reads, so that nothing
is presumed of a kernel; element-wise nodes read each element just before they write it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from firmware_gen.ir.graph import Node
from firmware_gen.ir.ops.conv2d import Conv2D
from firmware_gen.ir.ops.matmul import MatMul
from firmware_gen.ir.ops.pool2d import Pool2D
from firmware_gen.plan.domain import ELEMENTWISE, row_operands
from firmware_gen.plan.liveness import Draft
from firmware_gen.plan.program import Step

ROWS = 4  # rows of an event
NEVER_READ = -1
NEVER_WRITTEN = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class Clock:
    """Times of a step's events.

    ``in_order`` are positions of nodes that are taken to read each element just before they write
    it; ``one_block``: only the first block is looked at, as its values see it.
    """

    made: Draft
    step: Step
    in_order: frozenset[int]
    one_block: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """Outer iterations and rows."""
        if self.one_block:
            return 1, self.step.block
        return int(np.prod(self.step.outer, dtype=np.int64)), self.step.rows

    def ticks(self) -> int:
        """Times inside of one event, more than any node needs."""
        most = max(self.made.graph.values[node.output].elements for node in self.step.nodes)
        return 2 * most + 4

    def events(self, position: int) -> np.ndarray:
        """The event in which a node handles each row: int64 ``[outer, rows]``."""
        step = self.step
        outer, rows = self.shape
        row = np.arange(rows, dtype=np.int64)
        blocks, parts = -(-rows // step.block), -(-step.block // ROWS)
        block = np.arange(outer, dtype=np.int64)[:, None] * blocks + row // step.block
        part = 0 if position in self.in_order else row % step.block // ROWS
        return ((block * len(step.nodes) + position) * parts + part) * self.ticks()

    def elements(self, length: int) -> np.ndarray:
        """Number of each element in its block: ``[rows, length]``."""
        row = np.arange(self.shape[1], dtype=np.int64) % self.step.block
        return row[:, None] * length + np.arange(length, dtype=np.int64)


def addresses(made: Draft, value: int) -> np.ndarray:
    """Bytes from the start of the buffer, of every element: int64 of the value's shape."""
    place, shape = made.placements[value], made.graph.values[value].shape
    result = np.full(shape, place.offset, np.int64)
    for axis, (size, stride) in enumerate(zip(shape, place.strides, strict=True)):
        result += (np.arange(size, dtype=np.int64) * stride).reshape(-1, *(1,) * (len(shape) - axis - 1))
    return result


def first_written(clock: Clock, buffer: int) -> np.ndarray:
    """For each byte of a buffer the time of its first write in the step."""
    made = clock.made
    times = np.full(made.buffers[buffer].size, NEVER_WRITTEN, np.int64)
    for position, node in enumerate(clock.step.nodes):
        if made.placements[node.output].buffer == buffer:
            at = _rows(clock, addresses(made, node.output))
            when = clock.events(position)[:, :, None]
            if position in clock.in_order:
                when = when + 2 * clock.elements(at.shape[2]) + 1
            np.minimum.at(times, at.ravel(), np.broadcast_to(when, at.shape).ravel())
    return times


def last_read(clock: Clock, buffer: int) -> np.ndarray:
    """For each byte of a buffer the time of its last read in the step."""
    made = clock.made
    times = np.full(made.buffers[buffer].size, NEVER_READ, np.int64)
    for position, node in enumerate(clock.step.nodes):
        for number, value in enumerate(node.inputs):
            if made.graph.values[value].is_constant or made.placements[value].buffer != buffer:
                continue
            at, when = _reads(clock, position, node, number)
            np.maximum.at(times, at.ravel(), np.broadcast_to(when, at.shape).ravel())
    return times


def _rows(clock: Clock, at: np.ndarray) -> np.ndarray:
    """Addresses as ``[outer, rows, elements of a row]``, of the first block alone where that is asked for."""
    step = clock.step
    result = at.reshape(int(np.prod(step.outer, dtype=np.int64)), step.rows, -1)
    outer, rows = clock.shape
    return result[:outer, :rows]


def _reads(clock: Clock, position: int, node: Node, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Addresses that an operand is read at, and when, of a shape that broadcasts to them."""
    made, value = clock.made, node.inputs[number]
    at = addresses(made, value)
    events, end = clock.events(position), clock.ticks() - 1
    shape = made.graph.values[node.output].shape
    if isinstance(node.op, ELEMENTWISE):
        at = _rows(clock, np.broadcast_to(at, shape))
        return at, events[:, :, None] + 2 * clock.elements(at.shape[2])
    if isinstance(node.op, MatMul):
        at = np.broadcast_to(at, (*shape[:-2], *at.shape[-2:]))
    if number in row_operands(made.graph, node):
        at = _rows(clock, at)
        if position in clock.in_order:
            return at, events[:, :, None] + 2 * clock.elements(at.shape[2])
        return at, events[:, :, None] + end
    if isinstance(node.op, Conv2D | Pool2D) and not clock.one_block:
        return at, _pixel_times(node, events, at.shape)[..., None] + end
    at = at.reshape(int(np.prod(clock.step.outer, dtype=np.int64)), -1)[:clock.shape[0]]
    if position in clock.in_order:
        return at, events[:, :1] + 2 * clock.elements(at.shape[1])
    return at, events[:, -1:] + end


def _pixel_times(node: Node, events: np.ndarray, shape: Collection[int]) -> np.ndarray:
    """The last event in which each pixel of an image ``[B, H, W, C]`` is a tap: ``[B, H, W]``."""
    assert isinstance(node.op, Conv2D | Pool2D)
    window = node.op.window
    batch, height, width, _ = shape
    events = events.reshape(batch, *window.output)
    times = np.full((batch, height, width), NEVER_READ * 2**32, np.int64)
    images = np.arange(batch)
    for ky in range(window.kernel[0]):
        y = np.arange(window.output[0]) * window.stride[0] - window.padding[0] + ky * window.dilation[0]
        for kx in range(window.kernel[1]):
            x = np.arange(window.output[1]) * window.stride[1] - window.padding[1] + kx * window.dilation[1]
            rows, columns = np.flatnonzero((y >= 0) & (y < height)), np.flatnonzero((x >= 0) & (x < width))
            to, of = np.ix_(images, y[rows], x[columns]), np.ix_(images, rows, columns)
            times[to] = np.maximum(times[to], events[of])
    return times
