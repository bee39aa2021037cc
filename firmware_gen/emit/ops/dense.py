"""Dense layers."""

from __future__ import annotations

from firmware_gen.emit.context import Context, NodeText
from firmware_gen.emit.ops.layer import bound, layer, narrowness, packed
from firmware_gen.ir.ops.dense import Dense


def emit_dense(context: Context) -> NodeText:
    """A call of ``tfser_dense_*_s8`` for the rows of a block."""
    op, weights, bias = context.node.op, context.array(1), context.array(2)
    assert isinstance(op, Dense) and weights is not None
    zero_points = (op.input_zero_point, op.weights_zero_point)
    narrow = narrowness(context, bound(weights, bias, *zero_points), op.scales, weights)
    names = packed(context, weights, bias, *zero_points, narrow)
    x, y = context.rows(0), context.output()
    return NodeText(
        (layer(context, depth=weights.shape[1], outputs=weights.shape[0], zero_points=zero_points, scales=op.scales,
               clamp=op.clamp, narrow=narrow, table=op.table),),
        body=(f"tfser_dense_{context.form}_s8(&layer{context.position}, {', '.join(names)}, {x.pointer}, {x.stride}, "
              f"{context.count}, {y.pointer}, {y.stride}, {context.scratch()});",))
