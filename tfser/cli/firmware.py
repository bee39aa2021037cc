"""The firmware of a build folder: generated C, the image made of it, and what was measured on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from firmware_gen.compile import Compiled, compile_application, compile_model
from firmware_gen.errors import FirmwareError, ToolError
from firmware_gen.export.examples import write_examples
from firmware_gen.export.exports import write_exports
from firmware_gen.export.layout import LICENSE, license_text
from firmware_gen.frontend.features import Features
from firmware_gen.image.harness import Run
from firmware_gen.image.link import link_image
from firmware_gen.image.listening import Heard, Recording
from firmware_gen.image.measure import Measured, profile_parts
from firmware_gen.image.simulate import listen_on_chip, simulate
from firmware_gen.image.stack import require_within, stack_bounds
from firmware_gen.image.toolchain import Unavailable, arm_compiler, compiler_version, emulator, write_sources
from firmware_gen.plan.picture import memory_picture
from firmware_gen.target import Core

FIRMWARE, EXAMPLES, IMAGE, PICTURE = "firmware", "examples", "firmware.elf", "memory.svg"
COMPILER, EMULATOR = "arm-none-eabi-gcc", "qemu-system-arm"
PLANNED_FIGURES = ("arena_bytes", "application_bytes")
IMAGE_FIGURES = ("flash_code_bytes", "flash_tables_bytes", "flash_weights_bytes", "static_ram_bytes",
                 "firmware_elf_bytes")
BOUND_FIGURES = ("stack_bound_bytes",)
RUN_FIGURES = ("instructions_per_inference", "stack_bytes")
LISTENING_FIGURES = ("frontend_instructions_per_second", "decision_instructions")


@dataclass(eq=False)
class Firmware:
    """What was delivered. ``figures`` are numbers or ``None``, which has its reason under the same key.

    ``run`` and ``heard`` are the image's on an emulated chip and ``profile`` the instructions of each step for
    the first input; they are ``None`` where there is no image or no emulator, ``heard`` also without a recording.
    """

    figures: dict[str, int | None]
    reasons: dict[str, str] = field(default_factory=dict)
    tool_versions: dict[str, str] = field(default_factory=dict)
    run: Run | None = None
    heard: Heard | None = None
    profile: list[dict[str, str | int]] | None = None

    def unmeasured(self, names: tuple[str, ...], error: ToolError) -> None:
        """Note why figures are missing."""
        self.figures.update(dict.fromkeys(names))
        self.reasons.update(dict.fromkeys(names, error.received))


def write_firmware(folder: Path, compiled: Compiled, core: Core, inputs: np.ndarray, exports: Sequence[str] = (),
                   recording: Recording | None = None) -> Firmware:
    """Write ``firmware/``, ``memory.svg`` and, where the tools are there, ``firmware.elf``; run it once for each input.

    Parameters
    ----------
    folder : Path
        The build folder.
    compiled : Compiled
        The C of a model or of an application.
    core : Core
        The one that it was compiled for.
    inputs : np.ndarray [shape=(n, ...)], int8
    exports : sequence of str
        Projects for other build systems, written into ``firmware/`` beside the C that they are made of, as are the
        examples of an application.
    recording : Recording, optional
        What the application hears.

    Raises
    ------
    ToolError
        A tool is there and fails.
    CheckFailed
        The model refuses to run, or its stack overruns.
    """
    write_sources(folder / FIRMWARE, {**compiled.files, LICENSE: license_text()})
    write_exports(compiled.files, folder / FIRMWARE, core, exports)
    if compiled.application_bytes is not None:
        write_examples(compiled.files, folder / FIRMWARE / EXAMPLES, core)
    (folder / PICTURE).write_text(memory_picture(compiled.program), encoding="utf-8")
    firmware = Firmware(planned_figures(compiled))
    ran = (*RUN_FIGURES, *(LISTENING_FIGURES if recording else ()))
    try:
        image = link_image(compiled.files, core)
        firmware.tool_versions[COMPILER] = compiler_version([arm_compiler()])
    except Unavailable as error:
        firmware.unmeasured((*IMAGE_FIGURES, *BOUND_FIGURES, *ran), error)
        return firmware
    (folder / IMAGE).write_bytes(image)
    firmware.figures.update(Measured.of_image(image).figures)
    bounds = _stack_bounds(firmware, compiled, core)
    try:
        _run(firmware, image, core, inputs, recording)
        firmware.tool_versions[EMULATOR] = compiler_version([emulator()])
    except Unavailable as error:
        firmware.unmeasured(ran, error)
        return firmware
    if bounds:
        require_within(firmware.figures["stack_bytes"] or 0, bounds)
    firmware.profile = _profile(compiled, core, firmware.run, inputs)
    return firmware


def _stack_bounds(firmware: Firmware, compiled: Compiled, core: Core) -> dict[str, int]:
    """The most stack that each entry can take, noted; empty where another compiler or C library hides it."""
    try:
        bounds = stack_bounds(compiled.files, core)
    except ToolError as error:
        firmware.unmeasured(BOUND_FIGURES, error)
        return {}
    firmware.figures["stack_bound_bytes"] = max(bounds.values())
    return bounds


def planned_figures(compiled: Compiled) -> dict[str, int | None]:
    """What is known without a compiler: the memory that the caller provides."""
    application = {} if compiled.application_bytes is None else {"application_bytes": compiled.application_bytes}
    return {"arena_bytes": compiled.program.arena_bytes, **application}


def _run(firmware: Firmware, image: bytes, core: Core, inputs: np.ndarray, recording: Recording | None) -> None:
    """Run the image and note what that took; instructions of the model are those for ``inputs``."""
    run = simulate(image, core.qemu_machine, inputs)
    counted = Measured.of_run(run, core).figures
    if recording:
        firmware.heard = listen_on_chip(image, core.qemu_machine, recording)
        heard = Measured.of_heard(firmware.heard, core, recording.sample_rate_hz).figures
        counted = {**heard, **counted, "stack_bytes": max(counted["stack_bytes"], heard["stack_bytes"])}
    firmware.figures.update(counted)
    firmware.run = run


def _profile(compiled: Compiled, core: Core, plain: Run | None,
             inputs: np.ndarray) -> list[dict[str, str | int]] | None:
    """Instructions of each operator; ``None`` where the board has no room for the image that counts them."""
    if plain is None:
        return None
    try:
        profiled = simulate(link_image(compiled.files, core, profile=True), core.qemu_machine, inputs)
    except Unavailable:
        return None
    return profile_parts(profiled, plain, core, compiled.parts)


def compile_named(content: bytes, core: Core, name: str, features: Features | None = None) -> Compiled:
    """Compile a model, with the application around it where there are ``features``; errors say which file it was.

    Raises
    ------
    InputError
        Not a model that can be compiled, or features of another one.
    """
    try:
        return compile_application(content, features, core) if features else compile_model(content, core)
    except FirmwareError as error:
        raise type(error)(error.code, f"model {name!r}: {error.received}", expected=error.expected,
                          fix=error.fix) from error


def constants(compiled: Compiled) -> dict[str, Any]:
    """Bytes of the generated C's constants, which are known without a compiler; ``parts`` in the plan's order."""
    parts = [{f"{kind}_bytes": size for kind, size in part.items()} for part in compiled.part_bytes]
    return {"weights_bytes": compiled.weights_bytes, "tables_bytes": compiled.tables_bytes, "parts": parts}


def versions(*packages: str) -> dict[str, str]:
    """Installed versions of Python packages."""
    return {name: metadata.version(name) for name in packages}


def read_sources(folder: Path) -> dict[str, str]:
    """The generated C of a build folder, by file name; empty where it holds none."""
    files = sorted(path for path in (folder / FIRMWARE).glob("*.[ch]") if path.is_file())
    return {path.name: path.read_text(encoding="utf-8") for path in files}
