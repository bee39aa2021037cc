"""Element-wise functions: one loop a node, whatever it fuses."""

from __future__ import annotations

from firmware_gen.emit.context import Context, NodeText, Rows, clamp_fields
from firmware_gen.ir.ops.binary import Binary
from firmware_gen.ir.ops.elementwise import Elementwise, Step
from firmware_gen.ir.ops.lookup import Lookup


def emit_elementwise(context: Context) -> NodeText:
    """A loop over rows and one over the elements of a row; operands that are one code a row are loaded once a row."""
    steps = _steps(context)
    inputs = [context.rows(i) for i in range(len(context.node.inputs))]
    y = context.output()
    flat = y.step == 1 and all(rows.step == 1 and rows.stride == y.length for rows in (*inputs, y))
    declarations = [line for at, step in enumerate(steps) for line in _parameters(context, at, step)]
    length = str(y.length)
    if flat:
        length = f"{context.count} * {y.length}" if y.length > 1 else context.count
    loops = [] if flat else [f"for (int32_t i = 0; i < {context.count}; i++) {{"]
    loops += [f"const int8_t *const x{i} = {_row(rows, flat)};" for i, rows in enumerate(inputs)]
    loops.append(f"int8_t *const y = {_row(y, flat)};")
    loops += [f"const tfser_lane v{i} = tfser_all_s8(x{i}[0]);" for i, rows in enumerate(inputs) if rows.step == 0]
    loops.append(f"for (int32_t j = 0; j < {length}; j += TFSER_LANES) {{")
    loops += [f"const tfser_lane v{i} = tfser_load_s8(x{i} + j, {length} - j);"
              for i, rows in enumerate(inputs) if rows.step == 1]
    loops += [f"const tfser_lane s{at} = {_call(context, at, step)};" for at, step in enumerate(steps)]
    loops += [f"tfser_store_s8(y + j, {length} - j, s{len(steps) - 1});", "}"]
    if not flat:
        loops.append("}")
    return NodeText(tuple(declarations), body=("{", *loops, "}"))


def _row(rows: Rows, flat: bool) -> str:
    return rows.pointer if flat or not rows.stride else f"{rows.pointer} + i * {rows.stride}"


def _steps(context: Context) -> tuple[Step, ...]:
    op = context.node.op
    if isinstance(op, Elementwise):
        return op.steps
    assert isinstance(op, Binary | Lookup)
    return (Step(op, tuple(range(len(context.node.inputs)))),)


def _parameters(context: Context, at: int, step: Step) -> list[str]:
    op = step.op
    if isinstance(op, Lookup) or op.kind in ("maximum", "minimum"):
        return []
    numbers = [op.a_zero_point, op.b_zero_point, op.left_shift, op.a_scale.multiplier, op.a_scale.shift,
               op.b_scale.multiplier, op.b_scale.shift, op.scale.multiplier, op.scale.shift]
    return [f"static const tfser_binary {_name(context, at)} = {{{', '.join(map(str, numbers))}, "
            f"{clamp_fields(op.clamp)}}};"]


def _call(context: Context, at: int, step: Step) -> str:
    operands = [f"v{i}" if i >= 0 else f"s{-1 - i}" for i in step.operands]
    if isinstance(step.op, Lookup):
        return f"tfser_table_s8({context.table(step.op.table, step.op.what)}, {operands[0]})"
    if step.op.kind in ("maximum", "minimum"):
        return f"tfser_lane_{step.op.kind[:3]}({', '.join(operands)})"
    return f"tfser_{step.op.kind}_s8(&{_name(context, at)}, {', '.join(operands)})"


def _name(context: Context, at: int) -> str:
    return f"binary{context.position}_{at}"
