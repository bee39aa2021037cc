"""tools/crossvalidate.py: every fold and seed once, and a summary that is their mean."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_corpus import make_corpus

ROOT = Path(__file__).resolve().parent.parent.parent


OPTIONS = ("--arch", "convtransformer", "--corpus", "emodb", "--folds", "3", "--epochs", "1", "--seeds", "1",
           "--jobs", "1")


def crossvalidate(root: Path, out: Path) -> dict:
    command = [sys.executable, ROOT / "tools" / "crossvalidate.py", *OPTIONS, "--root", root, "--out", out]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_parts_are_trained_once_and_summarised(tmp_path):
    root, out = make_corpus(tmp_path / "corpus", speakers=("03", "08", "10"), takes=2), tmp_path / "runs"
    summary = crossvalidate(root, out)
    assert [(part["fold"], part["seed"]) for part in summary["parts"]] == [(0, 0), (1, 0), (2, 0)]
    for metric, value in summary["test"].items():
        scores = [json.loads((out / f"fold{fold}-seed0" / "metrics.json").read_text())["test"][metric]
                  for fold in range(3)]
        assert value["mean"] == pytest.approx(np.mean(scores)) and value["std"] == pytest.approx(np.std(scores, ddof=1))
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/checkpoint.npz")}
    assert crossvalidate(root, out) == summary
    assert {path: path.stat().st_mtime_ns for path in out.glob("*/checkpoint.npz")} == before and len(before) == 3
