"""The firmware of a build folder: generated C, the image made of it, and what was measured on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import numpy as np

from firmware_gen.compile import Compiled, compile_model
from firmware_gen.errors import FirmwareError
from firmware_gen.export.exports import write_exports
from firmware_gen.image.harness import Run
from firmware_gen.image.link import link_image
from firmware_gen.image.measure import Measured, profile_parts
from firmware_gen.image.simulate import simulate
from firmware_gen.image.toolchain import Unavailable, arm_compiler, compiler_version, emulator, write_sources
from firmware_gen.plan.picture import memory_picture
from firmware_gen.target import Core

FIRMWARE, IMAGE, PICTURE = "firmware", "firmware.elf", "memory.svg"
COMPILER, EMULATOR = "arm-none-eabi-gcc", "qemu-system-arm"
IMAGE_FIGURES = ("flash_code_bytes", "flash_tables_bytes", "flash_weights_bytes", "static_ram_bytes",
                 "firmware_elf_bytes")
RUN_FIGURES = ("instructions_per_inference", "stack_bytes")


@dataclass(eq=False)
class Firmware:
    """What was delivered. ``figures`` are numbers or ``None``, which has its reason under the same key.

    ``run`` is the image's on an emulated chip and ``profile`` the instructions of each step for the
    first input; both are ``None`` where there is no image or no emulator.
    """

    figures: dict[str, int | None]
    reasons: dict[str, str] = field(default_factory=dict)
    tool_versions: dict[str, str] = field(default_factory=dict)
    run: Run | None = None
    profile: list[dict[str, str | int]] | None = None

    def unmeasured(self, names: tuple[str, ...], error: Unavailable) -> None:
        """Note why figures are missing."""
        self.figures.update(dict.fromkeys(names))
        self.reasons.update(dict.fromkeys(names, error.received))


def write_firmware(folder: Path, compiled: Compiled, core: Core, inputs: np.ndarray,
                   exports: Sequence[str] = ()) -> Firmware:
    """Write ``firmware/``, ``memory.svg`` and, where the tools are there, ``firmware.elf``; run it once for each input.

    Parameters
    ----------
    folder : Path
        The build folder.
    compiled : Compiled
        The model's C.
    core : Core
        The one that it was compiled for.
    inputs : np.ndarray [shape=(n, ...)], int8
    exports : sequence of str
        Projects for other build systems, written into ``firmware/`` beside the C that they are made of.

    Raises
    ------
    ToolError
        A tool is there and fails.
    CheckFailed
        The model refuses to run, or its stack overruns.
    """
    write_sources(folder / FIRMWARE, compiled.files)
    write_exports(compiled.files, folder / FIRMWARE, core, exports)
    (folder / PICTURE).write_text(memory_picture(compiled.program), encoding="utf-8")
    firmware = Firmware({"arena_bytes": compiled.program.arena_bytes})
    try:
        image = link_image(compiled.files, core)
        firmware.tool_versions[COMPILER] = compiler_version([arm_compiler()])
    except Unavailable as error:
        firmware.unmeasured((*IMAGE_FIGURES, *RUN_FIGURES), error)
        return firmware
    (folder / IMAGE).write_bytes(image)
    firmware.figures.update(Measured.of_image(image).figures)
    try:
        firmware.run = simulate(image, core.qemu_machine, inputs)
        firmware.tool_versions[EMULATOR] = compiler_version([emulator()])
    except Unavailable as error:
        firmware.unmeasured(RUN_FIGURES, error)
        return firmware
    firmware.figures.update(Measured.of_run(firmware.run, core).figures)
    firmware.profile = _profile(compiled, core, firmware.run, inputs)
    return firmware


def _profile(compiled: Compiled, core: Core, plain: Run, inputs: np.ndarray) -> list[dict[str, str | int]] | None:
    """Instructions of each operator; ``None`` where the board has no room for the image that counts them."""
    try:
        profiled = simulate(link_image(compiled.files, core, profile=True), core.qemu_machine, inputs)
    except Unavailable:
        return None
    return profile_parts(profiled, plain, core, compiled.parts)


def compile_named(content: bytes, core: Core, name: str) -> Compiled:
    """Compile a model; errors say which file it was.

    Raises
    ------
    InputError
        Not a model that can be compiled.
    """
    try:
        return compile_model(content, core)
    except FirmwareError as error:
        raise type(error)(error.code, f"model {name!r}: {error.received}", expected=error.expected,
                          fix=error.fix) from error


def constants(compiled: Compiled) -> dict[str, int]:
    """Bytes of the generated C's constants, which are known without a compiler."""
    return {"weights_bytes": compiled.weights_bytes, "tables_bytes": compiled.tables_bytes}


def versions(*packages: str) -> dict[str, str]:
    """Installed versions of Python packages."""
    return {name: metadata.version(name) for name in packages}


def read_sources(folder: Path) -> dict[str, str]:
    """The generated C of a build folder, by file name; empty where it holds none."""
    files = sorted(path for path in (folder / FIRMWARE).glob("*.[ch]") if path.is_file())
    return {path.name: path.read_text(encoding="utf-8") for path in files}
