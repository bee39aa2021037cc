"""A step as one C function: loops over blocks of rows around the calls of its nodes."""

from __future__ import annotations

from collections.abc import Iterable

from firmware_gen.emit.constants import Constants, c_comment
from firmware_gen.emit.context import Context, NodeText
from firmware_gen.emit.ops.table import EMITTERS
from firmware_gen.plan.program import Program, Step

INDENT = "    "


def step_function(program: Program, number: int, constants: Constants, form: str) -> list[str]:
    """Lines of ``static void step<number>(input, output, arena)``."""
    step = program.steps[number]
    texts = [EMITTERS[type(node.op)](Context(program, step, at, constants, form))
             for at, node in enumerate(step.nodes)]
    body = [*(line for text in texts for line in text.declarations), *_loops(step, texts)]
    used = "\n".join(body)
    unused = [f"(void){name};" for name in ("input", "output", "arena") if name not in used]
    lines = [f"/* {c_comment(title)} */" for title in titles(step)]
    lines.append(f"static void step{number}(const int8_t *input, int8_t *output, int8_t *arena) {{")
    return [*lines, *indented([*unused, *body]), "}"]


def titles(step: Step) -> list[str]:
    """The operators of the file that each node of a step stands for."""
    return [", ".join(node.origin) or type(node.op).__name__ for node in step.nodes]


def indented(lines: Iterable[str]) -> list[str]:
    """Lines of a function's body, two spaces more a brace; braces that close stand in front of their line."""
    depth, found = 1, []
    for line in lines:
        depth -= line.startswith("}")
        found.append(INDENT * depth + line)
        depth += line.count("{") - line.count("}") + line.startswith("}")
    return found


def _loops(step: Step, texts: list[NodeText]) -> list[str]:
    outer = [f"for (int32_t o{i} = 0; o{i} < {size}; o{i}++) {{" for i, size in enumerate(step.outer)]
    prologue = [line for text in texts for line in text.prologue]
    body = [line for text in texts for line in text.body]
    if step.block < step.rows:
        rest = f"{step.rows} - r"
        count = f"const int32_t n = {rest} < {step.block} ? {rest} : {step.block};"
        if step.rows % step.block == 0:
            count = f"const int32_t n = {step.block};"
        body = [f"for (int32_t r = 0; r < {step.rows}; r += {step.block}) {{", count, *body, "}"]
    return [*outer, *prologue, *body, *("}" for _ in outer)]
