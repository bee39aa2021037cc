"""Links generated C with start-up code and harness to an image for an emulated chip."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from firmware_gen.emit.application import has_application
from firmware_gen.image.toolchain import (
    ARM_COMPILER,
    Unavailable,
    arm_compiler,
    arm_flags,
    compile_objects,
    run_tool,
    tool_failed,
    write_sources,
)
from firmware_gen.target import Core

#: Files of firmware_gen/image/boards: for every program, and for one with an application layer.
_HARNESS = ("harness.c", "harness.h", "platform.h", "exit_codes.h")
_LISTENING = ("harness_listen.c",)
_CHIP = ("start.c", "harness_chip.c", "semihosting.h", "sections.ld")
# The harness calls no library function, and the compiler must not make up such a call.
_HARNESS_FLAGS = ("-ffreestanding", "-fno-tree-loop-distribute-patterns")
_LINK_FLAGS = ("-nostartfiles", "--specs=nano.specs", "-Wl,--gc-sections", "-Wl,--build-id=none",
               "-Wl,--no-warn-rwx-segments", "-L.")


def board_file(name: str) -> str:
    """Text of a file that ships in firmware_gen/image/boards."""
    return (resources.files("firmware_gen.image") / "boards" / name).read_text(encoding="utf-8")


def harness_files(sources: Mapping[str, str], *platform: str) -> dict[str, str]:
    """The program around generated C, by file name, with the files of its ``platform``."""
    names = (*_HARNESS, *(_LISTENING if has_application(sources) else ()), *platform)
    return {name: board_file(name) for name in names}


def harness_flags(sources: Mapping[str, str]) -> list[str]:
    """What tells the harness what there is."""
    return ["-DTFSER_APPLICATION"] if has_application(sources) else []


def link_image(sources: Mapping[str, str], core: Core, *, profile: bool = False) -> bytes:
    """An ELF image that runs the model, or the application layer, on a file. Same sources, core and tools, same bytes.

    Parameters
    ----------
    sources : mapping of str to str
        The generated files by name.
    core : Core
        Its ``qemu_machine`` names the board whose linker script is used.
    profile : bool
        Also note when each step of the model begins.

    Raises
    ------
    Unavailable
        Arm's compiler is missing, or the emulated board has too little memory.
    ToolError
        The compiler failed.
    """
    compiler = arm_compiler()
    script = f"{core.qemu_machine}.ld"
    own = harness_files(sources, *_CHIP, script)
    flags = [*arm_flags(core), *harness_flags(sources), *(["-DTFSER_PROFILE"] if profile else [])]
    compiled = {name: _HARNESS_FLAGS if name in own else () for name in sorted({**sources, **own})
                if name.endswith(".c")}
    with tempfile.TemporaryDirectory(prefix="tfser-") as name:
        folder = Path(name)
        write_sources(folder, {**sources, **own})
        objects = compile_objects([compiler, *flags], folder, compiled)
        linked = run_tool([compiler, *flags, *_LINK_FLAGS, "-T", script, *objects, "-o", "firmware.elf"], folder,
                          may_fail=True)
        if linked.returncode:
            _raise_if_too_large(linked.stderr, core)
            raise tool_failed(ARM_COMPILER, linked)
        return (folder / "firmware.elf").read_bytes()


def _raise_if_too_large(said: bytes, core: Core) -> None:
    over = re.findall(r"region `(\w+)' overflowed by (\d+) bytes", said.decode("utf-8", "replace"))
    if over:
        regions = ", ".join(f"{region} by {size} B" for region, size in over)
        raise Unavailable("FG-IMG-09", f"the image exceeds the memory of the emulated {core.qemu_machine}: {regions}",
                          expected="a model that fits it", fix="run it on the host, or choose a smaller model")
