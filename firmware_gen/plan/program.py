"""The plan of a program: what :mod:`firmware_gen.emit` writes as C. Data only.

A *step* is a loop nest over blocks of rows that runs a few nodes on each block; a node by itself
is a step of one block. Every value lies in a *buffer*; a view is a value in another's buffer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from firmware_gen.ir.graph import Graph, Node


@dataclass(frozen=True)
class Placement:
    """Where the elements of a value lie: element ``[i, j, ...]`` at ``offset + i * strides[0] + j * strides[1] + ...``.

    Bytes from the start of ``buffer``. A stride is 0 where the dimension has one element or repeats.
    """

    buffer: int
    offset: int
    strides: tuple[int, ...]


@dataclass(frozen=True)
class Buffer:
    """A region of the arena, alive from step ``first`` to step ``last`` (inclusive).

    ``what`` names it for messages and the picture: the value's name, or the node's and ``"scratch"``.
    ``offset`` is -1 until the arena is planned. ``nodes``: within its only step, the positions of the
    first and the last node that need it in every block; ``None``: it keeps its content through all blocks.
    """

    id: int
    size: int
    alignment: int
    first: int
    last: int
    what: str
    offset: int = -1
    nodes: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class Step:
    """Nodes that run block by block.

    The domain is ``outer`` (loops of one index each) times ``rows``. Each iteration handles one
    index of every outer loop and ``block`` rows (fewer in the last), in ascending order. For every
    node of the step, its output's leading dimensions, size-1 dimensions dropped, are the domain
    (``rows`` may be a collapsed run of dimensions); what is left is a row, for element-wise nodes
    possibly several dimensions. :func:`firmware_gen.plan.domain.output_access` and ``input_access``
    give the strides of each operand: offset, per outer loop, per row, length and stride of a row.

    ``whole`` names the run-time operands (node position, input position) of which all is read
    whatever the block, within the same outer iteration: the second operand of a MatMul (packed at
    the start of every outer iteration), the input of a convolution, a pool or a Reduce over
    columns, whatever a copy reads. A value in ``blocked`` exists for one block only: its buffer
    holds ``block`` rows of one outer iteration, its placement has stride 0 for the outer loops and
    its rows count from the start of the block.

    A step of one node has one block of all rows. A movement node that is a step (a copy) has
    ``outer = ()`` and ``rows = 1``; so have, save for an image or a reduction an outer index,
    depthwise convolutions and Reduces over columns.

    An operand may overlap an output, where the plan has found that this order of work is safe:
    blocks ascend; inside of a block nodes run one after the other; kernels with weights, softmax,
    pools and Reduces take rows (pixels) in ascending order, at most 4 at a time; element-wise nodes
    take rows in ascending order and elements in ascending order, each (or as many as a vector
    holds) read before it is written.
    """

    nodes: tuple[Node, ...]
    outer: tuple[int, ...]
    rows: int
    block: int
    whole: frozenset[tuple[int, int]]
    blocked: frozenset[int]
    scratch: Mapping[int, int]  # node position -> buffer id
    #: Node position -> buffer id of its matrix packed at run time (rows form: then its bias). That may be a constant's.
    packed: Mapping[int, int]


@dataclass(frozen=True, eq=False)
class Program:
    """A graph with its steps in order, the place of every run-time value, and the arena.

    ``graph`` is the planner's (:mod:`firmware_gen.plan.normal`). Nodes that are in no step are views:
    nothing has to be done for them. An input or output of the model fills a buffer of its own
    (``inputs``, ``outputs``: buffer ids in the graph's order), so that it can lie outside of the arena.
    """

    graph: Graph
    steps: tuple[Step, ...]
    placements: Mapping[int, Placement]
    buffers: Mapping[int, Buffer]
    arena_bytes: int
    lower_bound_bytes: int

    @property
    def inputs(self) -> tuple[int, ...]:
        """Buffers of the model's inputs."""
        return tuple(self.placements[i].buffer for i in self.graph.inputs)

    @property
    def outputs(self) -> tuple[int, ...]:
        """Buffers of the model's outputs."""
        return tuple(self.placements[i].buffer for i in self.graph.outputs)
