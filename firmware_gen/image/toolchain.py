"""Finds and runs the tools that are not Python: Arm's compiler, the emulator, the host's compiler."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from firmware_gen.errors import ToolError
from firmware_gen.target import Core

ARM_COMPILER = "arm-none-eabi-gcc"
EMULATOR = "qemu-system-arm"
HOST_COMPILERS = ("cc", "gcc", "clang")

#: What all generated C is compiled with. No path or time of this machine gets into an object: sources
#: are named relative to the folder that they are compiled in.
COMMON_FLAGS = ("-std=c11", "-O2", "-g0")
SECTION_FLAGS = ("-ffunction-sections", "-fdata-sections")


class Unavailable(ToolError):
    """This machine cannot do it, and nothing is wrong: a tool is not installed, or the emulated board is too small."""


_COMPILE_SECONDS = 300
_SHOWN_LINES = 12
_ARM_FIX = "install it: 'tools/setup.sh toolchain', or your system's package {}"


def arm_compiler() -> str:
    """Path of Arm's bare-metal GCC.

    Raises
    ------
    Unavailable
        There is none on the PATH.
    """
    found = shutil.which(ARM_COMPILER)
    if found is None:
        raise Unavailable("FG-IMG-01", f"{ARM_COMPILER} is not installed", expected=f"{ARM_COMPILER} on the PATH",
                        fix=_ARM_FIX.format("gcc-arm-none-eabi with libnewlib-arm-none-eabi"))
    return found


def emulator() -> str:
    """Path of QEMU for Arm boards.

    Raises
    ------
    Unavailable
        There is none on the PATH.
    """
    found = shutil.which(EMULATOR)
    if found is None:
        raise Unavailable("FG-IMG-02", f"{EMULATOR} is not installed", expected=f"{EMULATOR} on the PATH",
                        fix=_ARM_FIX.format("qemu-system-arm") + ", or use --runner host")
    return found


def host_compiler() -> list[str]:
    """The C compiler of this machine: ``$CC`` where set (it may hold flags), else cc, gcc or clang.

    Raises
    ------
    Unavailable
        None of them is on the PATH.
    """
    chosen = shlex.split(os.environ.get("CC", ""))
    for command in [chosen] if chosen else [[name] for name in HOST_COMPILERS]:
        if shutil.which(command[0]) is not None:
            return command
    raise Unavailable("FG-IMG-03", f"no C compiler for this machine ({' '.join(chosen) or ', '.join(HOST_COMPILERS)})",
                    expected="one on the PATH", fix="install gcc or clang, or name yours in the variable CC")


def compiler_version(command: Sequence[str]) -> str:
    """First line of the compiler's ``--version``."""
    return run_tool([*command, "--version"], Path.cwd()).stdout.decode("utf-8", "replace").splitlines()[0]


def write_sources(folder: Path, files: Mapping[str, str]) -> None:
    """Write source files under their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in sorted(files.items()):
        (folder / name).write_bytes(text.encode())


def compile_objects(command: Sequence[str], folder: Path, sources: Mapping[str, Sequence[str]]) -> list[str]:
    """Compile sources in ``folder``; each becomes NAME.o beside it. Returns the objects in the sources' order.

    Parameters
    ----------
    command : sequence of str
        Compiler and flags.
    folder : Path
        Where the sources lie and where the compiler runs.
    sources : mapping of str to sequence of str
        File name and the flags that it needs beside the others.

    Raises
    ------
    ToolError
        A source does not compile.
    """
    objects = {name: f"{Path(name).stem}.o" for name in sources}
    commands = [[*command, *flags, "-c", name, "-o", objects[name]] for name, flags in sources.items()]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda line: run_tool(line, folder), commands))
    return list(objects.values())


def arm_flags(core: Core) -> list[str]:
    """What Arm's compiler is called with for a core, to compile and to link."""
    return [*core.gcc_flags, *COMMON_FLAGS, *SECTION_FLAGS]


def run_tool(command: Sequence[str], folder: Path, *, timeout_s: float = _COMPILE_SECONDS,
             stdin: bytes | None = None, may_fail: bool = False) -> subprocess.CompletedProcess[bytes]:
    """Run a tool in a folder, its messages in English whatever the user's language.

    Raises
    ------
    ToolError
        It cannot be started, takes too long, or (unless it ``may_fail``) ends with an error.
    """
    name = Path(command[0]).name
    try:
        result = subprocess.run(command, cwd=folder, env={**os.environ, "LC_ALL": "C"}, capture_output=True,
                                timeout=timeout_s, check=False, input=stdin,
                                stdin=subprocess.DEVNULL if stdin is None else None)
    except subprocess.TimeoutExpired as error:
        raise ToolError("FG-IMG-04", f"{name} did not end within {timeout_s:g} s",
                        fix="run fewer inputs at once, or a smaller model") from error
    except OSError as error:
        raise ToolError("FG-IMG-05", f"{name} cannot be started: {error}",
                        fix="check that tool's installation") from error
    if result.returncode and not may_fail:
        raise tool_failed(name, result)
    return result


def tool_failed(name: str, result: subprocess.CompletedProcess[bytes]) -> ToolError:
    """The error of a tool that ended with one."""
    said = "\n    ".join(result.stderr.decode("utf-8", "replace").strip().splitlines()[:_SHOWN_LINES])
    return ToolError("FG-IMG-06", f"{name} failed with exit code {result.returncode}:\n    {said}",
                     expected="a tool that takes the generated C", fix="check the tool's version and installation")
