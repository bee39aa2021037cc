"""``tfser bench reparam``: slices that add up, interruption, failed parts, bad input; every training is real."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_corpus import make_corpus

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def study_arguments(tmp_path_factory):
    root = make_corpus(tmp_path_factory.mktemp("corpus"), speakers=("03", "08", "10"), takes=2)
    return ["bench", "reparam", "--corpus", "emodb", "--root", root, "--arch", "convtransformer", "--folds", "3",
            "--epochs", "1", "--seeds", "1", "--sites", "ffn", "--ratios", "0,0.5", "--jobs", "1", "--deploy", "none"]


@pytest.fixture(scope="module")
def study(study_arguments, tmp_path_factory):
    """A whole study of three folds without HRF and with the control, run in two slices; the first deploys."""
    out = tmp_path_factory.mktemp("studies") / "study"
    arguments = [*map(str, study_arguments), "--deploy", "one", "--out", str(out)]
    first = start([*arguments, "--max-parts", "2"])
    assert first.wait(240) == 0, first.stderr.read()
    before = {path: path.read_bytes() for path in (out / "parts").iterdir()}
    second = start([*arguments, "--json"])
    stdout, stderr = second.communicate(timeout=240)
    assert second.returncode == 0, stderr
    return {"out": out, "before": before, "summary": json.loads(stdout), "said": stderr}


def start(arguments, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", "from tfser.cli.main import run; run()", *map(str, arguments)],
                            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env={**os.environ, "PYTHONPATH": str(ROOT), **environment})


def records_of(out: Path) -> dict[str, dict]:
    return {path.name: json.loads(path.read_bytes()) for path in sorted((out / "parts").glob("*.json"))}


# --- runs -----------------------------------------------------------------------------------------------
def test_slices_add_up_and_nothing_is_run_again(study):
    assert len(study["before"]) == 2 and study["said"].count("test WF1") == 4
    assert {path: path.read_bytes() for path in study["before"]} == study["before"]
    records = records_of(study["out"])
    assert len(records) == 6 and len({record["key"] for record in records.values()}) == 6
    assert study["summary"]["run"] == {"planned": 6, "done": 6, "failed": 0, "of_another_configuration": 0,
                                       "complete": True}


def test_the_first_slice_holds_one_fold_of_each_variant(study):
    parts = [json.loads(content)["part"] for content in study["before"].values()]
    assert sorted((part["kind"], part["fold"]) for part in parts) == [("low-rank", 0), ("none", 0)]


def test_a_pair_differs_in_hrf_alone(study):
    found = {(record["part"]["kind"], record["part"]["fold"]): record["configuration"]
             for record in records_of(study["out"]).values()}
    for fold in range(3):
        plain, control = found["none", fold], found["low-rank", fold]
        assert plain["model"].pop("hrf") is None
        assert control["model"].pop("hrf") == {"ratio": 0.5, "depth": 2, "sites": ["ffn1"]}
        assert plain == control


def test_what_is_deployed_is_measured_on_the_first_part_of_each_variant(study):
    deployed = {(record["part"]["kind"], record["part"]["fold"]): record["result"]["deployed"]
                for record in records_of(study["out"]).values()}
    assert {at for at, found in deployed.items() if found} == {("none", 0), ("low-rank", 0)}
    plain, control = deployed["none", 0], deployed["low-rank", 0]
    assert control["parameters"] < plain["parameters"] == plain["trained_parameters"] < 100_000
    assert 50_000 < control["bytes"] < plain["bytes"] and plain["merge_max_abs_error"] == 0
    assert 0 <= plain["same_label"] <= 1 and plain["test"]["utterances"] == 8


def test_the_results_are_there(study):
    out = study["out"]
    rows = list(csv.DictReader((out / "results.csv").read_text().splitlines()))
    wf1 = {record["key"]: record["result"]["test"]["wf1"] for record in records_of(out).values()}
    assert {row["key"]: float(row["test_wf1"]) for row in rows} == wf1
    (comparison,) = study["summary"]["comparisons"]
    assert (comparison["pairs"], comparison["planned_pairs"], comparison["kind"]) == (3, 3, "low-rank")
    assert "6 of 6 parts done." in (out / "results.md").read_text()
    assert {path.name for path in (out / "plots").iterdir()} == {"effects.svg", "ratios.svg", "speakers.svg",
                                                                 "bytes.svg"}


def test_results_are_written_again_without_a_part(tfser, study, study_arguments):
    names = ("results.csv", "results.md", "summary.json", "plots/effects.svg")
    before = {name: (study["out"] / name).read_bytes() for name in names}
    (study["out"] / "results.csv").unlink()
    result = tfser(*study_arguments, "--deploy", "one", "--out", study["out"], "--max-parts", 0)
    assert result.code == 0 and result.out == before["results.md"].decode()
    assert {name: (study["out"] / name).read_bytes() for name in names} == before


def test_a_dry_run_says_what_is_left_and_changes_nothing(tfser, study, study_arguments, tmp_path):
    new = tfser(*study_arguments, "--out", tmp_path / "new", "--dry-run")
    assert new.code == 0 and not (tmp_path / "new").exists()
    assert new.out.startswith("6 parts, 6 to run; about 0.0 hours (an estimate)\n")
    known = tfser(*study_arguments, "--deploy", "one", "--ratios", "0,0.5,2", "--seeds", 2, "--out", study["out"],
                  "--dry-run", "--json").json()
    assert (known["parts"], known["to_run"], known["study_parts"]) == (18, 12, 18) and known["estimated_s"] > 0
    assert len(json.loads((study["out"] / "study.json").read_text())["parts"]) == 6


def test_interrupted_it_ends_with_130_and_goes_on(study, study_arguments, tmp_path):
    arguments = [*study_arguments, "--epochs", "300", "--out", tmp_path / "out"]
    (scratch := tmp_path / "scratch").mkdir()
    child = start([*arguments, "--ratios", "0"], TMPDIR=str(scratch))
    deadline = time.monotonic() + 120
    while not list(scratch.glob("*/training/state.npz")):
        assert child.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, stderr = child.communicate(timeout=60)
    assert child.returncode == 130 and "0 of 3 parts are finished" in stderr and "Traceback" not in stderr
    assert records_of(tmp_path / "out") == {} and list(scratch.glob("tfser-bench-*")) == []
    assert (tmp_path / "out" / "study.json").is_file()


def test_a_part_that_diverges_is_recorded_reported_and_exit_1(study_arguments, tmp_path):
    """A decay of nine times the weights a step."""
    arguments = [*study_arguments, "--learning-rate", "0.99", "--weight-decay", "10", "--batch-size", "1",
                 "--warmup-fraction", "0", "--epochs", "4", "--ratios", "0", "--max-parts", "1", "--out",
                 tmp_path / "out"]
    child = start([*arguments, "--json"])
    stdout, stderr = child.communicate(timeout=240)
    assert child.returncode == 1, stderr
    (record,) = records_of(tmp_path / "out").values()
    assert (record["status"], record["result"]) == ("failed", None) and "TF-TRAIN-01" in record["error"]
    assert json.loads(stdout)["run"]["failed"] == 1 and "failed: emodb-convtransformer-none-fold0-seed0" in stderr


# --- bad input ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("extra", "code"), [
    (["--root", "again"], "TF-BENCH-12"),
    (["--train-on", "all"], "TF-BENCH-13"),
    (["--sites", "ffn2"], "TF-BENCH-14"),
    (["--sites", "ffn+everywhere"], "TF-USE-01"),
    (["--ratios", "0,3"], "TF-USE-01"),
    (["--arch", "conformer,lstm"], "TF-USE-01"),
    (["--depths", "1"], "TF-USE-01"),
    (["--seeds", "0"], "TF-USE-01"),
    (["--folds", "9"], "TF-SPLIT-02"),
    (["--hrf-ratio", "2"], "TF-USE-01"),
    (["--scheduler", "nowhere://x"], "TF-BENCH-08"),
])
def test_bad_input(tfser, study_arguments, tmp_path, extra, code):
    result = tfser(*study_arguments, *extra, "--out", tmp_path / "out")
    assert result.code == (3 if code == "TF-BENCH-08" else 2) and result.out == ""
    assert f"error {code}" in result.err and ("Fix" in result.err or "Expected" in result.err)
    assert not (tmp_path / "out" / "parts").exists()


def test_another_recipe_in_the_same_folder_is_refused(tfser, study, study_arguments):
    result = tfser(*study_arguments, "--epochs", 2, "--out", study["out"])
    assert result.code == 2 and "TF-BENCH-05" in result.err and "epochs is 1 there and 2 here" in result.err


def test_sites_that_a_backbone_lacks_are_left_out_aloud_and_equal_ones_are_one(tfser, study_arguments, tmp_path):
    result = tfser(*study_arguments, "--arch", "conformer,convtransformer", "--sites",
                   "ffn,ffn1+ffn2,ffn1,conv+attention,attention+conv", "--out", tmp_path / "out", "--dry-run")
    assert result.code == 0 and "convtransformer has no ffn1+ffn2: left out" in result.err
    assert [line.split()[1] for line in result.out.splitlines()[1:]] == [
        "emodb-conformer-none", "emodb-conformer-ffn-low-rank-x0.5-depth2", "emodb-conformer-ffn1-low-rank-x0.5-depth2",
        "emodb-conformer-attention+conv-low-rank-x0.5-depth2", "emodb-convtransformer-none",
        "emodb-convtransformer-ffn-low-rank-x0.5-depth2", "emodb-convtransformer-attention+conv-low-rank-x0.5-depth2"]
