"""Where the parts of a study run: processes of this machine, or the workers of a Dask cluster."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from tfser.errors import ToolError
from tfser.training.sweep import Pool

#: Time for a process to remove its scratch files once it is told to end.
GRACE_S = 10.0
CONNECT_S = 15.0
#: TensorFlow keeps some 35 MB of every model that it trained: after so many parts a new process goes on.
PARTS_A_PROCESS = 20


@contextlib.contextmanager
def local_pool(jobs: int) -> Iterator[Pool]:
    """``jobs`` processes of this machine. On any error they are ended: what they were at is lost, no more.

    Raises
    ------
    ToolError
        A process was killed, such as for want of memory.
    """
    before = set(multiprocessing.active_children())
    executor = _Renewing(jobs)
    try:
        yield Pool(executor, lambda: jobs)
        executor.shutdown()
    except BaseException as error:
        children = [child for child in multiprocessing.active_children() if child not in before]
        executor.shutdown(wait=False, cancel_futures=True)
        _end(children)
        if isinstance(error, BrokenProcessPool):
            raise ToolError("TF-BENCH-06", "a process of the study was killed",
                            expected="memory for one TensorFlow in each of --jobs processes",
                            fix="run again, perhaps with fewer --jobs: finished parts are kept") from error
        raise


@contextlib.contextmanager
def dask_pool(address: str) -> Iterator[Pool]:
    """The workers of a Dask scheduler; a part whose worker dies goes to another.

    Raises
    ------
    ToolError
        ``distributed`` is not installed, nothing answers, or a part's workers died again and again.
    """
    try:
        from distributed import Client, KilledWorker
        from distributed.client import FutureCancelledError
        from distributed.comm import CommClosedError
    except ImportError as error:
        raise ToolError("TF-BENCH-07", f"Dask's distributed cannot be loaded: {error}", expected="the extra 'bench'",
                        fix="pip install 'tfser[bench]'") from error
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # it logs a traceback of what it raises
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ToolError("TF-BENCH-08", f"no Dask scheduler at {address!r}: {error}", expected="tcp://HOST:PORT",
                        fix="start one with 'dask scheduler', and workers with 'dask worker'") from error
    try:
        _require_worker(client, address)
        # Twice as many as can run, so that no worker waits for this process; one that joins later gets its share.
        yield Pool(client.get_executor(pure=False), lambda: max(1, 2 * sum(client.nthreads().values())))
    except (KilledWorker, FutureCancelledError, CancelledError, CommClosedError) as error:
        raise ToolError("TF-BENCH-09", f"the cluster at {address} lost a part: {type(error).__name__} {error}",
                        expected="workers that live, and a scheduler that stays",
                        fix="run again: finished parts are kept") from error
    finally:
        client.close(timeout=GRACE_S)


def _require_worker(client: Any, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=CONNECT_S)
    except TimeoutError as error:
        raise ToolError("TF-BENCH-10", f"the Dask scheduler at {address} has no worker", expected="one or more",
                        fix=f"start one on each machine with 'dask worker {address}'") from error


class _Renewing(Executor):
    """``jobs`` processes, replaced by new ones after ``PARTS_A_PROCESS`` parts each; those at work end theirs."""

    def __init__(self, jobs: int) -> None:
        self._jobs, self._given = jobs, 0
        self._processes = self._new()

    def _new(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self._jobs, multiprocessing.get_context("spawn"), initializer=_begin)

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self._given == self._jobs * PARTS_A_PROCESS:
            self._processes.shutdown(wait=False)
            self._processes, self._given = self._new(), 0
        self._given += 1
        return self._processes.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._processes.shutdown(wait, cancel_futures=cancel_futures)


def _begin() -> None:
    """In a new process: the parent alone decides about Ctrl-C, and its end is the end of its processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # removes scratch files on its way
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_S)
        os._exit(1)


def _end(children: list[Any]) -> None:
    for child in children:
        child.terminate()
    deadline = time.monotonic() + GRACE_S
    for child in children:
        child.join(max(0.0, deadline - time.monotonic()))
        if child.is_alive():
            child.kill()
