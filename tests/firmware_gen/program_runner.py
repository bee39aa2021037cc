"""Runs a planned program on a byte arena, step by step and block by block, as the generated C does.

Operands are found by the accesses that the C is written from; arithmetic is each operation's
``evaluate``. Scratch, dead buffers and outputs that a kernel may write before it has read its
inputs are filled with noise, so that a plan that loses a byte gives other outputs.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np

from firmware_gen.ir.graph import Graph, Node
from firmware_gen.ir.ops.base import Window
from firmware_gen.ir.ops.conv2d import Conv2D
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.ir.ops.depthwise_conv2d import DepthwiseConv2D
from firmware_gen.ir.ops.matmul import MatMul
from firmware_gen.ir.ops.pool2d import Pool2D
from firmware_gen.ir.ops.reduce import Reduce
from firmware_gen.ir.ops.softmax import Softmax
from firmware_gen.plan.domain import ELEMENTWISE, MOVEMENT, Domain, input_access, output_access, reduces_rows
from firmware_gen.plan.program import Program, Step
from firmware_gen.plan.strides import RowAccess, broadcast, dense

ROWS = 4


def evaluate(graph: Graph, x: np.ndarray) -> np.ndarray:
    """The output of a graph with one input and one output, node by node."""
    known = {i: value.data for i, value in graph.values.items() if value.data is not None}
    known[graph.inputs[0]] = x
    for node in graph.nodes:
        (known[node.output],) = node.op.evaluate(*(known[i] for i in node.inputs))
    return known[graph.outputs[0]]


def run(program: Program, x: np.ndarray, seed: int = 0) -> np.ndarray:
    """The output that the program's C would give for ``x``, both in the arena."""
    return _Machine(program, seed).run(x)


class _Machine:
    def __init__(self, program: Program, seed: int) -> None:
        self.program, self.graph = program, program.graph
        self.rng = np.random.default_rng(seed)
        self.arena = self.noise(program.arena_bytes)

    def noise(self, size: int) -> np.ndarray:
        return self.rng.integers(-128, 128, size).astype(np.int8)

    def spoil(self, buffer: int) -> None:
        place = self.program.buffers[buffer]
        self.arena[place.offset:place.offset + place.size] = self.noise(place.size)

    def run(self, x: np.ndarray) -> np.ndarray:
        graph = self.graph
        self.arena[self.addresses(graph.inputs[0])] = x
        for number, step in enumerate(self.program.steps):
            for outer in itertools.product(*map(range, step.outer)):
                self.iteration(step, outer)
            self.spoil_dead(number)
        return self.arena[self.addresses(graph.outputs[0])]

    def spoil_dead(self, number: int) -> None:
        """Noise into all bytes but those of the buffers that are needed after a step."""
        dead = np.ones(self.arena.size, bool)
        for buffer in self.program.buffers.values():
            last = len(self.program.steps) if buffer.id in self.program.outputs else buffer.last
            if buffer.first <= number < last:
                dead[buffer.offset:buffer.offset + buffer.size] = False
        self.arena[dead] = self.noise(int(dead.sum()))

    def addresses(self, value: int) -> np.ndarray:
        """Where every element of a whole value lies in the arena; of a constant, in its data."""
        shape = self.graph.values[value].shape
        if value not in self.program.placements:
            return np.arange(math.prod(shape)).reshape(shape)
        place = self.program.placements[value]
        terms = np.meshgrid(*(np.arange(n) * s for n, s in zip(shape, place.strides, strict=True)), indexing="ij")
        base = self.program.buffers[place.buffer].offset + place.offset
        return base + sum(terms, np.zeros(shape, np.int64))

    def iteration(self, step: Step, outer: tuple[int, ...]) -> None:
        for at, buffer in step.packed.items():
            self.spoil(buffer)
            self.pack(step, step.nodes[at], buffer, outer)
        for first in range(0, step.rows, step.block):
            count = min(step.block, step.rows - first)
            for value in sorted(step.blocked):
                self.spoil(self.program.placements[value].buffer)
            for at in range(len(step.nodes)):
                _NodeRun(self, step, at, outer, first, count).run()

    def pack(self, step: Step, node: Node, buffer: int, outer: tuple[int, ...]) -> None:
        """The second operand of a MatMul as it is, at the start of the room for its packed form."""
        matrix = self.whole(node, 1, outer, 2)
        assert matrix.size <= self.program.buffers[buffer].size
        offset = self.program.buffers[buffer].offset
        self.arena[offset:offset + matrix.size] = matrix.ravel()

    def whole(self, node: Node, position: int, outer: tuple[int, ...], inside: int) -> np.ndarray:
        """An operand of which an outer iteration reads all, without the dimensions of the loops."""
        value = node.inputs[position]
        data = self.graph.values[value].data
        at = self.part(node, value, outer, inside)
        return self.arena[at] if data is None else np.ascontiguousarray(data).ravel()[at]

    def part(self, node: Node, value: int, outer: tuple[int, ...], inside: int) -> np.ndarray:
        shape = self.graph.values[value].shape
        lead = shape[:len(shape) - inside]
        if isinstance(node.op, MatMul):
            lead = self.graph.values[node.output].shape[:-2]
        place = self.program.placements.get(value)
        strides = dense(shape) if place is None else place.strides
        own = broadcast(shape[:len(shape) - inside], strides[:len(shape) - inside], lead)
        loops = [stride for size, stride in zip(lead, own, strict=True) if size != 1]
        first = self.addresses(value).reshape(-1, *shape[len(shape) - inside:])[0]
        return first + sum(index * stride for index, stride in zip(outer, loops, strict=False))


class _NodeRun:
    """A node on the rows of one block."""

    def __init__(self, machine: _Machine, step: Step, at: int, outer: tuple[int, ...], first: int, count: int) -> None:
        self.machine, self.step, self.at, self.node = machine, step, at, step.nodes[at]
        self.outer, self.first, self.count = outer, first, count
        self.graph, self.placements = machine.graph, machine.program.placements
        self.domain = Domain(step.outer, step.rows)

    def run(self) -> None:
        op = self.node.op
        if isinstance(op, ELEMENTWISE):
            self.elements()
        elif isinstance(op, Dense | Softmax | MatMul | Conv2D | Pool2D) or self.is_row_reduction():
            for first in range(self.first, self.first + self.count, ROWS):
                self.kernel(first, min(ROWS, self.first + self.count - first))
        else:
            self.image()

    def is_row_reduction(self) -> bool:
        return isinstance(self.node.op, Reduce) and reduces_rows(self.graph, self.node)

    def rows(self, value: int, access: RowAccess, first: int, count: int) -> np.ndarray:
        """Addresses ``[count, length]`` of an operand, in the arena or in its constant."""
        start, loops, rows = access.offset, access.outer, np.arange(first, first + count)
        if value in self.step.blocked:
            loops, rows = (), rows - self.first
        start += sum(index * stride for index, stride in zip(self.outer, loops, strict=False))
        if value in self.placements:
            start += self.machine.program.buffers[self.placements[value].buffer].offset
        return start + rows[:, None] * access.row + np.arange(access.length) * access.stride

    def output(self, first: int, count: int) -> np.ndarray:
        access = output_access(self.graph, self.placements, self.node, self.domain)
        assert access is not None
        return self.rows(self.node.output, access, first, count)

    def input(self, position: int, first: int, count: int) -> np.ndarray:
        access = input_access(self.graph, self.placements, self.node, position, self.domain)
        assert access is not None
        return self.rows(self.node.inputs[position], access, first, count)

    def constants(self) -> list[np.ndarray]:
        """Data of the weights and biases."""
        return [data for i in self.node.inputs if (data := self.graph.values[i].data) is not None]

    def elements(self) -> None:
        """Element after element; one that is read after it was written gives noise."""
        memory, to = self.machine.arena, self.output(self.first, self.count)
        operands = []
        for position, value in enumerate(self.node.inputs):
            at = self.input(position, self.first, self.count)
            data = self.graph.values[value].data
            operands.append(np.ascontiguousarray(data).ravel()[at] if data is not None else memory[at])
            if data is None:
                when = {int(byte): number for number, byte in reversed(list(enumerate(to.ravel())))}
                lost = [number for number, byte in enumerate(at.ravel()) if when.get(int(byte), number) < number]
                operands[-1].ravel()[lost] = self.machine.noise(len(lost))
        (memory[to],) = self.node.op.evaluate(*operands)

    def kernel(self, first: int, count: int) -> None:
        """At most four rows."""
        memory, op, to = self.machine.arena, self.node.op, self.output(first, count)
        self.spoil_scratch()
        if isinstance(op, Conv2D | Pool2D):
            self.spoil_outputs(to, None)
            result = self.pixels(first, count)
        else:
            at = self.input(0, first, count)
            self.spoil_outputs(to, at if isinstance(op, Softmax) else None)
            x = memory[at]
            if isinstance(op, MatMul):
                (result,) = op.evaluate(x, self.matrix())
            elif isinstance(op, Dense):
                (result,) = replace(op, output_shape=to.shape).evaluate(x, *self.constants())
            elif isinstance(op, Reduce):
                (result,) = replace(op, axes=(1,), output_shape=(count, 1)).evaluate(x)
            else:
                (result,) = op.evaluate(x)
        memory[to] = result.reshape(to.shape)
        self.spoil_scratch()

    def matrix(self) -> np.ndarray:
        shape = self.graph.values[self.node.inputs[1]].shape[-2:]
        if self.at not in self.step.packed:
            return self.constants()[0].reshape(shape)
        offset = self.machine.program.buffers[self.step.packed[self.at]].offset
        return self.machine.arena[offset:offset + math.prod(shape)].reshape(shape)

    def pixels(self, first: int, count: int) -> np.ndarray:
        """Output pixels of a convolution or a pool, from the bytes that are there now."""
        op = self.node.op
        assert isinstance(op, Conv2D | Pool2D)
        image = self.machine.whole(self.node, 0, self.outer, 3)[None]
        found = []
        for pixel in range(first, first + count):
            one, window = _under(image, op, *divmod(pixel, op.window.output[1]))
            (result,) = replace(op, window=window).evaluate(one, *self.constants())
            found.append(result.ravel())
        return np.array(found)

    def image(self) -> None:
        """A kernel that takes all of an outer iteration at once."""
        memory, op, graph = self.machine.arena, self.node.op, self.graph
        inside = {DepthwiseConv2D: 3}.get(type(op))
        shape = graph.values[self.node.output].shape
        if isinstance(op, MOVEMENT):
            reads = [self.machine.addresses(i) for i in self.node.inputs if i in self.placements]
            to = self.machine.addresses(self.node.output)
        elif inside:
            reads = [self.machine.part(self.node, self.node.inputs[0], self.outer, inside)[None]]
            to = self.machine.part(self.node, self.node.output, self.outer, inside)[None]
        else:
            assert isinstance(op, Reduce)
            kept = min(op.axes, default=0)
            given = graph.values[self.node.inputs[0]].shape
            reads = [self.machine.part(self.node, self.node.inputs[0], self.outer, len(given) - kept)]
            to = self.output(0, 1)
            op = replace(op, axes=tuple(axis - kept for axis in op.axes),
                         output_shape=(*(1 for _ in op.axes), *given[op.axes[-1] + 1:]))
        self.spoil_scratch()
        able = isinstance(op, DepthwiseConv2D) and op.depth_multiplier == 1
        self.spoil_outputs(to, reads[0] if able and reads[0].shape == to.shape else None)
        found = iter(memory[at] for at in reads)
        arguments = [graph.values[i].data if graph.values[i].is_constant else next(found) for i in self.node.inputs]
        (result,) = op.evaluate(*arguments)
        memory[to] = result.reshape(to.shape)
        assert math.prod(shape) >= to.size
        self.spoil_scratch()

    def spoil_scratch(self) -> None:
        if self.at in self.step.scratch:
            self.machine.spoil(self.step.scratch[self.at])

    def spoil_outputs(self, to: np.ndarray, in_place: np.ndarray | None) -> None:
        if in_place is None or not np.array_equal(to, in_place):
            self.machine.arena[to] = self.machine.noise(to.size).reshape(to.shape)


def _under(image: np.ndarray, op: Conv2D | Pool2D, y: int, x: int) -> tuple[np.ndarray, Window]:
    """The part of an image ``[1, H, W, C]`` from which on an output pixel's taps lie, and a window of that pixel."""
    window = op.window
    starts = [i * stride - before for i, stride, before in zip((y, x), window.stride, window.padding, strict=True)]
    (top, left), ends = [max(0, start) for start in starts], [
        start + (kernel - 1) * dilation + 1
        for start, kernel, dilation in zip(starts, window.kernel, window.dilation, strict=True)]
    return image[:, top:ends[0], left:ends[1]], replace(
        window, output=(1, 1), padding=(max(0, -starts[0]), max(0, -starts[1])))
