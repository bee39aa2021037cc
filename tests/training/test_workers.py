"""The processes of a study: renewed, ended with their parent, and missed when they are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tfser.errors import ToolError
from tfser.training import workers
from tfser.training.workers import local_pool


def test_processes_are_replaced_after_some_parts(monkeypatch):
    monkeypatch.setattr(workers, "PARTS_A_PROCESS", 2)
    with local_pool(1) as pool:
        assert pool.places() == 1
        pids = [pool.executor.submit(os.getpid).result(60) for _ in range(5)]
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4] and os.getpid() not in pids
    assert len(set(pids)) == 3 and not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_killed_process_is_said_to_be():
    with pytest.raises(ToolError, match="TF-BENCH-06"), local_pool(1) as pool:
        pool.executor.submit(os.abort).result(60)


def test_an_error_ends_the_processes_and_what_they_do():
    with pytest.raises(KeyError), local_pool(2) as pool:
        pid = pool.executor.submit(os.getpid).result(60)
        pool.executor.submit(time.sleep, 300)
        raise KeyError("mine")
    assert not Path(f"/proc/{pid}").exists()


def test_a_killed_parent_leaves_no_process_behind():
    code = ("import os, time\nfrom tfser.training.workers import local_pool\n"
            "if __name__ == '__main__':\n    with local_pool(1) as pool:\n"
            "        print(pool.executor.submit(os.getpid).result(60), flush=True)\n"
            "        pool.executor.submit(time.sleep, 300).result()\n")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{child}").exists() and "\nState:\tZ" not in Path(f"/proc/{child}/status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
