"""What the C text of one node is written from: its operands as pointers, its constants as names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from firmware_gen.emit.constants import Constants
from firmware_gen.ir.graph import Node, Value
from firmware_gen.ir.ops.base import Clamp, Scale, Scales, Shape
from firmware_gen.plan.domain import Domain, input_access, output_access
from firmware_gen.plan.program import Program, Step
from firmware_gen.plan.strides import RowAccess, broadcast, collapse, dense

INDENT = "    "


@dataclass(frozen=True)
class NodeText:
    """C of one node: declarations in front of all loops, statements once an outer iteration, statements a block.

    ``function`` are the lines of a function that the body calls.
    """

    declarations: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    function: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rows:
    """An operand: C expression of its first row, bytes from row to row, elements of a row and their distance (0, 1)."""

    pointer: str
    stride: int
    length: int
    step: int


@dataclass(frozen=True, eq=False)
class Context:
    """A node in its step."""

    program: Program
    step: Step
    position: int
    constants: Constants
    form: str  # of packed weights: "pairs" or "rows"

    @property
    def name(self) -> str:
        """A C name for what belongs to this node alone."""
        number = next(i for i, step in enumerate(self.program.steps) if step is self.step)
        return f"step{number}_{self.position}"

    @property
    def node(self) -> Node:
        """The node."""
        return self.step.nodes[self.position]

    @property
    def domain(self) -> Domain:
        """The loops around it."""
        return Domain(self.step.outer, self.step.rows)

    @property
    def count(self) -> str:
        """C expression of the rows of a block."""
        return "n" if self.step.block < self.step.rows else str(self.step.rows)

    @property
    def first(self) -> str:
        """C expression of the first row of a block."""
        return "r" if self.step.block < self.step.rows else "0"

    def value(self, position: int) -> Value:
        """An input of the node."""
        return self.program.graph.values[self.node.inputs[position]]

    def array(self, position: int) -> np.ndarray | None:
        """Data of a constant input; ``None`` where the node has no such input."""
        return self.value(position).data if position < len(self.node.inputs) else None

    def rows(self, position: int) -> Rows:
        """An input that is read row by row."""
        access = input_access(self.program.graph, self.program.placements, self.node, position, self.domain)
        assert access is not None, f"{self.node}: input {position} has no rows in its step"
        return self._rows(self.node.inputs[position], access)

    def output(self) -> Rows:
        """The output, row by row."""
        access = output_access(self.program.graph, self.program.placements, self.node, self.domain)
        assert access is not None, f"{self.node}: the output has no rows in its step"
        return self._rows(self.node.output, access)

    def whole(self, value: int, lead: Shape, inside: int) -> tuple[str, tuple[int, ...]]:
        """A value that every block reads or writes whole: its pointer in the outer iteration, strides of the rest.

        ``lead`` are the dimensions of the outer loops (those of one element do not loop); the value's own
        dimensions in front of the last ``inside`` broadcast to them.
        """
        shape, strides = self.program.graph.values[value].shape, self.strides(value)
        cut = len(shape) - inside
        own = broadcast(shape[:cut], strides[:cut], lead)
        loops = tuple(stride for size, stride in zip(lead, own, strict=True) if size != 1)
        return self._pointer(value, self._offset(value), loops, 0), strides[cut:]

    def strides(self, value: int) -> tuple[int, ...]:
        """Strides of a value in bytes."""
        if value in self.program.placements:
            return self.program.placements[value].strides
        return dense(self.program.graph.values[value].shape)

    def pixels(self, value: int) -> tuple[str, int]:
        """An image ``[B, H, W, C]``: pointer for the outer iteration, bytes from pixel to pixel."""
        pointer, strides = self.whole(value, self.program.graph.values[value].shape[:1], 3)
        run = collapse(self.program.graph.values[value].shape[-3:-1], strides[:2])
        assert run is not None, f"{self.node}: the pixels of an image are not at one distance"
        channels = self.program.graph.values[value].shape[-1]
        return pointer, run[1] or channels

    def scratch(self) -> str:
        """C expression of the node's scratch."""
        buffer = self.step.scratch.get(self.position)
        return "0" if buffer is None else _plus("arena", self.program.buffers[buffer].offset)

    def scales(self, scales: Scales | Scale) -> tuple[str, str, int]:
        """Names of the multipliers and shifts, and whether there is one an output."""
        multiplier = np.atleast_1d(np.asarray(scales.multiplier, np.int32))
        shift = np.atleast_1d(np.asarray(scales.shift, np.int8))
        return (self.constants.add("tables", multiplier, f"multipliers of {self.title}"),
                self.constants.add("tables", shift, f"shifts of {self.title}"), int(multiplier.size > 1))

    def table(self, table: np.ndarray | None, what: str) -> str:
        """Name of a table of 256 codes, ``0`` for none."""
        return "0" if table is None else self.constants.add("tables", table, f"{what} of {self.title}")

    @property
    def title(self) -> str:
        """The operators of the file that the node stands for."""
        return self.node.title

    def _offset(self, value: int) -> int:
        return self.program.placements[value].offset if value in self.program.placements else 0

    def _rows(self, value: int, access: RowAccess) -> Rows:
        return Rows(self._pointer(value, access.offset, access.outer, access.row), access.row, access.length,
                    access.stride)

    def _pointer(self, value: int, offset: int, outer: tuple[int, ...], row: int) -> str:
        graph, placements = self.program.graph, self.program.placements
        terms = [f"o{i} * {stride}" for i, stride in enumerate(outer) if stride]
        if row and self.step.block < self.step.rows:
            terms.append(f"r * {row}")
        if value not in placements:
            name = self.constants.add("tables", np.asarray(graph.values[value].data, np.int8), self.title)
            return " + ".join([name, *terms])
        if value in self.step.blocked:
            terms = []
        place = placements[value]
        if place.buffer == placements[graph.inputs[0]].buffer:
            base = _plus("input", offset)
        elif place.buffer == placements[graph.outputs[0]].buffer:
            base = _plus("output", offset)
        else:
            base = _plus("arena", self.program.buffers[place.buffer].offset + offset)
        return " + ".join([base, *terms])


def clamp_fields(clamp: Clamp) -> str:
    """Zero point and limits in the order of the C structures."""
    return f"{clamp.zero_point}, {clamp.low}, {clamp.high}"


def _plus(base: str, offset: int) -> str:
    return f"{base} + {offset}" if offset else base


def indented(lines: Iterable[str]) -> list[str]:
    """Lines of a function's body, two spaces more a brace; braces that close stand in front of their line."""
    depth, found = 1, []
    for line in lines:
        depth -= line.startswith("}")
        found.append(INDENT * depth + line)
        depth += line.count("{") - line.count("}") + line.startswith("}")
    return found
