"""The files that the harness of an image or of a program on this machine reads and writes (``boards/harness.c``)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware_gen.errors import CheckFailed, ToolError

INPUT_FILE, OUTPUT_FILE, MEASURED_FILE = "input.bin", "output.bin", "measured.bin"

#: What an input file asks for: its first word.
ASKED_MODEL, ASKED_RECORDING = (struct.pack("<I", word) for word in (0, 1))

OVERRUN = 0xFFFFFFFF

#: Exit codes (``boards/exit_codes.h``).
LEFT = {
    90: "it could not open its files", 91: "its last input was cut short", 92: "it could not write its results",
    93: "it was asked for what it does not have", 99: "it faulted",
}

_RECORD = struct.Struct("<iIII")


@dataclass(frozen=True)
class Written:
    """Contents of the file of outputs and of the file of measurements."""

    output: bytes
    measured: bytes


def written_in(folder: Path) -> Written:
    """What the harness left in the folder that it ran in."""
    return Written((folder / OUTPUT_FILE).read_bytes(), (folder / MEASURED_FILE).read_bytes())


@dataclass(frozen=True, eq=False)
class Run:
    """Outputs of a model, and what each inference took where that was measured.

    ``outputs`` int8 [shape=(inputs, output bytes)]; ``ticks`` and ``stack_bytes`` have one entry an
    input, or none on the host. ``parts`` int64 [shape=(inputs, parts, 2)], the ticks of each part of the
    model and how often it began, is ``None`` where the image takes no profile.
    """

    outputs: np.ndarray
    ticks: tuple[int, ...] = ()
    stack_bytes: tuple[int, ...] = ()
    parts: np.ndarray | None = None


def model_request(inputs: np.ndarray) -> bytes:
    """The input file for a run of the model on ``inputs`` [shape=(n, ...)], int8."""
    return ASKED_MODEL + np.ascontiguousarray(inputs, np.int8).tobytes()


def read_run(written: Written, count: int) -> Run:
    """A run of the model from what was written for ``count`` inputs.

    Raises
    ------
    CheckFailed
        The model refused to run, or its stack overran.
    ToolError
        Something else was written than was expected.
    """
    at, records, parts = 0, [], []
    try:
        for _ in range(count):
            record = _RECORD.unpack_from(written.measured, at)
            counted = np.frombuffer(written.measured, "<u4", 2 * record[3], at + _RECORD.size)
            at += _RECORD.size + counted.nbytes
            records.append(record)
            parts.append(counted.reshape(-1, 2).astype(np.int64))
    except (struct.error, ValueError) as error:
        raise ToolError("FG-IMG-11", f"the image measured {at} of {count} inferences",
                        expected="a measurement for each input", fix="build the folder again") from error
    for status, _, stack, _ in records:
        if status != 0:
            raise CheckFailed("FG-IMG-12", f"tfser_model_run returned {status}", expected="0",
                              fix="report this model: the code was generated for this arena")
        require_stack(stack)
    return Run(_outputs(written.output, count), tuple(record[1] for record in records),
               tuple(record[2] for record in records), np.array(parts) if parts and parts[0].size else None)


def require_stack(used: int) -> None:
    """Refuse what was counted after the stack overran.

    Raises
    ------
    CheckFailed
        It did.
    """
    if used == OVERRUN:
        raise CheckFailed("FG-IMG-13", "the model used more stack than the image has", expected="at most 16 KiB",
                          fix="report this model")


def _outputs(content: bytes, count: int) -> np.ndarray:
    if count == 0 or not content or len(content) % count:
        raise ToolError("FG-IMG-10", f"{len(content)} bytes of output for {count} inputs",
                        expected="as many outputs as inputs", fix="build the folder again")
    return np.frombuffer(content, np.int8).reshape(count, -1).copy()
