"""A training in a process of its own, which kills itself at a given moment or is killed from outside."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

from tfser.features.dataset import FeatureSet
from tfser.training.run import Training, train

# TensorFlow is imported once, by the process that all of these are forks of.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tfser.training.loop"])
PATIENCE_S = 120


def start(training: Training, data: FeatureSet, out: Path, *, kill_at: str = "") -> Any:
    """Train in another process, or continue what ``out`` holds.

    ``kill_at`` is ``"replace N"`` or ``"unlink N"``: the process is killed as it is about to call the N-th
    ``os.replace`` or ``os.unlink``, by which files become whole and the state goes.
    """
    process = CONTEXT.Process(target=_train, args=(training, data, out, kill_at))
    process.start()
    return process


def finish(process: Any) -> int:
    """Wait for the end; the exit code is negative for a signal."""
    process.join(PATIENCE_S)
    assert process.exitcode is not None
    return process.exitcode


def kill_in(process: Any, out: Path, *, epochs: int, delay_s: float) -> None:
    """Kill a training ``delay_s`` after it has done ``epochs`` epochs, unless it ends before."""
    deadline = time.monotonic() + PATIENCE_S
    while epochs_done(out) < epochs and process.is_alive():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(delay_s)
    process.kill()


def epochs_done(out: Path) -> int:
    """Epochs in the state, 0 without one."""
    import json

    try:
        with np.load(out / "state.npz") as archive:
            return len(json.loads(str(archive["metadata"]))["history"])
    except FileNotFoundError:
        return 0


def _train(training: Training, data: FeatureSet, out: Path, kill_at: str) -> None:
    if kill_at:
        _arm(*kill_at.split())
    train(training, data, out, resume=(out / "state.npz").is_file(), on_epoch=lambda entry: None)


def _arm(name: str, number: str) -> None:
    function, calls = getattr(os, name), 0

    def killing(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == int(number):
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)

    setattr(os, name, killing)
