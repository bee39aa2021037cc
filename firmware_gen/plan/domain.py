"""What a node can be divided into: outer loops, rows, and which operands it reads by row or whole."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from firmware_gen.ir.graph import Graph, Node
from firmware_gen.ir.ops.base import Op
from firmware_gen.ir.ops.binary import Binary
from firmware_gen.ir.ops.conv2d import Conv2D
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.ir.ops.depthwise_conv2d import DepthwiseConv2D
from firmware_gen.ir.ops.elementwise import Elementwise
from firmware_gen.ir.ops.lookup import Lookup
from firmware_gen.ir.ops.matmul import MatMul
from firmware_gen.ir.ops.movement import Concatenate, Gather, Pad, Reshape, Slice, Transpose
from firmware_gen.ir.ops.pool2d import Pool2D
from firmware_gen.ir.ops.reduce import Reduce
from firmware_gen.ir.ops.softmax import Softmax
from firmware_gen.plan.program import Placement
from firmware_gen.plan.strides import Ints, RowAccess, broadcast, collapse, dense, row_access, split

MOVEMENT = (Concatenate, Gather, Pad, Reshape, Slice, Transpose)
ELEMENTWISE = (Binary, Elementwise, Lookup)
IMAGE = (Conv2D, DepthwiseConv2D, Pool2D)


@dataclass(frozen=True)
class Domain:
    """The loops of a step: ``outer``, one index each, around ``rows`` rows."""

    outer: Ints
    rows: int

    @property
    def size(self) -> int:
        """Number of rows over all outer loops."""
        return math.prod(self.outer) * self.rows


Layouts = Mapping[int, Placement]


def reduces_rows(graph: Graph, node: Node) -> bool:
    """Whether a Reduce is over the last dimensions, so that every row gives one code."""
    assert isinstance(node.op, Reduce)
    shape = graph.values[node.inputs[0]].shape
    kept = [axis for axis, size in enumerate(shape) if axis not in node.op.axes and size != 1]
    return all(axis < min(node.op.axes, default=0) for axis in kept)


def whole_operands(graph: Graph, node: Node) -> tuple[int, ...]:
    """Positions of the run-time inputs that every block reads whole, within its outer iteration."""
    op = node.op
    if isinstance(op, MOVEMENT):
        positions: tuple[int, ...] = tuple(range(len(node.inputs)))
    elif isinstance(op, IMAGE) or (isinstance(op, Reduce) and not reduces_rows(graph, node)):
        positions = (0,)
    else:
        positions = (1,) if isinstance(op, MatMul) else ()
    return tuple(i for i in positions if not graph.values[node.inputs[i]].is_constant)


def row_operands(graph: Graph, node: Node) -> tuple[int, ...]:
    """Positions of the inputs that are read row by row: element-wise constants too, the weights of layers not."""
    op = node.op
    if isinstance(op, ELEMENTWISE):
        return tuple(range(len(node.inputs)))
    if isinstance(op, Dense | Softmax | MatMul) or (isinstance(op, Reduce) and reduces_rows(graph, node)):
        return (0,)
    return ()


def layout_of(graph: Graph, layouts: Layouts, value: int) -> Placement:
    """The layout of a value; constants are packed, in no buffer."""
    if graph.values[value].is_constant:
        return Placement(-1, 0, dense(graph.values[value].shape))
    return layouts[value]


def input_access(graph: Graph, layouts: Layouts, node: Node, position: int, domain: Domain) -> RowAccess | None:
    """How a row operand is read; ``None`` where rows of it are no rows of the domain."""
    index = node.inputs[position]
    layout, shape = layout_of(graph, layouts, index), graph.values[index].shape
    strides = layout.strides
    if isinstance(node.op, ELEMENTWISE):
        to = graph.values[node.output].shape
        shape, strides = to, broadcast(shape, strides, to)
    elif isinstance(node.op, MatMul):
        lead = graph.values[node.output].shape[:-2]
        strides = broadcast(shape, strides, (*lead, *shape[-2:]))
        shape = (*lead, *shape[-2:])
    return _of_row(node.op, row_access(shape, strides, layout.offset, domain.outer, domain.rows))


def output_access(graph: Graph, layouts: Layouts, node: Node, domain: Domain) -> RowAccess | None:
    """How the output is written, row by row."""
    layout = layouts[node.output]
    shape = graph.values[node.output].shape
    return row_access(shape, layout.strides, layout.offset, domain.outer, domain.rows)


def _of_row(op: Op, access: RowAccess | None) -> RowAccess | None:
    """Kernels that multiply and add read elements side by side."""
    repeated = access is not None and access.stride == 0 and not isinstance(op, ELEMENTWISE)
    return None if repeated else access


def fits(graph: Graph, layouts: Layouts, node: Node, domain: Domain) -> bool:
    """Whether the node can run over the domain with every operand where it lies."""
    op = node.op
    if isinstance(op, MOVEMENT):
        return not domain.outer and domain.rows == 1
    written = output_access(graph, layouts, node, domain)
    if not isinstance(op, DepthwiseConv2D) and (written is None or written.stride == 0):
        return False
    if not all(input_access(graph, layouts, node, i, domain) for i in row_operands(graph, node)):
        return False
    if not _rows_are_whole(graph, node, domain):
        return False
    if isinstance(op, MatMul):
        return _matrix_fits(graph, layouts, node, domain)
    if isinstance(op, IMAGE):
        return _image_fits(graph, layouts, node, domain)
    if isinstance(op, Reduce) and not reduces_rows(graph, node):
        return _columns_fit(graph, layouts, node, domain)
    return True


def _rows_are_whole(graph: Graph, node: Node, domain: Domain) -> bool:
    """Layers whose result needs all of a row: the row ends where the last dimension begins."""
    op = node.op
    if isinstance(op, ELEMENTWISE):
        return True
    shape = graph.values[node.output].shape
    if isinstance(op, Reduce):
        return not reduces_rows(graph, node) or domain.size == math.prod(shape)
    if isinstance(op, DepthwiseConv2D):
        return True
    return domain.size == math.prod(shape[:-1])


def _matrix_fits(graph: Graph, layouts: Layouts, node: Node, domain: Domain) -> bool:
    """One matrix an outer iteration: the second operand does not vary over the rows, save over M, which it has not.

    M is never an outer loop, in which the matrix would be read, and packed, for every row again.
    """
    shape = graph.values[node.output].shape
    if len(domain.outer) > sum(size != 1 for size in shape[:-2]):
        return False
    index = node.inputs[1]
    matrix = graph.values[index].shape
    strides = broadcast(matrix[:-2], layout_of(graph, layouts, index).strides[:-2], shape[:-2])
    indices = split(shape, domain.outer, domain.rows)
    return indices is not None and not any(strides[indices[0]:])


def _image_fits(graph: Graph, layouts: Layouts, node: Node, domain: Domain) -> bool:
    """An image an outer iteration, its pixels in one run, their channels side by side."""
    shape, layout = graph.values[node.inputs[0]].shape, layout_of(graph, layouts, node.inputs[0])
    batch = tuple(size for size in shape[:1] if size != 1)
    if domain.outer != batch or collapse(shape[1:3], layout.strides[1:3]) is None:
        return False
    if shape[3] != 1 and layout.strides[3] != 1:
        return False
    if not isinstance(node.op, DepthwiseConv2D):
        return True
    out, strides = graph.values[node.output].shape, layouts[node.output].strides
    pixels = collapse(out[1:3], strides[1:3])
    return domain.rows == 1 and pixels is not None and (out[3] == 1 or strides[3] == 1)


def column_shape(graph: Graph, node: Node) -> tuple[Ints, Ints, Ints]:
    """Dimensions of a Reduce that is not by row: kept in front, reduced, kept behind."""
    assert isinstance(node.op, Reduce)
    shape = graph.values[node.inputs[0]].shape
    first, last = min(node.op.axes), max(node.op.axes) + 1
    return shape[:first], shape[first:last], shape[last:]


def _columns_fit(graph: Graph, layouts: Layouts, node: Node, domain: Domain) -> bool:
    front, reduced, behind = column_shape(graph, node)
    strides = layout_of(graph, layouts, node.inputs[0]).strides
    at, end = len(front), len(front) + len(reduced)
    columns = collapse(behind, strides[end:])
    if domain.rows != 1 or domain.outer != tuple(size for size in front if size != 1):
        return False
    return collapse(reduced, strides[at:end]) is not None and columns is not None and columns[1] in (0, 1)


def domains(graph: Graph, layouts: Layouts, node: Node) -> Iterator[Domain]:
    """Every domain that the node fits, the fewest outer loops first, then the fewest rows."""
    if isinstance(node.op, MOVEMENT):
        yield Domain((), 1)
        return
    sizes = tuple(size for size in graph.values[node.output].shape if size != 1)
    for first in range(len(sizes) + 1):
        for last in range(first, len(sizes) + 1):
            domain = Domain(sizes[:first], math.prod(sizes[first:last]))
            if fits(graph, layouts, node, domain):
                yield domain
