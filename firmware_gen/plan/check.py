"""A second opinion on a plan: the program is replayed with a mark in every byte for the element that lies there.

Shares nothing with what made the plan (liveness, overlap, traffic): addresses come from the
placements alone, and every read must find the very elements that the graph says it reads. Of
kernels it presumes no more than their headers promise. Scratch, and outputs whose inputs are not
yet read, count as overwritten when an event begins.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NoReturn

import numpy as np

from firmware_gen.errors import CheckFailed
from firmware_gen.ir.graph import Graph, Node
from firmware_gen.ir.ops.base import Window
from firmware_gen.ir.ops.binary import Binary
from firmware_gen.ir.ops.conv2d import Conv2D
from firmware_gen.ir.ops.depthwise_conv2d import DepthwiseConv2D
from firmware_gen.ir.ops.elementwise import Elementwise
from firmware_gen.ir.ops.lookup import Lookup
from firmware_gen.ir.ops.matmul import MatMul
from firmware_gen.ir.ops.pool2d import Pool2D
from firmware_gen.ir.ops.softmax import Softmax
from firmware_gen.plan.program import Buffer, Program, Step

NOTHING = -1
NEVER = np.iinfo(np.int64).max
DEFECT = "this is a defect of the memory planner: report it with the model"
LARGEST_VALUE = 1 << 22  # bytes: more than any board's RAM
MOST_EVENTS = 60_000  # about two seconds
KERNEL_ROWS = 4  # that a kernel may have read or written when it is half way through an event


def is_replayable(graph: Graph, steps: Iterable[Step]) -> bool:
    """Whether a program is small enough to be replayed byte by byte; larger ones must not share any bytes."""
    values = {i for step in steps for node in step.nodes for i in (*node.inputs, *node.outputs)}
    events = sum(len(step.nodes) * math.prod(step.outer) * -(-step.rows // KERNEL_ROWS) for step in steps)
    largest = max((graph.values[i].byte_size for i in values if not graph.values[i].is_constant), default=0)
    return largest <= LARGEST_VALUE and events <= MOST_EVENTS


def check(program: Program) -> None:
    """Replay a program and make sure that nothing is overwritten that is still needed.

    What is not replayable is refused if any two buffers that are in use in one step share bytes.

    Raises
    ------
    CheckFailed
        A read would not find its elements, a buffer lies outside of the arena, or an access outside
        of its buffer. A defect of the planner, whatever the model.
    """
    for buffer in program.buffers.values():
        _check_buffer(program, buffer)
    if not is_replayable(program.graph, program.steps):
        _check_apart(program)
        return
    replay = _Replay(program)
    for number, step in enumerate(program.steps):
        _StepReplay(replay, number, step).run()
    for value in program.graph.outputs:
        replay.expect(replay.addresses(value), replay.marks[value], value, "the program")


def _check_buffer(program: Program, buffer: Buffer) -> None:
    inside = 0 <= buffer.offset <= program.arena_bytes - buffer.size
    if not inside or buffer.offset % buffer.alignment:
        raise CheckFailed("FG-PLAN-01", f"{buffer.what} ({buffer.size} bytes) at offset {buffer.offset}",
                          expected=f"a multiple of {buffer.alignment} in an arena of {program.arena_bytes} bytes",
                          fix=DEFECT)


def _moments(program: Program) -> dict[int, list[int]]:
    """When each buffer is in use: a node of a step is a moment; what outlives a block is in use at all of them."""
    width = max((len(step.nodes) for step in program.steps), default=1)
    life: dict[int, list[int]] = {buffer: [-1] for buffer in program.inputs}
    for number, step in enumerate(program.steps):
        start, end = number * width, number * width + len(step.nodes) - 1
        for at, node in enumerate(step.nodes):
            for i in (*node.inputs, *node.outputs):
                if i in program.placements:
                    used = [start + at] if i in step.blocked else [start, end]
                    life.setdefault(program.placements[i].buffer, []).extend(used)
        for at, buffer in step.scratch.items():
            life.setdefault(buffer, []).append(start + at)
        for buffer in step.packed.values():
            life.setdefault(buffer, []).extend([start, end])
    for buffer in program.outputs:
        life.setdefault(buffer, []).append(len(program.steps) * width)
    return life


def _check_apart(program: Program) -> None:
    """No two buffers share bytes while both are needed, from their first write or read to their last."""
    life = _moments(program)
    order = sorted(life, key=lambda i: program.buffers[i].offset)
    for at, i in enumerate(order):
        end = program.buffers[i].offset + program.buffers[i].size
        for j in order[at + 1:]:
            if program.buffers[j].offset >= end:
                break
            if min(life[i]) <= max(life[j]) and min(life[j]) <= max(life[i]):
                raise CheckFailed("FG-PLAN-05", f"{program.buffers[i].what} and {program.buffers[j].what} share bytes",
                                  expected="places of their own while both are needed", fix=DEFECT)


class _Replay:
    """The arena, one mark a byte, and the marks that every value's elements should have."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.arena = np.full(program.arena_bytes, NOTHING, np.int64)
        self.written = np.full(program.arena_bytes, NEVER)  # per event: the element that is written to a byte
        self.next_mark = 0
        self.marks: dict[int, np.ndarray] = {}
        computed = {id(node) for step in program.steps for node in step.nodes}
        graph = program.graph
        for value in graph.inputs:
            self.marks[value] = self.new_marks(graph.values[value].shape)
            self.arena[self.addresses(value)] = self.marks[value]
        for node in graph.nodes:
            if id(node) in computed:
                self.marks[node.output] = self.new_marks(graph.values[node.output].shape)
            else:  # a view: its elements are those of its inputs, moved
                (self.marks[node.output],) = node.op.evaluate(*(self.marks[i] for i in node.inputs))

    def new_marks(self, shape: tuple[int, ...]) -> np.ndarray:
        """Marks that no other element has."""
        count = math.prod(shape)
        self.next_mark += count
        return np.arange(self.next_mark - count, self.next_mark, dtype=np.int64).reshape(shape)

    def addresses(self, value: int) -> np.ndarray:
        """Where the elements lie in the arena; those of a value that exists for a block: of its first block."""
        place, shape = self.program.placements[value], self.program.graph.values[value].shape
        found = np.full(shape, place.offset, np.int64)
        for axis, stride in enumerate(place.strides):
            found += stride * np.arange(shape[axis]).reshape(-1, *(1,) * (len(shape) - 1 - axis))
        return found + self.program.buffers[place.buffer].offset

    def expect(self, at: np.ndarray, marks: np.ndarray, value: int, reader: str) -> None:
        """The elements lie at these addresses now."""
        if not np.array_equal(self.arena[at], marks):
            self.refuse(value, reader)

    def refuse(self, value: int, reader: str) -> NoReturn:
        """Say who would read what is not there."""
        name = self.program.graph.values[value].name
        raise CheckFailed("FG-PLAN-02", f"{reader} would read {name!r} where it is overwritten or not yet written",
                          expected="every element in its place until its last read", fix=DEFECT)

    def inside(self, at: np.ndarray, value: int) -> None:
        """The addresses belong to the value's buffer."""
        buffer = self.program.buffers[self.program.placements[value].buffer]
        if at.size and not buffer.offset <= at.min() <= at.max() < buffer.offset + buffer.size:
            name = self.program.graph.values[value].name
            raise CheckFailed("FG-PLAN-03", f"{name!r} leaves its buffer of {buffer.size} bytes",
                              expected="every element inside",
                              fix=DEFECT)


class _Operand:
    """Addresses and marks of an operand as ``[outer, rows, elements of a row]``, or ``[outer, 1, elements]``."""

    def __init__(self, value: int, at: np.ndarray, marks: np.ndarray, by_row: bool, blocked: bool) -> None:
        self.value, self.at, self.marks, self.by_row, self.blocked = value, at, marks, by_row, blocked

    def part(self, outer: int, rows: slice, block: int) -> tuple[np.ndarray, np.ndarray]:
        """Addresses and marks of some rows; where a value exists for a block, rows count from its start."""
        at = self.at[outer, rows]
        if self.blocked and at.size:
            at = at - (self.at[outer, block, 0] - self.at[outer, 0, 0])
        return at, self.marks[outer, rows]


class _StepReplay:
    def __init__(self, replay: _Replay, number: int, step: Step) -> None:
        self.replay, self.number, self.step = replay, number, step
        self.outer = math.prod(step.outer)
        self.outputs = [self.operand(node.output, replay.program.graph.values[node.output].shape, True)
                        for node in step.nodes]
        self.inputs = [self.operands(node) for node in step.nodes]
        self.packed = {at: replay.new_marks((replay.program.buffers[buffer].size,))
                       for at, buffer in step.packed.items()}

    def operand(self, value: int, shape: tuple[int, ...], by_row: bool) -> _Operand:
        """An operand that is read with the broadcast ``shape``."""
        rows = self.step.rows if by_row else 1
        at, marks = (np.broadcast_to(array, shape).reshape(self.outer, rows, -1)
                     for array in (self.replay.addresses(value), self.replay.marks[value]))
        return _Operand(value, at, marks, by_row, value in self.step.blocked)

    def operands(self, node: Node) -> list[_Operand]:
        """The run-time inputs of a node, those of each row as they are read."""
        values = self.replay.program.graph.values
        shape, found = values[node.output].shape, []
        for position, index in enumerate(node.inputs):
            if values[index].is_constant:
                continue
            own = values[index].shape
            if isinstance(node.op, Binary | Elementwise | Lookup):
                own = shape
            elif isinstance(node.op, MatMul):
                own = (*shape[:-2], *own[-2:])
            found.append(self.operand(index, own, (self.at_of(node), position) not in self.step.whole))
        return found

    def at_of(self, node: Node) -> int:
        return next(at for at, other in enumerate(self.step.nodes) if other is node)

    def run(self) -> None:
        for outer in range(self.outer):
            self.pack(outer)
            for block in range(0, self.step.rows, self.step.block):
                end = min(block + self.step.block, self.step.rows)
                for at, node in enumerate(self.step.nodes):
                    if isinstance(node.op, Binary | Elementwise | Lookup):
                        self.elements(at, outer, slice(block, end), block)
                    else:
                        self.kernel(at, outer, block, end)

    def pack(self, outer: int) -> None:
        """Matrices that are packed when an outer iteration begins."""
        arena, buffers = self.replay.arena, self.replay.program.buffers
        for at, number in self.step.packed.items():
            span = slice(buffers[number].offset, buffers[number].offset + buffers[number].size)
            arena[span] = NOTHING
            for operand in self.inputs[at]:
                if not operand.by_row:
                    self.expect(operand, outer, slice(None), 0, at)
            arena[span] = self.packed[at]

    def expect(self, operand: _Operand, outer: int, rows: slice, block: int, node: int) -> None:
        at, marks = operand.part(outer, rows, block)
        self.replay.inside(at, operand.value)
        self.replay.expect(at, marks, operand.value, f"step {self.number} ({self.step.nodes[node]})")

    def expect_packed(self, node: int) -> None:
        if node in self.packed:
            buffer = self.replay.program.buffers[self.step.packed[node]]
            at = np.arange(buffer.offset, buffer.offset + buffer.size)
            matrix = self.step.nodes[node].inputs[-1]
            self.replay.expect(at, self.packed[node], matrix, f"step {self.number} ({self.step.nodes[node]})")

    def poison_scratch(self, node: int) -> None:
        if node in self.step.scratch:
            buffer = self.replay.program.buffers[self.step.scratch[node]]
            self.replay.arena[buffer.offset:buffer.offset + buffer.size] = NOTHING

    def elements(self, node: int, outer: int, rows: slice, block: int) -> None:
        """An element-wise node: every element is read just before it is written."""
        to, marks = (array.ravel() for array in self.outputs[node].part(outer, rows, block))
        self.replay.inside(to, self.outputs[node].value)
        self.replay.written[to[::-1]] = np.arange(to.size)[::-1]
        for operand in self.inputs[node]:
            self.expect(operand, outer, rows, block, node)
            at = operand.part(outer, rows, block)[0].ravel()
            if np.any(self.replay.written[at] < np.arange(at.size)):
                self.replay.refuse(operand.value, f"step {self.number} ({self.step.nodes[node]})")
        self.replay.written[to] = NEVER
        self.write(node, to, marks)

    def kernel(self, node: int, outer: int, block: int, end: int) -> None:
        """A kernel by its rows (pixels), four at a time; for one that takes the whole image there is one row."""
        for first in range(block, end, KERNEL_ROWS):
            rows = slice(first, min(first + KERNEL_ROWS, end))
            to, marks = self.outputs[node].part(outer, rows, block)
            self.replay.inside(to, self.outputs[node].value)
            self.poison_scratch(node)
            if not self.may_be_in_place(node, to, outer, rows, block):
                self.replay.arena[to] = NOTHING
            self.expect_packed(node)
            for operand in self.inputs[node]:
                if isinstance(self.step.nodes[node].op, Conv2D | Pool2D):
                    self.expect_taps(operand, node, outer, rows)
                elif operand.by_row:
                    self.expect(operand, outer, rows, block, node)
                elif node not in self.packed:  # else it was read when it was packed
                    self.expect(operand, outer, slice(None), block, node)
            self.write(node, to, marks)
            self.poison_scratch(node)

    def write(self, node: int, to: np.ndarray, marks: np.ndarray) -> None:
        self.replay.arena[to] = marks
        self.replay.expect(to, marks, self.outputs[node].value, f"step {self.number} ({self.step.nodes[node]})")

    def may_be_in_place(self, node: int, to: np.ndarray, outer: int, rows: slice, block: int) -> bool:
        """Whether a kernel that promises to work in place is given its output exactly on its input."""
        op = self.step.nodes[node].op
        if not (isinstance(op, Softmax) or (isinstance(op, DepthwiseConv2D) and op.depth_multiplier == 1)):
            return False
        operand = self.inputs[node][0]
        at, _ = operand.part(outer, rows if operand.by_row else slice(None), block)
        return np.array_equal(at, to)

    def expect_taps(self, operand: _Operand, node: int, outer: int, rows: slice) -> None:
        """What some pixels of a convolution or a pool read."""
        op, reader = self.step.nodes[node].op, f"step {self.number} ({self.step.nodes[node]})"
        assert isinstance(op, Conv2D | Pool2D)
        _, height, width, channels = self.replay.program.graph.values[operand.value].shape
        taps = list(_taps(op.window, rows, height, width))
        pixels = np.unique(np.concatenate(taps)) if taps else np.zeros(0, np.int64)
        at, marks = (array[outer].reshape(height * width, channels)[pixels] for array in (operand.at, operand.marks))
        self.replay.inside(at, operand.value)
        self.replay.expect(at, marks, operand.value, reader)


def _taps(window: Window, rows: slice, height: int, width: int) -> Iterator[np.ndarray]:
    """Numbers of the input pixels under the window of each output pixel."""
    for pixel in range(rows.start, rows.stop):
        y, x = divmod(pixel, window.output[1])
        down = y * window.stride[0] - window.padding[0] + np.arange(window.kernel[0]) * window.dilation[0]
        across = x * window.stride[1] - window.padding[1] + np.arange(window.kernel[1]) * window.dilation[1]
        down = down[(down >= 0) & (down < height)]
        across = across[(across >= 0) & (across < width)]
        yield (down[:, None] * width + across).ravel()
