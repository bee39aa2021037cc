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
from firmware_gen.image.harness import Run, read_run
from firmware_gen.image.toolchain import emulator, run_tool

#: SysTick's step on each board, in instructions: calibrated with a loop of known length.
INSTRUCTIONS_PER_TICK = {
    "mps2-an385": Fraction(40), "mps2-an386": Fraction(40), "mps2-an500": Fraction(40),
    "mps2-an505": Fraction(50), "mps3-an547": Fraction(125, 4),
}

_LEFT = {
    90: "it could not open its files", 91: "its last input was cut short", 92: "it could not write its results",
    99: "it faulted",
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
    command = [emulator(), "-machine", machine, "-icount", "shift=0", "-display", "none", "-serial", "none",
               "-monitor", "none", "-semihosting-config", "enable=on,target=native", "-kernel", "firmware.elf"]
    with tempfile.TemporaryDirectory(prefix="tfser-") as name:
        folder = Path(name)
        (folder / "firmware.elf").write_bytes(image)
        (folder / "input.bin").write_bytes(np.ascontiguousarray(inputs, np.int8).tobytes())
        ended = run_tool(command, folder, timeout_s=_STARTUP_SECONDS + _INPUT_SECONDS * len(inputs), may_fail=True)
        if ended.returncode:
            said = ended.stderr.decode("utf-8", "replace").strip()
            raise ToolError("FG-IMG-14", f"the image stopped on {machine}: "
                                         f"{_LEFT.get(ended.returncode, said or f'exit code {ended.returncode}')}",
                            expected="an image that runs to its end", fix="build the folder again")
        return read_run((folder / "output.bin").read_bytes(), (folder / "measured.bin").read_bytes(), len(inputs))


def instructions(ticks: int, machine: str) -> int:
    """Instructions that a number of SysTick's steps stands for."""
    return round(ticks * INSTRUCTIONS_PER_TICK[machine])
