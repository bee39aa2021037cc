"""tools/crossvalidate.py: every fold and seed once, and a summary that is their mean."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_corpus import make_corpus

import tools.crossvalidate
import tools.ship
from tfser.cli.main import main
from tfser.corpora import load_corpus
from tfser.corpora.splits import make_split
from tfser.files import sha256
from tfser.models.checkpoint import load_checkpoint, save_checkpoint
from tfser.training.hints import FOLD_FILE, save_hints
from tfser.training.metrics import score
from tfser.training.study import locked
from tools.crossvalidate import command_of, commands_of, summarise

ROOT = Path(__file__).resolve().parent.parent.parent


OPTIONS = ("--arch", "convtransformer", "--corpus", "emodb", "--folds", "3", "--epochs", "1", "--seeds", "1",
           "--jobs", "1")


def crossvalidate(root: Path, out: Path) -> dict:
    command = [sys.executable, ROOT / "tools" / "crossvalidate.py", *OPTIONS, "--root", root, "--out", out,
               "--hints", root.with_name("hints")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, Path, dict]:
    """The corpus, the folder of a run, and its summary."""
    folder = tmp_path_factory.mktemp("crossvalidation")
    root = make_corpus(folder / "corpus", speakers=("03", "08", "10"), takes=2)
    corpus = load_corpus("emodb", root)
    for fold in range(3):
        split, k = make_split(corpus, folds=3, fold=fold), len(corpus.labels)
        ids = np.array([name for name, role in split.roles.items() if role == "train"])
        save_hints(folder / "hints" / FOLD_FILE.format(fold), corpus.labels, ids, np.full((len(ids), k), 1 / k),
                   np.eye(len(ids)), source="nothing known", split=split)
    return root, folder / "runs", crossvalidate(root, folder / "runs")


def test_parts_are_trained_once_and_summarised(finished):
    root, out, summary = finished
    assert [(part["fold"], part["seed"]) for part in summary["parts"]] == [(0, 0), (1, 0), (2, 0)]
    for metric, value in summary["test"].items():
        scores = [json.loads((out / f"fold{fold}-seed0" / "metrics.json").read_text())["test"][metric]
                  for fold in range(3)]
        assert value["mean"] == pytest.approx(np.mean(scores)) and value["std"] == pytest.approx(np.std(scores, ddof=1))
        assert value["low"] <= value["mean"] <= value["high"] and value["unit"] == "fold"
    assert summary["pooled"]["utterances"] == 24 and list(summary["pooled"]["speakers"]) == ["03", "08", "10"]
    int8 = [json.loads((out / f"fold{fold}-seed0" / "int8.json").read_text())["roles"]["test"] for fold in range(3)]
    assert summary["int8"]["utterances"] == 24
    assert summary["int8"]["same_label"] == sum(part["same_label"] for part in int8) / 24
    assert summary["int8"]["test"]["wf1"]["drop"]["mean"] == pytest.approx(
        np.mean([part["float"]["wf1"] - part["int8"]["wf1"] for part in int8]))
    assert summary["parameters"]["deployed"] < summary["parameters"]["trained"]
    assert summary["options"]["hints"] == "hints" and "--hints hints" in summary["commands"][-1]
    for fold in range(3):
        parents = load_checkpoint(out / f"fold{fold}-seed0" / "checkpoint.npz")[0].parents
        assert parents["hints"]["sha256"] == sha256(root.with_name("hints") / f"fold{fold}.npz")
    assert str(out) not in json.dumps(summary)
    (command,) = summary["commands"]
    assert command.startswith(
        "python tools/crossvalidate.py --arch convtransformer --clip-s 2.0 --corpus emodb ")
    assert command.endswith("--root ROOT --seeds 1 --size small --train-on train --out runs")
    assert (out / "fold2-seed0" / "card.md").read_text().startswith(
        "# Model card: convtransformer small, emodb fold 2 of 3\n")
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/checkpoint.npz")}
    assert crossvalidate(root, out) == summary
    assert {path: path.stat().st_mtime_ns for path in out.glob("*/checkpoint.npz")} == before and len(before) == 3


def test_the_commands_of_parents_come_first_and_once(tmp_path):
    (tmp_path / "card.json").write_text(json.dumps({"commands": ["tfser train"]}))
    (tmp_path / "summary.json").write_text(json.dumps({"commands": ["tfser train", "taught"]}))
    (tmp_path / "hints").mkdir()
    (tmp_path / "hints" / "summary.json").write_text(json.dumps({"commands": ["python tools/hints.py"]}))
    options = {"init": tmp_path / "checkpoint.npz", "teachers": tmp_path, "hints": tmp_path / "hints"}
    *earlier, own = commands_of(options, 1, Path("runs/mine"))
    assert earlier == ["tfser train", "python tools/hints.py", "taught"]
    assert own == (f"python tools/crossvalidate.py --hints hints --init checkpoint.npz --root ROOT --seeds 1 "
                   f"--teachers {tmp_path.name} --out runs/mine")
    assert str(tmp_path) not in json.dumps([own, summarise({(0, 0): {}}, options)])
    assert commands_of({"init": None, "teachers": tmp_path / "none"}, 1, Path("x"))[0].startswith("python")


def test_the_command_names_kernels_that_change_bytes(monkeypatch):
    options = {"corpus": "emodb", "teachers": None, "speaker_overlap": False, "qat": True}
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    plain = "python tools/crossvalidate.py --corpus emodb --qat --root ROOT --seeds 3 --out runs/mine"
    assert command_of(options, 3, Path("runs/mine")) == plain
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    assert command_of(options, 3, Path("runs/mine")) == f"TF_ENABLE_ONEDNN_OPTS=1 {plain}"


def test_a_summary_of_models_that_nothing_was_left_to_test():
    summary = summarise({(0, 0): {}, (0, 1): {}}, {"train_on": "all", "folds": None, "speaker_overlap": False})
    assert summary["options"] == {"train_on": "all"} and summary["test"] == {}
    assert summary["parts"] == [{"fold": 0, "seed": 0}, {"fold": 0, "seed": 1}]


def test_one_part_has_no_deviation():
    metrics = score(np.array([0, 1, 1]), np.array([0, 1, 0]), ("calm", "angry"), ("a", "a", "b"))
    summary = summarise({(0, 0): {"test": metrics}}, {"speaker_overlap": True})
    assert summary["test"]["uar"]["mean"] == 0.75 and summary["test"]["uar"]["std"] is None
    assert summary["options"] == {"speaker_overlap": "True"}


@pytest.fixture
def ship(capsys):
    """Run tools/ship.py in this process: its exit code and stderr."""
    def run(out: Path, zoo: Path) -> tuple[int, str]:
        code = main([str(out), "--zoo", str(zoo)], tools.ship.main)
        return code, capsys.readouterr().err
    return run


def test_the_first_part_ships_with_what_all_parts_score(finished, ship, tmp_path):
    _, out, summary = finished
    shipped = tmp_path / "zoo" / "convtransformer"
    shipped.mkdir(parents=True)
    (shipped / "quantised.npz").touch()  # of an earlier one
    assert ship(out, tmp_path / "zoo") == (0, "")
    assert {path.name for path in shipped.iterdir()} == {"checkpoint.npz", "calibration.npz", "card.json", "card.md"}
    assert (shipped / "checkpoint.npz").read_bytes() == (out / "fold0-seed0" / "checkpoint.npz").read_bytes()
    card = json.loads((shipped / "card.json").read_text())
    assert card["commands"] == [*summary["commands"], "python tools/ship.py runs"]
    assert card["cross_validated"]["mean"] == summary["test"] and card["cross_validated"]["folds"] == 3
    assert card["cross_validated"]["pooled"]["utterances"] == card["int8"]["int8"]["utterances"] == 24
    assert card["int8"]["same_label"] == summary["int8"]["same_label"]
    assert card["int8"]["mean"] == summary["int8"]["test"]
    assert sum(card["data"]["recordings"].values()) == 24


def test_what_learnt_from_non_commercial_data_does_not_ship(finished, ship, tmp_path):
    part = tmp_path / "runs" / "fold0-seed0"
    part.mkdir(parents=True)
    (tmp_path / "runs" / "summary.json").write_text(json.dumps(finished[2]))
    checkpoint, model = load_checkpoint(finished[1] / "fold0-seed0" / "checkpoint.npz")
    teacher = {"sha256": "00" * 32, "corpus": "ravdess", "heard": ["01"], "fingerprint": None, "parents": {}}
    save_checkpoint(part / "checkpoint.npz", dataclasses.replace(checkpoint, parents={"teachers": [teacher]}), model)
    code, said = ship(tmp_path / "runs", tmp_path / "zoo")
    assert code == 2 and "error TF-SHIP-03: a checkpoint that learnt from ravdess" in said
    assert not (tmp_path / "zoo").exists()


def test_an_unfinished_run_does_not_ship(ship, tmp_path):
    code, said = ship(tmp_path, tmp_path / "zoo")
    assert code == 2 and "error TF-SHIP-04" in said and not (tmp_path / "zoo").exists()


def test_a_second_run_in_the_folder_is_refused(finished, capsys):
    root, out, _ = finished
    with locked(out):
        assert main([*OPTIONS, "--root", str(root), "--out", str(out)], tools.crossvalidate.main) == 2
    assert "error TF-BENCH-03: another run writes to" in capsys.readouterr().err
