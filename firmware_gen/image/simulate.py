"""Runs an image on an emulated chip and counts its instructions.

QEMU's ``-icount shift=0`` makes one instruction one nanosecond of the board's time, and SysTick counts
that time in its own steps: the count is the same in every run. Instructions, not cycles.
"""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np

from firmware_gen.errors import ToolError
from firmware_gen.image.harness import INPUT_FILE, LEFT, Run, Written, model_request, read_run, written_in
from firmware_gen.image.listening import Heard, Recording, listening_request, read_heard
from firmware_gen.image.toolchain import emulator, run_tool

#: SysTick's step on each board, in instructions: calibrated with a loop of known length.
INSTRUCTIONS_PER_TICK = {
    "mps2-an385": Fraction(40), "mps2-an386": Fraction(40), "mps2-an500": Fraction(40),
    "mps2-an505": Fraction(50), "mps3-an547": Fraction(125, 4),
}

_STARTUP_SECONDS, _INPUT_SECONDS = 60, 60


def simulate(image: bytes, machine: str, inputs: np.ndarray) -> Run:
    """Run an image of :func:`firmware_gen.image.link.link_image` once for each input.

    Parameters
    ----------
    image : bytes
        The ELF file.
    machine : str
        QEMU's name of the board, a key of ``INSTRUCTIONS_PER_TICK``.
    inputs : np.ndarray [shape=(n, ...)], int8

    Raises
    ------
    ToolError
        QEMU is missing or fails, or the image stopped on the way.
    CheckFailed
        The model refused to run, or its stack overran.
    """
    return read_run(_run(image, machine, model_request(inputs), len(inputs)), len(inputs))


def listen_on_chip(image: bytes, machine: str, recording: Recording) -> Heard:
    """Put a recording through the application layer of an image.

    Parameters
    ----------
    image : bytes
        The ELF file, of sources with an application layer.
    machine : str
        As for :func:`simulate`.
    recording : Recording
        One decision for each of its stretches.

    Raises
    ------
    ToolError
        QEMU is missing or fails, or the image stopped on the way.
    CheckFailed
        The application layer returned an error, or the stack overran.
    """
    written = _run(image, machine, listening_request(recording), len(recording.stretches))
    return read_heard(written, recording)


def _run(image: bytes, machine: str, request: bytes, count: int) -> Written:
    command = [emulator(), "-machine", machine, "-icount", "shift=0", "-display", "none", "-serial", "none",
               "-monitor", "none", "-semihosting-config", "enable=on,target=native", "-kernel", "firmware.elf"]
    with tempfile.TemporaryDirectory(prefix="tfser-") as name:
        folder = Path(name)
        (folder / "firmware.elf").write_bytes(image)
        (folder / INPUT_FILE).write_bytes(request)
        ended = run_tool(command, folder, timeout_s=_STARTUP_SECONDS + _INPUT_SECONDS * count, may_fail=True)
        if ended.returncode:
            said = ended.stderr.decode("utf-8", "replace").strip()
            raise ToolError("FG-IMG-14", f"the image stopped on {machine}: "
                                         f"{LEFT.get(ended.returncode, said or f'exit code {ended.returncode}')}",
                            expected="an image that runs to its end", fix="build the folder again")
        return written_in(folder)


def instructions(ticks: int, machine: str) -> int:
    """Instructions that a number of SysTick's steps stands for."""
    return round(ticks * INSTRUCTIONS_PER_TICK[machine])
