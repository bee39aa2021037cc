"""Products of two tensors."""

from __future__ import annotations

import numpy as np

from firmware_gen.emit.context import Context, NodeText
from firmware_gen.emit.ops.layer import layer, narrowness, packed
from firmware_gen.ir.ops.matmul import MatMul
from firmware_gen.plan.scratch import packed_bias_offset


def emit_matmul(context: Context) -> NodeText:
    """The second operand is packed once an outer iteration (a constant one when compiling); then a dense layer."""
    op = context.node.op
    assert isinstance(op, MatMul)
    depth, outputs = _sizes(context, op)
    largest = depth * max(_reach(op.a_zero_point) * _reach(op.b_zero_point), 1)
    constant, matrix = context.array(1), None
    if constant is not None and context.position not in context.step.packed:
        matrix = constant.reshape(constant.shape[-2:])
        matrix = matrix if op.transpose_b else np.ascontiguousarray(matrix.T)
    narrow = narrowness(context, largest, op.scale, matrix)
    declaration = layer(context, depth=depth, outputs=outputs, zero_points=(op.a_zero_point, op.b_zero_point),
                        scales=op.scale, clamp=op.clamp, narrow=narrow, table=op.table)
    if matrix is not None:
        names = packed(context, matrix, None, op.a_zero_point, op.b_zero_point, narrow)
        prologue: tuple[str, ...] = ()
    else:
        names, prologue = _pack(context, op, depth, outputs)
    a, y = context.rows(0), context.output()
    return NodeText((declaration,), prologue, (
        f"tfser_dense_{context.form}_s8(&layer{context.position}, {', '.join(names)}, {a.pointer}, {a.stride}, "
        f"{context.count}, {y.pointer}, {y.stride}, {context.scratch()});",))


def _sizes(context: Context, op: MatMul) -> tuple[int, int]:
    shape = context.value(1).shape
    return (shape[-1], shape[-2]) if op.transpose_b else (shape[-2], shape[-1])


def _reach(zero_point: int) -> int:
    return max(127 - zero_point, 128 + zero_point)


def _pack(context: Context, op: MatMul, depth: int, outputs: int) -> tuple[tuple[str, str], tuple[str, ...]]:
    lead = context.program.graph.values[context.node.output].shape[:-2]
    pointer, (first, second) = context.whole(context.node.inputs[1], lead, 2)
    output_stride, depth_stride = (first, second) if op.transpose_b else (second, first)
    buffer = context.program.buffers[context.step.packed[context.position]]
    matrix = f"arena + {buffer.offset}"
    arguments = f"&layer{context.position}, {pointer}, {output_stride}, {depth_stride}, {matrix}"
    if context.form == "pairs":
        return (matrix, "0"), (f"tfser_pack_pairs_s8({arguments});",)
    bias = f"(int32_t *)(void *)(arena + {buffer.offset + packed_bias_offset(outputs, depth)})"
    return (matrix, bias), (f"tfser_pack_rows_s8({arguments}, {bias});",)
