"""Compiles generated C for this machine and runs it."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from firmware_gen.errors import CheckFailed, ToolError
from firmware_gen.image.harness import Run, outputs_of
from firmware_gen.image.link import board_file
from firmware_gen.image.toolchain import COMMON_FLAGS, compile_objects, host_compiler, run_tool, write_sources

_RUN_SECONDS = 600
_REFUSED = 1


def run_on_host(sources: Mapping[str, str], inputs: np.ndarray) -> Run:
    """Outputs of the portable form of the generated C.

    Parameters
    ----------
    sources : mapping of str to str
        The generated files by name.
    inputs : np.ndarray [shape=(n, ...)], int8

    Raises
    ------
    ToolError
        There is no C compiler, or it or the program fails.
    CheckFailed
        The model refused to run.
    """
    compiler = host_compiler()
    compiled = {name: () for name in [*sorted(sources), "host.c"] if name.endswith(".c")}
    with tempfile.TemporaryDirectory(prefix="tfser-") as name:
        folder = Path(name)
        write_sources(folder, {**sources, "host.c": board_file("host.c")})
        objects = compile_objects([*compiler, *COMMON_FLAGS], folder, compiled)
        run_tool([*compiler, *objects, "-o", "model"], folder)
        ended = run_tool([str(folder / "model")], folder, timeout_s=_RUN_SECONDS, may_fail=True,
                         stdin=np.ascontiguousarray(inputs, np.int8).tobytes())
    if ended.returncode == _REFUSED:
        raise CheckFailed("FG-IMG-15", "tfser_model_run refused to run on this machine", expected="0",
                          fix="report this model: the code was generated for this arena")
    if ended.returncode:
        raise ToolError("FG-IMG-16", f"the program on this machine stopped: {_reason(ended.returncode)}",
                        expected="a program that runs to its end", fix="report this model, with the compiler's version")
    return Run(outputs_of(ended.stdout, len(inputs)))


def _reason(code: int) -> str:
    """What an exit code says; a negative one is the number of a signal."""
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
