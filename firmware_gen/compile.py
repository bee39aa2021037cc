"""The compiler from end to end: an int8 .tflite file in, C files out."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from firmware_gen.emit.application import TrainedOn, application_bytes, emit_application
from firmware_gen.emit.firmware import emit_model, part_names
from firmware_gen.errors import InputError
from firmware_gen.frontend.features import Features
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
    ``weights_bytes`` counts packed int8 weights and biases, ``tables_bytes`` all other constant arrays;
    ``part_bytes`` shares out both (``weights``, ``tables``) among the parts, what several use to the first of them.
    ``application_bytes`` is the RAM of the application layer beside the model's arena; ``None`` without one.
    """

    files: dict[str, str]
    program: Program
    parts: list[str]
    weights_bytes: int
    tables_bytes: int
    part_bytes: list[dict[str, int]]
    application_bytes: int | None = None


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
                    model.tables_bytes, model.part_bytes)


def compile_application(content: bytes, features: Features, core: Core,
                        trained_on: TrainedOn | None = None) -> Compiled:
    """Compile a model with the application layer around it: samples in, label out (``tfser.h``).

    Parameters
    ----------
    content : bytes
        As for :func:`compile_model`; its input and output have one scale each.
    features : Features
        Of the model's ``features.json``.
    core : Core
        Also decides whether the audio front end is in single precision or in fixed point.
    trained_on : TrainedOn, optional
        Goes into ``tfser.h``, and changes nothing else.

    Raises
    ------
    InputError
        As :func:`compile_model`, or the model and the features do not belong together.
    """
    graph = read_tflite(content).subgraphs[0]
    given, gives = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    expected = [np.float32(features.input_scale), features.input_zero_point]
    if [*given.scale, *given.zero_point] != expected or gives.scale.size != 1:
        raise InputError("FG-FEAT-07", f"a model whose input has scale {[float(scale) for scale in given.scale]} and "
                         f"zero point {given.zero_point.tolist()}, and features.json with {expected[0]!s} and "
                         f"{expected[1]}", expected="features.json of this model",
                         fix="keep the files of a build folder together, or build again")
    model = compile_model(content, core)
    texts = emit_application(features, model.program, core, float(gives.scale[0]), trained_on)
    files = {**model.files, **texts, **kernels_for(texts["tfser.c"])}
    return dataclasses.replace(model, files=dict(sorted(files.items())),
                               application_bytes=application_bytes(features, model.program))
