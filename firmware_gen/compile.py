"""The compiler from end to end: an int8 .tflite file in, C files out."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_gen.emit.firmware import emit_model, part_names
from firmware_gen.frontend.lower import lower
from firmware_gen.frontend.tflite import read_tflite
from firmware_gen.kernels.sources import kernels_for
from firmware_gen.passes.pipeline import optimise
from firmware_gen.plan.planner import make_program
from firmware_gen.plan.program import Program
from firmware_gen.target import Core


@dataclass(frozen=True, eq=False)
class Compiled:
    """What :func:`compile_model` gives.

    ``files`` are C sources and headers by name, complete: the model, its constants and the kernels
    that it calls. ``parts`` names what a profile counts, in the operators of the file.
    ``weights_bytes`` counts packed int8 weights and biases, ``tables_bytes`` all other constant arrays.
    """

    files: dict[str, str]
    program: Program
    parts: list[str]
    weights_bytes: int
    tables_bytes: int


def compile_model(content: bytes, core: Core) -> Compiled:
    """Compile a model for a core. Same content and core, same files.

    Parameters
    ----------
    content : bytes
        A .tflite file, int8, static shapes, one input and one output.
    core : Core
        Decides the form of the kernels. The files compile and run anywhere, with the same results.

    Raises
    ------
    InputError
        Not such a file, or an operator that the compiler does not have.
    """
    program = make_program(optimise(lower(read_tflite(content))), core)
    model = emit_model(program, core)
    files = {**model.files, **kernels_for(model.files["tfser_model.c"])}
    return Compiled(dict(sorted(files.items())), program, part_names(program), model.weights_bytes,
                    model.tables_bytes)
