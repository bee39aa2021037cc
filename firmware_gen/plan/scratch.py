"""What a node needs in the arena beside its operands: scratch while it runs, matrices packed at run time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from firmware_gen.ir.graph import Graph, Node
from firmware_gen.ir.ops.conv2d import Conv2D
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.ir.ops.depthwise_conv2d import DepthwiseConv2D
from firmware_gen.ir.ops.matmul import MatMul
from firmware_gen.plan import scratch_pairs, scratch_rows
from firmware_gen.target import Core


@dataclass(frozen=True)
class Scratch:
    """Bytes: ``working`` while the node runs on a block, ``packed`` from the first block of an outer iteration on."""

    working: int = 0
    packed: int = 0
    alignment: int = 1


def node_scratch(graph: Graph, node: Node, rows: int, core: Core) -> Scratch:
    """Scratch of a node that runs on blocks of ``rows`` rows (of the kernels that ``core`` selects).

    A matrix packed in the rows form is followed, aligned to 16, by its bias: int32, one an output.
    """
    op = node.op
    alignment = scratch_rows.ALIGNMENT if core.helium else scratch_pairs.ALIGNMENT
    if isinstance(op, Dense | MatMul):
        depth = graph.values[node.inputs[0]].shape[-1]
        outputs = graph.values[node.output].shape[-1]
        # The rows form copies rows only where its outputs lie on them, which no plan lets happen (overlap.py).
        working = (scratch_rows.dense_scratch(0, outputs) if core.helium
                   else scratch_pairs.dense_scratch(depth, rows, dsp=core.dsp))
        packs = isinstance(op, MatMul) and is_packed_at_run_time(graph, node)
        return Scratch(working, _packed(outputs, depth, core) if packs else 0, alignment)
    if isinstance(op, Conv2D):
        kernel = graph.values[node.inputs[1]].shape
        depth = math.prod(kernel[1:])
        working = (scratch_rows.conv_scratch(depth, kernel[0]) if core.helium
                   else scratch_pairs.conv_scratch(depth, kernel[-1], dsp=core.dsp))
        return Scratch(working, 0, alignment)
    if isinstance(op, DepthwiseConv2D):
        form = scratch_rows if core.helium else scratch_pairs
        return Scratch(form.depthwise_scratch(op.window), 0, alignment)
    return Scratch()


def is_packed_at_run_time(graph: Graph, node: Node) -> bool:
    """Whether a MatMul's second operand is packed for every outer iteration: computed, or one matrix of several."""
    matrix = graph.values[node.inputs[1]]
    return not matrix.is_constant or math.prod(matrix.shape[:-2]) > 1


def packed_bias_offset(outputs: int, depth: int) -> int:
    """Rows form: where the bias of a matrix packed at run time begins, in bytes from the matrix."""
    return -(-scratch_rows.packed_bytes(outputs, depth) // scratch_rows.ALIGNMENT) * scratch_rows.ALIGNMENT


def _packed(outputs: int, depth: int, core: Core) -> int:
    if core.helium:
        return packed_bias_offset(outputs, depth) + 4 * outputs
    return scratch_pairs.packed_bytes(outputs, depth)
