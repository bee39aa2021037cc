"""``tfser size`` as a user and a CI job call it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from build_folders import make_build

from firmware_gen.report.size import CODE_BYTES
from tfser.cli.main import main


@pytest.fixture(autouse=True)
def outside_github(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def build(tmp_path: Path, shared_models: Path) -> Path:
    return make_build(tmp_path / "build", (shared_models / "conformer_bn.tflite").read_bytes())


def write_budget(tmp_path: Path, flash: int) -> Path:
    path = tmp_path / "budget.toml"
    path.write_text(f"[targets.cortex-m7]\nflash = {flash}\n", encoding="utf-8")
    return path


FLASH_BYTES = 100_941 + CODE_BYTES


def test_within_the_board(build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["size", str(build)]) == 0
    captured = capsys.readouterr()
    assert f"ok    flash {FLASH_BYTES} B <= 2097152 B (cortex-m7); flash is an estimate" in captured.out
    assert captured.err == ""


def test_exactly_the_budget_and_a_byte_over(build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["size", str(build), "--budget", str(write_budget(tmp_path, FLASH_BYTES))]) == 0
    capsys.readouterr()
    assert main(["size", str(build), "--budget", str(write_budget(tmp_path, FLASH_BYTES - 1))]) == 1
    error = capsys.readouterr().err
    assert f"FG-BUDGET-10: flash {FLASH_BYTES} B > {FLASH_BYTES - 1} B (cortex-m7), 1 B over" in error
    assert "largest: functional_1_1/dense_28_1/Tensordot/MatMul 16384 B" in error
    assert "Traceback" not in error


def test_another_target(build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["size", str(build), "--target", "nucleo-f103rb", "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert (result["schema_version"], result["core"], result["board"]) == (1, "cortex-m3", "nucleo-f103rb")
    assert [verdict["ok"] for verdict in result["budget"]] == [False, False]
    assert main(["size", str(build), "--target", "cortex-m0"]) == 2
    assert "FG-TARGET-01" in capsys.readouterr().err


def test_junit_is_written_over_budget_too(build: Path, tmp_path: Path) -> None:
    assert main(["size", str(build), "--target", "nucleo-f103rb", "--junit", str(tmp_path / "out/size.xml")]) == 1
    suite = ElementTree.parse(tmp_path / "out/size.xml").getroot()[0]
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("2", "2")


@pytest.mark.parametrize("how", ["--github", "GITHUB_ACTIONS"])
def test_github(build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
                how: str) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    if how == "GITHUB_ACTIONS":
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
    budget = write_budget(tmp_path, 1)
    flags = ["--github"] if how == "--github" else []
    assert main(["size", str(build), "--budget", str(budget), "--json", *flags]) == 1
    captured = capsys.readouterr()
    assert f"::error file={budget},line=2,title=flash over budget::flash {FLASH_BYTES} B > 1 B" in captured.err
    assert json.loads(captured.out)["ok"] is False
    assert summary.read_text(encoding="utf-8").startswith("before\n### Size on cortex-m7\n")


def test_outside_github_nothing_is_annotated(build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    assert main(["size", str(build), "--budget", str(write_budget(tmp_path, 1))]) == 1
    assert "::error" not in capsys.readouterr().err
    assert not (tmp_path / "summary.md").exists()


def test_a_baseline(build: Path, tmp_path: Path, shared_models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = (shared_models / "conformer_ln.tflite").read_bytes()
    other = make_build(tmp_path / "other", content, arena_bytes=65_709)
    assert main(["size", str(build), "--baseline", str(other), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)["figures"]
    assert figures["model_bytes"]["change"] == 139_720 - 153_512
    assert figures["arena_bytes"]["change"] == 52_208 - 65_709
    assert figures["flash_weights_bytes"]["change"] == 0


@pytest.mark.parametrize("arguments", [[], ["nowhere"], ["BUILD", "--baseline", "nowhere"],
                                       ["BUILD", "--budget", "none.toml"], ["BUILD", "--what"]])
def test_bad_usage(build: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["size", *(str(build) if argument == "BUILD" else argument for argument in arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("tfser: error ")


def test_without_tensorflow(build: Path) -> None:
    code = ("import sys; from tfser.cli.main import main; status = main(['size', sys.argv[1]]); "
            "assert not {'tensorflow', 'tf_keras'} & set(sys.modules); sys.exit(status)")
    result = subprocess.run([sys.executable, "-c", code, build], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
