"""What the harness in an image reads and writes, as arrays."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from firmware_gen.errors import CheckFailed, ToolError

_RECORD = struct.Struct("<iIII")
_OVERRUN = 0xFFFFFFFF


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


def outputs_of(content: bytes, count: int) -> np.ndarray:
    """Stacked outputs from the file of outputs.

    Raises
    ------
    ToolError
        There are not as many outputs as inputs.
    """
    if count == 0 or not content or len(content) % count:
        raise ToolError("FG-IMG-10", f"{len(content)} bytes of output for {count} inputs",
                        expected="as many outputs as inputs", fix="build the folder again")
    return np.frombuffer(content, np.int8).reshape(count, -1).copy()


def read_run(output: bytes, measured: bytes, count: int) -> Run:
    """A run from the files that the image wrote.

    Raises
    ------
    CheckFailed
        The model refused to run, or its stack overran.
    ToolError
        The image wrote something else than was expected.
    """
    at, records, parts = 0, [], []
    try:
        for _ in range(count):
            record = _RECORD.unpack_from(measured, at)
            counted = np.frombuffer(measured, "<u4", 2 * record[3], at + _RECORD.size)
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
        if stack == _OVERRUN:
            raise CheckFailed("FG-IMG-13", "the model used more stack than the image has",
                              expected="at most 16 KiB", fix="report this model")
    return Run(outputs_of(output, count), tuple(record[1] for record in records),
               tuple(record[2] for record in records), np.array(parts) if parts and parts[0].size else None)
