"""Element-wise functions: one loop a node, whatever it fuses."""

from __future__ import annotations

from dataclasses import dataclass, field

from firmware_gen.emit.context import Context, NodeText, Rows, clamp_fields, indented
from firmware_gen.emit.ops.binary_forms import Linear, Product, Square, form_of
from firmware_gen.ir.ops.binary import Binary
from firmware_gen.ir.ops.elementwise import Elementwise, Step
from firmware_gen.ir.ops.lookup import Lookup

FUNCTION_ELEMENTS = 32  # of a block; fewer are not worth a call
GROUP = 4  # elements: lanes of Helium, and what a scalar core does between two looks at the counter


def emit_elementwise(context: Context) -> NodeText:
    """A loop over rows and one over the elements of a row; what is one code a row is computed once a row.

    Loops of many elements are functions of their own: their constants then stay in registers.
    """
    inputs = [context.rows(i) for i in range(len(context.node.inputs))]
    y = context.output()
    loop = _Loop(context, tuple(rows.step == 0 for rows in inputs))
    for step in _steps(context):
        loop.add(step)
    lines = _rows(context, inputs, y, loop)
    pointers = [rows.pointer for rows in (*inputs, y)]
    names = [*(f"const int8_t *x{i}" for i in range(len(inputs))), "int8_t *y"]
    if min(context.step.block, context.step.rows) * y.length < FUNCTION_ELEMENTS:
        here = [f"{name} = {pointer};" for name, pointer in zip(names, pointers, strict=True)]
        return NodeText(tuple(loop.declarations), body=("{", *here, *lines, "}"))
    names += ["int32_t n"] if context.count == "n" else []
    function = [f"TFSER_LOOP void {context.name}({', '.join(names)}) {{", *indented([*loop.declarations, *lines]), "}"]
    arguments = ", ".join([*pointers, *(["n"] if context.count == "n" else [])])
    return NodeText(body=(f"{context.name}({arguments});",), function=tuple(function))


def _rows(context: Context, inputs: list[Rows], y: Rows, loop: _Loop) -> list[str]:
    """Statements in terms of the pointers ``x<i>`` and ``y`` to the first row."""
    flat = y.step == 1 and all(rows.step == 1 and rows.stride == y.length for rows in (*inputs, y))
    once = [f"const tfser_lane v{i} = tfser_all_s8(*x{i});" for i, rows in enumerate(inputs) if rows.step == 0]
    loaded = [i for i, rows in enumerate(inputs) if rows.step == 1]
    in_groups = y.length % GROUP == 0
    if flat:
        length = f"{context.count} * {y.length}" if y.length > 1 else context.count
        return [*loop.outer, *_elements(loaded, loop, length, in_groups=in_groups)]
    moves = [f"{name} += {rows.stride};" for name, rows in zip([f"x{i}" for i in range(len(inputs))] + ["y"],
                                                               [*inputs, y], strict=True) if rows.stride]
    return [f"for (int32_t i = 0; i < {context.count}; i++) {{", *once, *loop.outer,
            *_elements(loaded, loop, str(y.length), in_groups=in_groups), *moves, "}"]


def _steps(context: Context) -> tuple[Step, ...]:
    op = context.node.op
    if isinstance(op, Elementwise):
        return op.steps
    assert isinstance(op, Binary | Lookup)
    return (Step(op, tuple(range(len(context.node.inputs)))),)


def _elements(loaded: list[int], loop: _Loop, length: str, *, in_groups: bool) -> list[str]:
    """The loop over elements; in whole groups, no lane is past the end."""
    at, left = ("j + k", "TFSER_LANES") if in_groups else ("j", f"{length} - j")
    body = [*(f"const tfser_lane v{i} = tfser_load_s8(x{i} + {at}, {left});" for i in loaded), *loop.inner,
            f"tfser_store_s8(y + {at}, {left}, {loop.result});"]
    if in_groups:
        return [f"for (int32_t j = 0; j < {length}; j += {GROUP}) {{", "TFSER_UNROLL",
                f"for (int32_t k = 0; k < {GROUP}; k += TFSER_LANES) {{", *body, "}", "}"]
    return [f"for (int32_t j = 0; j < {length}; j += TFSER_LANES) {{", *body, "}"]


@dataclass
class _Loop:
    """Statements of the steps so far: in front of all loops, once a row, once an element."""

    context: Context
    repeated: tuple[bool, ...]  # inputs of one code a row
    declarations: list[str] = field(default_factory=list)
    outer: list[str] = field(default_factory=list)
    inner: list[str] = field(default_factory=list)
    result: str = ""
    _steps: list[bool] = field(default_factory=list)  # results of one code a row

    def add(self, step: Step) -> None:
        """One more step; its result is ``s<number>``."""
        at = len(self._steps)
        names = [f"v{i}" if i >= 0 else f"s{-1 - i}" for i in step.operands]
        once = [self.repeated[i] if i >= 0 else self._steps[-1 - i] for i in step.operands]
        call = self._call(step, at, names, once)
        self._steps.append(all(once))
        self.result = f"s{at}"
        self._lane(self.result, call, once=all(once))

    def _lane(self, name: str, value: str, *, once: bool) -> str:
        (self.outer if once else self.inner).append(f"const tfser_lane {name} = {value};")
        return name

    def _call(self, step: Step, at: int, names: list[str], once: list[bool]) -> str:
        op = step.op
        if isinstance(op, Lookup):
            return f"tfser_table_s8({self.context.table(op.table, op.what)}, {names[0]})"
        if op.kind in ("maximum", "minimum"):
            code = f"tfser_lane_{op.kind[:3]}({', '.join(names)})"
            is_limited = (op.clamp.low, op.clamp.high) != (-128, 127)
            return f"tfser_lane_clamp({code}, 0, {op.clamp.low}, {op.clamp.high})" if is_limited else code
        form = form_of(op)
        if isinstance(form, Linear):
            acc = self._linear(form, at, names, once)
        elif isinstance(form, Product):
            acc = self._product(op, form, at, names, once)
        elif isinstance(form, Square):
            acc = self._square(op, form, at, names, once)
        else:
            return self._by_definition(op, at, names)
        return f"tfser_lane_code({acc}, {form.shift}, {op.clamp.low}, {op.clamp.high})"

    def _linear(self, form: Linear, at: int, names: list[str], once: list[bool]) -> str:
        """What is one code a row is added first."""
        terms = [(names[0], form.a, once[0]), (names[1], form.b, once[1])]
        (x, a, first), (y, b, _) = sorted(terms, key=lambda term: not term[2])
        start = self._lane(f"c{at}", f"tfser_lane_mla(tfser_lane_all({form.constant}), {x}, {a})", once=first)
        return f"tfser_lane_mla({start}, {y}, {b})"

    def _product(self, op: Binary, form: Product, at: int, names: list[str], once: list[bool]) -> str:
        (x, zero_x, _), (y, zero_y, repeated) = sorted(
            [(names[0], op.a_zero_point, once[0]), (names[1], op.b_zero_point, once[1])], key=lambda side: side[2])
        factor = self._lane(f"f{at}", f"tfser_lane_factor({y}, {zero_y})", once=repeated)
        if repeated:
            start = self._lane(f"c{at}", f"tfser_lane_times({factor}, {-zero_x})", once=True)
            value = f"tfser_lane_add({start}, tfser_lane_mul({x}, {factor}))"
        else:
            value = f"tfser_lane_mul(tfser_lane_centre({x}, {zero_x}, 0), {factor})"
        product = self._lane(f"p{at}", value, once=all(once))
        scaled = f"tfser_lane_scale({product}, {form.multiplier}, {form.constant})"
        return f"tfser_lane_add({scaled}, tfser_lane_sign({product}))" if form.shift else scaled

    def _square(self, op: Binary, form: Square, at: int, names: list[str], once: list[bool]) -> str:
        """What is one code a row comes second: the square is the same."""
        sides = [(names[0], "a", form.a, once[0]), (names[1], "b", form.b, once[1])]
        (x, this, line, _), (y, that, other, repeated) = sorted(sides, key=lambda side: side[3])
        second = self._lane(f"b{at}", _side(op, that, y, other), once=repeated)
        difference = f"tfser_lane_sub({_side(op, this, x, line)}, {second})"
        if line:
            start = self._lane(f"c{at}", f"tfser_lane_sub(tfser_lane_all({line[1]}), {second})", once=repeated)
            difference = _line(start, x, line[0])
        return f"tfser_lane_add_high(tfser_lane_square({difference}), {form.multiplier}, {form.constant})"

    def _by_definition(self, op: Binary, at: int, names: list[str]) -> str:
        numbers = [op.a_zero_point, op.b_zero_point, op.left_shift, op.a_scale.multiplier, op.a_scale.shift,
                   op.b_scale.multiplier, op.b_scale.shift, op.scale.multiplier, op.scale.shift]
        binary = f"binary{self.context.position}_{at}"
        self.declarations.append(f"static const tfser_binary {binary} = {{{', '.join(map(str, numbers))}, "
                                 f"{clamp_fields(op.clamp)}}};")
        return f"tfser_{op.kind}_s8(&{binary}, {', '.join(names)})"


def _side(op: Binary, which: str, name: str, line: tuple[int, int] | None) -> str:
    """An input of ``squared_difference``, rescaled."""
    if line:
        return _line(f"tfser_lane_all({line[1]})", name, line[0])
    zero_point, scale = (op.a_zero_point, op.a_scale) if which == "a" else (op.b_zero_point, op.b_scale)
    return (f"tfser_lane_rescale(tfser_lane_centre({name}, {zero_point}, {op.left_shift}), {scale.multiplier}, "
            f"{scale.shift})")


def _line(start: str, name: str, factor: int) -> str:
    """``start + name * factor``."""
    if factor > 0 and factor & (factor - 1) == 0:
        return f"tfser_lane_add_shifted({start}, {name}, {factor.bit_length() - 1})"
    return f"tfser_lane_mla({start}, {name}, {factor})"
