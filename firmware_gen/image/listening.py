"""Recordings through the application layer: what ``boards/harness_listen.c`` reads and writes, as arrays."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_gen.errors import CheckFailed, ToolError
from firmware_gen.image.harness import ASKED_RECORDING, Written, require_stack

_STRETCH = struct.Struct("<II")
_RECORD = struct.Struct("<iIIII")

#: Statuses of tfser_classify (``tfser.h``) that are no errors.
OK, NOT_READY, QUIET = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Stretch:
    """Samples ``pcm`` [shape=(n,)], int16, at whose end there is a decision; ``begins`` a recording or goes on."""

    pcm: np.ndarray
    begins: bool


@dataclass(frozen=True, eq=False)
class Recording:
    """What an application layer for ``labels`` labels and samples of ``sample_rate_hz`` hears."""

    stretches: tuple[Stretch, ...]
    sample_rate_hz: int
    labels: int


@dataclass(frozen=True, eq=False)
class Heard:
    """A decision for each of ``n`` stretches.

    ``statuses`` are those of ``tfser_classify``. ``features`` int8 [shape=(n, frames * bands)], ``outputs`` int8
    [shape=(n, labels)] and ``probabilities`` float32 [shape=(n, labels)] are zeros where there is no decision.
    ``samples`` were fed; ``feed_ticks``, ``model_ticks`` and ``classify_ticks`` (the model included) were counted and
    ``stack_bytes`` painted, all zeros on the host.
    """

    statuses: tuple[int, ...]
    features: np.ndarray
    outputs: np.ndarray
    probabilities: np.ndarray
    samples: tuple[int, ...]
    feed_ticks: tuple[int, ...]
    model_ticks: tuple[int, ...]
    classify_ticks: tuple[int, ...]
    stack_bytes: tuple[int, ...]


def record(clips: Sequence[tuple[np.ndarray, Sequence[int]]], sample_rate_hz: int, labels: int) -> Recording:
    """Recordings one after the other, each with a decision where given numbers of its samples have been heard.

    Parameters
    ----------
    clips : sequence of (np.ndarray [shape=(samples,)] of int16, sequence of int)
        The numbers ascend, at most ``samples``.
    """
    stretches = [Stretch(pcm[start:end], begins=start == 0)
                 for pcm, ends in clips for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    return Recording(tuple(stretches), sample_rate_hz, labels)


def listening_request(recording: Recording) -> bytes:
    """The input file for a recording."""
    return ASKED_RECORDING + b"".join(_STRETCH.pack(stretch.begins, len(stretch.pcm)) +
                                      np.ascontiguousarray(stretch.pcm, "<i2").tobytes()
                                      for stretch in recording.stretches)


def read_heard(written: Written, recording: Recording) -> Heard:
    """The decisions from what was written.

    Raises
    ------
    CheckFailed
        The application layer returned an error, or its stack overran.
    ToolError
        Something else was written than was expected.
    """
    count, labels = len(recording.stretches), recording.labels
    length, rest = divmod(len(written.output), count) if count else (0, 1)
    if rest or length <= 5 * labels or len(written.measured) != count * _RECORD.size:
        raise ToolError("FG-IMG-17", f"{len(written.output)} bytes of decisions and {len(written.measured)} of "
                                     f"measurements for {count} stretches of a recording",
                        expected="one of each for each stretch", fix="build the folder again")
    statuses, feed, model, classify, stack = zip(*_RECORD.iter_unpack(written.measured), strict=True)
    for status, used in zip(statuses, stack, strict=True):
        if status not in (OK, NOT_READY, QUIET):
            raise CheckFailed("FG-IMG-18", f"the application layer returned {status}", expected="a code of no error",
                              fix="report this model: the code was generated for this arena")
        require_stack(used)
    records = np.frombuffer(written.output, np.uint8).reshape(count, length)
    features, outputs, probabilities = np.split(records, [length - 5 * labels, length - 4 * labels], axis=1)
    samples = tuple(len(stretch.pcm) for stretch in recording.stretches)
    return Heard(statuses, features.view(np.int8), outputs.view(np.int8),
                 np.ascontiguousarray(probabilities).view("<f4"), samples, feed, model, classify, stack)
