"""Runs the firmware of a build folder, or of a model compiled for the occasion, on given inputs."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from firmware_gen.emit.application import has_application
from firmware_gen.errors import ToolError
from firmware_gen.frontend.features import read_features
from firmware_gen.frontend.model import Model, Tensor
from firmware_gen.image.harness import Run
from firmware_gen.image.host import run_on_host
from firmware_gen.image.link import link_image
from firmware_gen.image.measure import Measured, profile_parts
from firmware_gen.image.simulate import simulate
from firmware_gen.image.stack import stack_bounds
from firmware_gen.report.build_folder import MODEL_FILE, read_build_folder
from firmware_gen.target import Core
from firmware_gen.target import target as find_target
from tfser.cli.firmware import (
    BOUND_FIGURES,
    IMAGE,
    IMAGE_FIGURES,
    PLANNED_FIGURES,
    RUN_FIGURES,
    compile_named,
    planned_figures,
    read_sources,
)
from tfser.cli.model_file import read_model
from tfser.cli.output import log
from tfser.errors import InputError

FEATURES_FILE = "features.json"
ARRAY_SUFFIX, MODEL_SUFFIX = ".npy", ".tflite"


@dataclass(frozen=True)
class RunOptions:
    """How to run. ``runner`` is ``"qemu"`` or ``"host"``; ``profile`` counts each step of the model.

    Of a recording, the share of real time is for a decision every ``decide_every_s``; with ``all_boards`` it is
    also counted for boards of other cores, each of which the model is compiled for.
    """

    runner: str
    profile: bool
    decide_every_s: float
    all_boards: bool


@dataclass(frozen=True, eq=False)
class Runnable:
    """C of a model with what is known of it. ``image`` is ``None`` where one has to be linked first.

    ``path`` is that of the model. What hears recordings has an application layer, and features.json beside the model.
    """

    path: Path
    model: Model
    core: Core
    sources: dict[str, str]
    parts: Sequence[str]
    figures: dict[str, int | None]
    image: bytes | None = None

    @property
    def features_path(self) -> Path:
        """Where features.json is, if there is one."""
        return self.path.with_name(FEATURES_FILE)

    @property
    def hears(self) -> bool:
        """Whether there is an application layer."""
        return has_application(self.sources)

    @property
    def ends(self) -> tuple[Tensor, Tensor]:
        """The model's input and output."""
        graph = self.model.subgraphs[0]
        return graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]


@dataclass(frozen=True, eq=False)
class Result:
    """``outputs`` is stacked as the inputs were.

    Of a recording, ``decision`` holds label and probabilities, ``real_time`` what
    :func:`firmware_gen.report.real_time.real_time` gives.
    """

    outputs: np.ndarray
    figures: dict[str, int | None]
    profile: list[dict[str, str | int]]
    decision: dict[str, Any] = field(default_factory=dict)
    real_time: dict[str, Any] = field(default_factory=dict)


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
        reason = f" ({build.reasons['plan']})" if "plan" in build.reasons else ""
        raise InputError("TF-SIM-01", f"{str(path)!r} holds no generated C{reason}", expected="firmware/tfser_model.c",
                         fix="build it again with 'tfser build' or 'tfser compile' of this version")
    core = find_target(build.target).core
    if target_name is not None and find_target(target_name).core != core:
        raise InputError("TF-SIM-08", f"{str(path)!r} was built for {build.target}, and --target is {target_name}",
                         expected=f"the folder's own core, {core.name}",
                         fix="leave --target out, or build the folder again for that target")
    image = path / IMAGE
    return Runnable(path / MODEL_FILE, build.model, core, sources, build.parts,
                    {**dict.fromkeys(IMAGE_FIGURES), **_known(build.measured)},
                    image.read_bytes() if image.is_file() else None)


def _known(measured: dict[str, Any]) -> dict[str, int | None]:
    return {name: measured[name] for name in (*PLANNED_FIGURES, *BOUND_FIGURES, *IMAGE_FIGURES) if name in measured}


def _compiled(path: Path, target_name: str | None) -> Runnable:
    if target_name is None:
        raise InputError("TF-SIM-09", f"model {str(path)!r} without a target", expected="--target",
                         fix="name a core or board (see 'tfser targets'), or give a build folder")
    core = find_target(target_name).core
    model, content = read_model(path)
    beside = path.with_name(FEATURES_FILE)
    compiled = compile_named(content, core, str(path), read_features(beside) if beside.is_file() else None)
    return Runnable(path, model, core, compiled.files, compiled.parts,
                    {**dict.fromkeys(IMAGE_FIGURES), **planned_figures(compiled)})


def run_arrays(runnable: Runnable, path: Path, options: RunOptions) -> Result:
    """Run a model on the inputs that an ``.npy`` file of int8 holds.

    Parameters
    ----------
    runnable : Runnable
        From :func:`open_runnable`.
    path : Path
        One input, or several stacked on a new first axis.
    options : RunOptions

    Raises
    ------
    InputError
        The input does not fit the model.
    ToolError
        A compiler or the emulator is missing, or fails.
    """
    given, gives = runnable.ends
    inputs, stacked = read_inputs(path, given)
    figures: dict[str, int | None] = {**runnable.figures, **dict.fromkeys(RUN_FIGURES)}
    steps: list[dict[str, str | int]] = []
    if options.runner == "host":
        run = run_on_host(runnable.sources, inputs)
    else:
        image, sizes = image_of(runnable)
        run = simulate(image, runnable.core.qemu_machine, inputs)
        figures.update({**sizes, **Measured.of_run(run, runnable.core).figures})
        steps = profile_of(runnable, run, inputs) if options.profile else []
    outputs = run.outputs.reshape(len(inputs), *gives.shape)
    return Result(outputs if stacked else outputs[0], figures, steps)


def image_of(runnable: Runnable) -> tuple[bytes, dict[str, int | None]]:
    """The image that came with the folder, or one that is linked now, and its figures.

    Raises
    ------
    ToolError
        Arm's compiler is missing, or fails.
    """
    image = runnable.image
    if image is None:
        log.print(f"linking an image for {runnable.core.qemu_machine}")
        image = link_image(runnable.sources, runnable.core)
    (bound,) = BOUND_FIGURES
    known = runnable.figures.get(bound)
    return image, {**Measured.of_image(image).figures, bound: _bound(runnable) if known is None else known}


def _bound(runnable: Runnable) -> int | None:
    try:
        return max(stack_bounds(runnable.sources, runnable.core).values())
    except ToolError:
        return None


def profile_of(runnable: Runnable, plain: Run, inputs: np.ndarray) -> list[dict[str, str | int]]:
    """Instructions of each operator for ``inputs``, whose ``plain`` run was not profiled."""
    core = runnable.core
    profiled = simulate(link_image(runnable.sources, core, profile=True), core.qemu_machine, inputs)
    return profile_parts(profiled, plain, core, runnable.parts)


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
