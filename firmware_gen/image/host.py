"""Compiles generated C for this machine and runs it."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from firmware_gen.errors import ToolError
from firmware_gen.image.harness import INPUT_FILE, LEFT, Run, Written, model_request, read_run, written_in
from firmware_gen.image.link import harness_files, harness_flags
from firmware_gen.image.listening import Heard, Recording, listening_request, read_heard
from firmware_gen.image.toolchain import COMMON_FLAGS, compile_objects, host_compiler, run_tool, write_sources

_RUN_SECONDS = 600


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
    return Run(read_run(_run(sources, model_request(inputs)), len(inputs)).outputs)


def listen_on_host(sources: Mapping[str, str], recording: Recording) -> Heard:
    """Decisions of the application layer, as :func:`firmware_gen.image.simulate.listen_on_chip` gives them.

    Raises
    ------
    ToolError
        There is no C compiler, or it or the program fails.
    CheckFailed
        The application layer returned an error.
    """
    return read_heard(_run(sources, listening_request(recording)), recording)


def _run(sources: Mapping[str, str], request: bytes) -> Written:
    compiler = host_compiler()
    own = harness_files(sources, "harness_host.c")
    compiled = {name: () for name in sorted({**sources, **own}) if name.endswith(".c")}
    with tempfile.TemporaryDirectory(prefix="tfser-") as name:
        folder = Path(name)
        write_sources(folder, {**sources, **own})
        objects = compile_objects([*compiler, *COMMON_FLAGS, *harness_flags(sources)], folder, compiled)
        run_tool([*compiler, *objects, "-o", "model"], folder)
        (folder / INPUT_FILE).write_bytes(request)
        ended = run_tool([str(folder / "model")], folder, timeout_s=_RUN_SECONDS, may_fail=True)
        if ended.returncode:
            raise ToolError("FG-IMG-16", f"the program on this machine stopped: {_reason(ended.returncode)}",
                            expected="a program that runs to its end",
                            fix="report this model, with the compiler's version")
        return written_in(folder)


def _reason(code: int) -> str:
    """What an exit code says; a negative one is the number of a signal."""
    return signal.Signals(-code).name if code < 0 else LEFT.get(code, f"exit code {code}")
