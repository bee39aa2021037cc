"""A program as C: ``tfser_model``, ``tfser_weights`` and ``tfser_tables``, each a header and a source."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_gen.emit.c_array import guard_name
from firmware_gen.emit.constants import SECTIONS, Constants
from firmware_gen.emit.ops.table import HEADERS
from firmware_gen.emit.steps import step_function
from firmware_gen.errors import InputError
from firmware_gen.plan.program import Program
from firmware_gen.target import Core

ARENA_ALIGNMENT_BYTES = 16

_MODEL_COMMENT = """\
/* One inference of the model.
 *
 * input, output: codes as the .tflite file has them. Each may lie anywhere outside of the arena, apart from
 * each other (the input is then only read), or exactly at arena + TFSER_MODEL_INPUT_OFFSET and arena +
 * TFSER_MODEL_OUTPUT_OFFSET, where the plan has kept room for them; there the input is consumed.
 * arena: TFSER_MODEL_ARENA_BYTES at a multiple of TFSER_MODEL_ARENA_ALIGNMENT; its content is of no
 * meaning between calls. There is no other state: calls with different arenas may run at once.
 * Gives TFSER_MODEL_OK, or an error before anything was written. */
int tfser_model_run(const int8_t *input, int8_t *output, void *arena);"""

_PROFILE_HEADER = """\
/* Build with TFSER_PROFILE defined to have tfser_profile_part called, which you define: with the number of a
 * part of the model whenever it begins (parts take turns, a few rows each), and at the end with the number of parts. */
#ifndef TFSER_PROFILE_H
#define TFSER_PROFILE_H

#ifdef __cplusplus
extern "C" {
#endif

void tfser_profile_part(int part);

#ifdef __cplusplus
}
#endif

#endif /* TFSER_PROFILE_H */
"""

# Kernels for Thumb-2 without DSP hold wider words than the scratch of this plan has room for.
_NEEDS_DSP = """\
#if defined(__thumb2__) && !defined(__ARM_FEATURE_DSP)
#error "the arena was planned for a core with the DSP extension: compile the model again for this core"
#endif
"""

_MODEL_SOURCE_HEAD = """\
#ifdef TFSER_PROFILE
#include "tfser_profile.h"
#define PART(number) tfser_profile_part(number)
#else
#define PART(number) ((void)0)
#endif

/* Steps in one function would hold the stack that the largest needs while another calls its kernels. */
#if defined(__GNUC__)
#define STEP static __attribute__((noinline))
#else
#define STEP static
#endif
"""


@dataclass(frozen=True)
class ModelText:
    """Generated files by name, and the bytes of their constants: int8 weights with biases, and all other tables.

    ``part_bytes`` shares both out among the :func:`part_names`.
    """

    files: dict[str, str]
    weights_bytes: int
    tables_bytes: int
    part_bytes: list[dict[str, int]]


def emit_model(program: Program, core: Core) -> ModelText:
    """Write the C of a program.

    Parameters
    ----------
    program : Program
        One input and one output.
    core : Core
        Decides the form of the packed weights: ``rows`` for Helium, else ``pairs``.

    Returns
    -------
    ModelText
        The same for the same program; the kernels that it calls are in :mod:`firmware_gen.kernels`.

    Raises
    ------
    InputError
        A sum of products that may exceed int32; several inputs or outputs.
    """
    for side, found in (("inputs", program.inputs), ("outputs", program.outputs)):
        if len(found) != 1:
            raise InputError("FG-EMIT-02", f"{len(found)} {side}", expected=f"one of the model's {side}",
                             fix="export a model with one input and one output")
    constants = Constants()
    form = "rows" if core.helium else "pairs"
    steps = [step_function(program, number, constants, form) for number in range(len(program.steps))]
    files = {"tfser_model.h": _model_header(program), "tfser_model.c": _model_source(program, core, steps),
             "tfser_profile.h": _PROFILE_HEADER}
    for kind in SECTIONS:
        files[f"tfser_{kind}.h"] = _constants_header(kind, constants)
        files[f"tfser_{kind}.c"] = _constants_source(kind, constants)
    return ModelText(files, constants.byte_size("weights"), constants.byte_size("tables"), constants.part_bytes)


def part_names(program: Program) -> list[str]:
    """The operators of the file that each part of the generated code stands for, in the order of a profile."""
    return [node.title for step in program.steps for node in step.nodes]


def _model_header(program: Program) -> str:
    (given,), (gives,) = program.inputs, program.outputs
    numbers = {"INPUT_BYTES": program.buffers[given].size, "OUTPUT_BYTES": program.buffers[gives].size,
               "ARENA_BYTES": program.arena_bytes, "ARENA_ALIGNMENT": ARENA_ALIGNMENT_BYTES,
               "INPUT_OFFSET": program.buffers[given].offset, "OUTPUT_OFFSET": program.buffers[gives].offset}
    errors = ["#define TFSER_MODEL_OK 0", "#define TFSER_MODEL_ERROR_NULL (-1)      /* a pointer is NULL */",
              "#define TFSER_MODEL_ERROR_ALIGNMENT (-2) /* the arena is not aligned */"]
    return _header("tfser_model.h", [*(f"#define TFSER_MODEL_{name} {value}" for name, value in numbers.items()),
                                     "", *errors], [_MODEL_COMMENT])


def _model_source(program: Program, core: Core, steps: list[list[str]]) -> str:
    used = sorted({HEADERS[type(node.op)] for step in program.steps for node in step.nodes})
    includes = ["tfser_model.h", *used, *(f"tfser_{kind}.h" for kind in SECTIONS)]
    calls = [f"    step{number}(input, output, base);" for number in range(len(steps))]
    run = ["int tfser_model_run(const int8_t *input, int8_t *output, void *arena) {",
           "    int8_t *const base = (int8_t *)arena;",
           "    if (!input || !output || !arena) {", "        return TFSER_MODEL_ERROR_NULL;", "    }",
           "    if ((uintptr_t)arena % TFSER_MODEL_ARENA_ALIGNMENT != 0) {",
           "        return TFSER_MODEL_ERROR_ALIGNMENT;", "    }",
           *calls, f"    PART({len(part_names(program))});", "    return TFSER_MODEL_OK;", "}"]
    guard = [_NEEDS_DSP] if core.dsp and not core.helium else []
    return "\n".join([*(f'#include "{name}"' for name in includes), "", *guard, _MODEL_SOURCE_HEAD,
                      *("\n".join([*lines, ""]) for lines in steps), *run, ""])


def _constants_header(kind: str, constants: Constants) -> str:
    return _header(f"tfser_{kind}.h", [], constants.declarations(kind))


def _constants_source(kind: str, constants: Constants) -> str:
    macro = SECTIONS[kind]
    return "\n".join([
        f'#include "tfser_{kind}.h"', "", "#ifndef __cplusplus", "#include <stdalign.h>", "#endif", "",
        f"/* Where the constants go: -D{macro}='__attribute__((section(\".name\")))'. */",
        f"#ifndef {macro}", f"#define {macro}", "#endif", "", *constants.definitions(kind), ""])


def _header(name: str, macros: list[str], declarations: list[str]) -> str:
    guard = guard_name(name.removeprefix("tfser_"))
    return "\n".join([f"#ifndef {guard}", f"#define {guard}", "", "#include <stdint.h>", "", *macros,
                      *([""] if macros else []), "#ifdef __cplusplus", 'extern "C" {', "#endif", "", *declarations, "",
                      "#ifdef __cplusplus", "}", "#endif", "", f"#endif /* {guard} */", ""])
