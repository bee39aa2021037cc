"""Softmax."""

from __future__ import annotations

from firmware_gen.emit.context import Context, NodeText
from firmware_gen.ir.ops.softmax import Softmax


def emit_softmax(context: Context) -> NodeText:
    """A call of ``tfser_softmax_s8`` for the rows of a block."""
    op = context.node.op
    assert isinstance(op, Softmax)
    table = context.constants.add("tables", op.exp_table(), f"exponentials of {context.title}")
    x, y = context.rows(0), context.output()
    return NodeText(body=(f"tfser_softmax_s8({table}, {context.value(0).shape[-1]}, {x.pointer}, {x.stride}, "
                          f"{context.count}, {y.pointer}, {y.stride});",))
