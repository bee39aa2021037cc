"""A step as one C function: loops over blocks of rows around the calls of its nodes."""

from __future__ import annotations

from dataclasses import replace

from firmware_gen.emit.constants import Constants, c_comment
from firmware_gen.emit.context import Context, NodeText, indented
from firmware_gen.emit.ops.table import EMITTERS
from firmware_gen.plan.program import Program, Step


def step_function(program: Program, number: int, constants: Constants, form: str) -> list[str]:
    """Lines of ``STEP void step<number>(input, output, arena)`` and, before it, of the functions of its nodes.

    ``PART`` marks where each node begins.
    """
    step = program.steps[number]
    first_part = sum(len(before.nodes) for before in program.steps[:number])
    texts = []
    for at, node in enumerate(step.nodes):
        constants.begin_part()
        texts.append(_marked(EMITTERS[type(node.op)](Context(program, step, at, constants, form)), first_part + at))
    body = [*(line for text in texts for line in text.declarations), *_loops(step, texts)]
    used = "\n".join(body)
    unused = [f"(void){name};" for name in ("input", "output", "arena") if name not in used]
    lines = [line for text in texts for line in text.function]
    lines += [f"/* {c_comment(node.title)} */" for node in step.nodes]
    lines.append(f"STEP void step{number}(const int8_t *input, int8_t *output, int8_t *arena) {{")
    return [*lines, *indented([*unused, *body]), "}"]


def _marked(text: NodeText, part: int) -> NodeText:
    mark = f"PART({part});"
    return replace(text, prologue=(mark, *text.prologue) if text.prologue else (), body=(mark, *text.body))


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
