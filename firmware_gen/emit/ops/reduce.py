"""Means and sums."""

from __future__ import annotations

import math

from firmware_gen.emit.context import Context, NodeText, clamp_fields
from firmware_gen.ir.ops.reduce import Reduce
from firmware_gen.plan.domain import column_shape, reduces_rows
from firmware_gen.plan.strides import collapse


def emit_reduce(context: Context) -> NodeText:
    """By row where the last dimensions are reduced, else column by column, the whole of an outer iteration."""
    op, graph = context.node.op, context.program.graph
    assert isinstance(op, Reduce)
    to = f"to{context.position}"
    declaration = (f"static const tfser_reduction {to} = {{{op.scale.multiplier}, {op.scale.shift}, "
                   f"{op.input_zero_point}, {clamp_fields(op.clamp)}}};")
    if reduces_rows(graph, context.node):
        x, y = context.rows(0), context.output()
        return NodeText((declaration,), body=(
            f"tfser_reduce_row_s8(&{to}, {x.length}, {x.pointer}, {x.stride}, {context.count}, {y.pointer}, "
            f"{y.stride});",))
    front, reduced, behind = column_shape(graph, context.node)
    pointer, strides = context.whole(context.node.inputs[0], front, len(reduced) + len(behind))
    run = collapse(reduced, strides[:len(reduced)])
    assert run is not None, f"{context.node}: the reduced dimensions are no one run"
    y = context.output()
    return NodeText((declaration,), body=(
        f"tfser_reduce_column_s8(&{to}, {math.prod(behind)}, {pointer}, {run[1]}, {run[0]}, {y.pointer});",))
