"""Runs the firmware of a build folder, or of a model compiled for the occasion, on given inputs."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firmware_gen.frontend.model import Model, Tensor
from firmware_gen.image.harness import Run
from firmware_gen.image.host import run_on_host
from firmware_gen.image.link import link_image
from firmware_gen.image.measure import Measured, profile_parts
from firmware_gen.image.simulate import simulate
from firmware_gen.report.build_folder import read_build_folder
from firmware_gen.target import Core
from firmware_gen.target import target as find_target
from tfser.cli.firmware import IMAGE, IMAGE_FIGURES, RUN_FIGURES, compile_named, read_sources
from tfser.cli.model_file import read_model
from tfser.cli.output import log
from tfser.errors import InputError

FEATURES_FILE = "features.json"
ARRAY_SUFFIX, MODEL_SUFFIX = ".npy", ".tflite"


@dataclass(frozen=True, eq=False)
class Runnable:
    """C of a model with what is known of it. ``image`` is ``None`` where one has to be linked first.

    ``folder`` is where the model lies, and its features.json if it has one.
    """

    folder: Path
    model: Model
    core: Core
    sources: dict[str, str]
    parts: Sequence[str]
    figures: dict[str, int | None]
    image: bytes | None = None

    @property
    def ends(self) -> tuple[Tensor, Tensor]:
        """The model's input and output."""
        graph = self.model.subgraphs[0]
        return graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]


@dataclass(frozen=True, eq=False)
class Result:
    """``outputs`` is stacked as the inputs were. ``decision`` holds label and probabilities of a recording."""

    outputs: np.ndarray
    figures: dict[str, int | None]
    profile: list[dict[str, str | int]]
    decision: dict[str, Any]


def open_runnable(path: Path, target_name: str | None) -> Runnable:
    """Read a build folder, or compile a .tflite file for a target.

    Raises
    ------
    InputError
        The folder is damaged, holds no generated C or is for another target; a file without a
        target; not a model that can be compiled.
    """
    is_model = path.is_file() or (path.suffix == MODEL_SUFFIX and not path.is_dir())
    return _compiled(path, target_name) if is_model else _built(path, target_name)


def _built(path: Path, target_name: str | None) -> Runnable:
    build = read_build_folder(path)
    sources = read_sources(path)
    if "tfser_model.c" not in sources:
        raise InputError("TF-SIM-01", f"{str(path)!r} holds no generated C", expected="firmware/tfser_model.c",
                         fix="build it again with 'tfser build' or 'tfser compile' of this version")
    core = find_target(build.target).core
    if target_name is not None and find_target(target_name).core != core:
        raise InputError("TF-SIM-08", f"{str(path)!r} was built for {build.target}, and --target is {target_name}",
                         expected=f"the folder's own core, {core.name}",
                         fix="leave --target out, or build the folder again for that target")
    image = path / IMAGE
    return Runnable(path, build.model, core, sources, build.parts,
                    {name: build.measured.get(name) for name in ("arena_bytes", *IMAGE_FIGURES)},
                    image.read_bytes() if image.is_file() else None)


def _compiled(path: Path, target_name: str | None) -> Runnable:
    if target_name is None:
        raise InputError("TF-SIM-09", f"model {str(path)!r} without a target", expected="--target",
                         fix="name a core or board (see 'tfser targets'), or give a build folder")
    core = find_target(target_name).core
    model, content = read_model(path)
    compiled = compile_named(content, core, str(path))
    return Runnable(path.parent, model, core, compiled.files, compiled.parts,
                    {"arena_bytes": compiled.program.arena_bytes, **dict.fromkeys(IMAGE_FIGURES)})


def run_inputs(runnable: Runnable, input_path: Path, *, runner: str, profile: bool) -> Result:
    """Run a model on what a file holds.

    Parameters
    ----------
    runnable : Runnable
        From :func:`open_runnable`.
    input_path : Path
        ``.npy`` of int8, or a recording, whose features are computed here.
    runner : str
        ``"qemu"`` or ``"host"``.
    profile : bool
        Count each step.

    Raises
    ------
    InputError
        The input does not fit the model.
    ToolError
        A compiler or the emulator is missing, or fails.
    """
    given, gives = runnable.ends
    if input_path.suffix.lower() == ARRAY_SUFFIX:
        inputs, stacked = read_inputs(input_path, given)
        run, figures, steps = _run(runnable, inputs, runner=runner, profile=profile)
        outputs = run.outputs.reshape(len(inputs), *gives.shape)
        return Result(outputs if stacked else outputs[0], figures, steps, {})
    inputs, labels = read_recording(input_path, runnable.folder, given)
    run, figures, steps = _run(runnable, inputs, runner=runner, profile=profile)
    return Result(run.outputs.reshape(len(inputs), *gives.shape), figures, steps, decide(run.outputs, gives, labels))


def _run(runnable: Runnable, inputs: np.ndarray, *, runner: str,
         profile: bool) -> tuple[Run, dict[str, int | None], list[dict[str, str | int]]]:
    figures = dict(runnable.figures)
    if runner == "host":
        return run_on_host(runnable.sources, inputs), {**figures, **dict.fromkeys(RUN_FIGURES)}, []
    core, image = runnable.core, runnable.image
    if image is None:
        log.print(f"linking an image for {core.qemu_machine}")
        image = link_image(runnable.sources, core)
    figures.update(Measured.of_image(image).figures)
    run = simulate(image, core.qemu_machine, inputs)
    figures.update(Measured.of_run(run, core).figures)
    if not profile:
        return run, figures, []
    profiled = simulate(link_image(runnable.sources, core, profile=True), core.qemu_machine, inputs)
    return run, figures, profile_parts(profiled, run, core, runnable.parts)


def read_inputs(path: Path, tensor: Tensor) -> tuple[np.ndarray, bool]:
    """Inputs [shape=(n, *model's input)] of an .npy file, and whether they came stacked.

    Raises
    ------
    InputError
        The file cannot be read, or holds something else than int8 inputs of the model's shape.
    """
    try:
        with path.open("rb") as stream:
            x = np.load(stream, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError("TF-SIM-02", f"input {str(path)!r}: {error}", expected="an array as numpy.save writes it",
                         fix="save the input with numpy.save") from error
    if not isinstance(x, np.ndarray) or x.dtype != np.int8:
        what = x.dtype if isinstance(x, np.ndarray) else "several arrays"
        scale, zero_point = float(tensor.scale[0]), int(tensor.zero_point[0])
        raise InputError("TF-SIM-03", f"input {str(path)!r} is of {what}", expected="int8",
                         fix=f"quantise it: clip(round(x / {scale:.9g}) + {zero_point}, -128, 127).astype(int8)")
    if x.shape == tensor.shape:
        return x[None], False
    if x.shape[1:] == tensor.shape and len(x) > 0:
        return x, True
    raise InputError("TF-SIM-04", f"input {str(path)!r} has the shape {list(x.shape)}",
                     expected=f"{list(tensor.shape)}, or several of them stacked on a new first axis",
                     fix=f"x.reshape(-1, {', '.join(map(str, tensor.shape))}), if its order is the model's"
                         if x.size and x.size % tensor.elements == 0 else "give the input that the model takes")


def read_recording(path: Path, folder: Path, tensor: Tensor) -> tuple[np.ndarray, tuple[str, ...]]:
    """Quantised features [shape=(clips, *model's input)] of a recording, and the labels.

    Raises
    ------
    InputError
        The folder has no features.json, or another model's; the recording cannot be read or is silent.
    """
    if not path.is_file():
        raise InputError("TF-SIM-05", f"input {str(path)!r} does not exist or is not a file",
                         expected="an .npy file or a recording", fix="check the path")
    if not (folder / FEATURES_FILE).is_file():
        raise InputError("TF-SIM-06", f"{str(folder)!r} holds no {FEATURES_FILE}, so it takes no recordings",
                         expected="the folder of a speech model", fix="give its int8 input as an .npy file")
    from tfser.cli.predict import heard_clips
    from tfser.features.document import read_features_json
    from tfser.validate.accuracy import quantize

    document = read_features_json(folder / FEATURES_FILE)
    spec = document.spec
    if tensor.shape != (1, spec.frames, spec.mel_bands):
        raise InputError("TF-SIM-07", f"{FEATURES_FILE} gives features [{spec.frames}, {spec.mel_bands}] and the model "
                                      f"takes {list(tensor.shape)}",
                         expected="the files of one build", fix="build the folder again")
    x = quantize(heard_clips(path, spec), document.input_scale, document.input_zero_point)
    return x.reshape(len(x), *tensor.shape), document.labels


def decide(outputs: np.ndarray, tensor: Tensor, labels: tuple[str, ...]) -> dict[str, Any]:
    """Label and probabilities from logits, averaged over clips."""
    from tfser.validate.accuracy import probabilities

    mean = probabilities(outputs, float(tensor.scale[0]), int(tensor.zero_point[0])).mean(axis=0)
    by_label = {label: float(value) for label, value in zip(labels, mean, strict=True)}
    return {"label": max(by_label, key=lambda name: by_label[name]), "probabilities": by_label}
