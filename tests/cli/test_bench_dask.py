"""``tfser bench reparam --scheduler``: a real scheduler and real workers, one of which is killed half-way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from test_bench import records_of, start
from tiny_corpus import make_corpus

from tfser.errors import ToolError
from tfser.training import workers

ROOT = Path(__file__).resolve().parent.parent.parent
QUIET = ["--no-dashboard"]


def dask(*arguments: str, folder: Path) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    return subprocess.Popen([sys.executable, "-m", "dask", *arguments], cwd=folder, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)})


class Cluster:
    """A scheduler and, as asked for, workers; all of them end with it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "scheduler.json"
        self.scheduler = dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(self.file),
                              *QUIET, folder=folder)
        self.workers: list[subprocess.Popen[bytes]] = []
        deadline = time.monotonic() + 60
        while not self.file.is_file() or not self.file.read_text().endswith("}"):
            assert self.scheduler.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        self.address = json.loads(self.file.read_text())["address"]

    def add_worker(self, threads: int = 1) -> None:
        self.workers.append(dask("worker", "--scheduler-file", str(self.file), "--no-nanny", "--nthreads", str(threads),
                                 *QUIET, folder=self.folder / f"worker{len(self.workers)}"))

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *error: object) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait(20)


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    root = make_corpus(tmp_path_factory.mktemp("corpus"), speakers=("03", "08", "10"), takes=2)
    return ["bench", "reparam", "--corpus", "emodb", "--root", str(root), "--arch", "convtransformer", "--folds", "3",
            "--epochs", "2", "--seeds", "1", "--sites", "ffn", "--ratios", "0,2", "--deploy", "none"]


def without_seconds(records: dict[str, dict]) -> dict[str, dict]:
    return {name: {key: value for key, value in record.items() if key != "seconds"} for name, record in records.items()}


def wait_for(condition, child: subprocess.Popen[str], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert child.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)


def test_a_killed_worker_costs_no_result_and_doubles_none(arguments, tmp_path):
    """Four parts on two workers, one killed in its second part; then one of them on this machine."""
    out = tmp_path / "cluster"
    with Cluster(tmp_path / "dask") as cluster:
        cluster.add_worker()
        cluster.add_worker(threads=2)  # which runs one part at a time all the same
        child = start([*arguments, "--max-parts", "4", "--scheduler", cluster.address, "--out", out, "--json"])
        wait_for(lambda: len(records_of(out)) >= 2, child)
        assert len(records_of(out)) < 4
        cluster.workers[0].send_signal(signal.SIGKILL)
        stdout, stderr = child.communicate(timeout=300)
    assert child.returncode == 0, stderr
    assert json.loads(stdout)["run"]["done"] == 4 and stderr.count("test WF1") == 4
    records = records_of(out)
    assert len(records) == len({record["key"] for record in records.values()}) == 4

    local = start([*arguments, "--jobs", "1", "--out", tmp_path / "local", "--max-parts", "1"])
    assert local.wait(300) == 0, local.stderr.read()
    again = records_of(tmp_path / "local")
    assert len(again) == 1
    assert without_seconds(again) == without_seconds({name: records[name] for name in again})


def test_a_lost_scheduler_ends_the_run_and_keeps_what_is_finished(arguments, tmp_path):
    with Cluster(tmp_path / "dask") as cluster:
        cluster.add_worker()
        child = start([*arguments, "--scheduler", cluster.address, "--out", tmp_path / "out"])
        wait_for(lambda: len(records_of(tmp_path / "out")) >= 1, child)
        cluster.scheduler.kill()
        _, stderr = child.communicate(timeout=180)
    assert child.returncode == 3, stderr
    assert "TF-BENCH-09" in stderr and "Traceback" not in stderr
    assert 1 <= len(records_of(tmp_path / "out")) < 6


def test_another_copy_of_the_corpus_at_a_worker_is_refused(arguments, tmp_path):
    """The study is planned with a corpus that has lost a recording when the worker reads it."""
    root = make_corpus(tmp_path / "corpus", speakers=("03", "08", "10"), takes=2)
    with Cluster(tmp_path / "dask") as cluster:
        moved = [str(root) if before == "--root" else value for before, value in pairwise(["", *arguments])]
        child = start([*moved, "--scheduler", cluster.address, "--out", tmp_path / "out"])
        wait_for((tmp_path / "out" / "study.json").is_file, child)
        (root / "03a00Wa.wav").unlink()
        cluster.add_worker()
        _, stderr = child.communicate(timeout=180)
    assert child.returncode == 2 and "TF-BENCH-11" in stderr
    assert records_of(tmp_path / "out") == {}


def test_a_scheduler_that_does_not_answer_and_one_without_workers(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "CONNECT_S", 1.0)
    with Cluster(tmp_path / "dask") as cluster:
        with pytest.raises(ToolError, match="TF-BENCH-10"), workers.dask_pool(cluster.address):
            raise AssertionError("a pool without a worker")
        address = cluster.address
    with pytest.raises(ToolError, match="TF-BENCH-08"), workers.dask_pool(address):
        raise AssertionError("a pool without a scheduler")
