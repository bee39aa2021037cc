"""The GitHub Action and the example workflow: sound files, and steps that really gate, run by bash on a real build."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import click
import pytest

from firmware_gen.report.budget import FIGURES, read_budget
from firmware_gen.target import target
from tfser.cli.main import cli, main

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = ROOT / "docs" / "workflows" / "size-gate.yml"
GUIDE = (ROOT / "docs" / "workflows" / "README.md").read_text(encoding="utf-8")
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
WORKFLOW = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))

#: Keys of GitHub's "Metadata syntax reference" and "Workflow syntax".
ACTION_KEYS = {"name", "author", "description", "inputs", "outputs", "runs", "branding"}
STEP_KEYS = {"name", "id", "if", "run", "shell", "env", "uses", "with", "working-directory", "continue-on-error"}
JOB_KEYS = {"name", "needs", "permissions", "if", "runs-on", "env", "defaults", "timeout-minutes", "strategy", "steps"}


@pytest.fixture(scope="module")
def built(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "firmware"
    model = shared_models / "micro_speech_quantized.tflite"
    assert main(["compile", str(model), "--target", "cortex-m4", "--out", str(out)]) == 0
    return out


@pytest.fixture
def job(tmp_path: Path, built: Path):
    """Run the action's steps as GitHub's runner does: one bash each, until one fails."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    shutil.copytree(built, workspace / "build")
    tool = tmp_path / "bin" / "tfser"
    tool.parent.mkdir()
    tool.write_text(f"#!{sys.executable}\nfrom tfser.cli.main import run\nrun()\n")
    tool.chmod(0o755)
    files = {"GITHUB_OUTPUT": tmp_path / "output", "GITHUB_STEP_SUMMARY": tmp_path / "summary.md"}

    def act(**given: str) -> SimpleNamespace:
        inputs = {name: given.get(name, entry.get("default", "")) for name, entry in ACTION["inputs"].items()}
        for file in files.values():
            file.write_text("")
        runner = {**os.environ, **{name: str(file) for name, file in files.items()}, "GITHUB_ACTIONS": "true",
                  "GITHUB_ACTION_PATH": str(ROOT), "GITHUB_WORKSPACE": str(workspace), "PYTHONPATH": str(ROOT),
                  "PATH": f"{tool.parent}{os.pathsep}{os.environ['PATH']}"}
        for step in ACTION["runs"]["steps"]:
            own = {key: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda match: inputs[match[1]], value)
                   for key, value in step.get("env", {}).items()}
            done = subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                                  cwd=workspace, env={**runner, **own}, capture_output=True, text=True, check=False)
            if done.returncode:
                break
        return SimpleNamespace(code=done.returncode, log=done.stdout + done.stderr, workspace=workspace,
                               **{name.removeprefix("GITHUB_").lower(): file.read_text()
                                  for name, file in files.items()})
    return act


def write_budget(folder: Path, flash: int) -> str:
    (folder / "ci").mkdir(exist_ok=True)
    (folder / "ci" / "budget.toml").write_text(f"# limits\n[targets]\n\n[targets.cortex-m4]\nram = '96 KiB'\n"
                                               f"# flash = 1\nflash = {flash}\n")
    return "ci/budget.toml"


def flash_bytes(folder: Path) -> int:
    return json.loads((folder / "manifest.json").read_text())["size"]["figures"]["flash_bytes"]["value"]


def test_the_action_passes_what_its_budget_allows(job, built: Path, tmp_path: Path) -> None:
    result = job(folder="build", budget=write_budget(tmp_path / "workspace", flash_bytes(built)), junit="size.xml")
    assert result.code == 0, result.log
    assert result.output == "within-budget=true\n"
    assert "::error" not in result.log
    assert "### Size on cortex-m4" in result.step_summary
    suite = ElementTree.parse(result.workspace / "size.xml").getroot()[0]
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("2", "0")


@pytest.mark.parametrize("absolute", [False, True])
def test_the_action_stops_a_byte_over_and_points_at_the_line(job, built: Path, tmp_path: Path, absolute: bool) -> None:
    workspace, used = tmp_path / "workspace", flash_bytes(built)
    name = write_budget(workspace, used - 1)
    result = job(folder="build", budget=str(workspace / name) if absolute else name, junit="size.xml")
    assert result.code == 1, result.log
    assert result.output == "within-budget=false\n"
    annotated = re.search(r"^::error file=ci/budget.toml,line=(\d+),title=flash over budget::(.*)$", result.log, re.M)
    assert annotated is not None, result.log
    assert (workspace / name).read_text().splitlines()[int(annotated[1]) - 1] == f"flash = {used - 1}"
    assert annotated[2].startswith(f"flash {used} B > {used - 1} B (cortex-m4), 1 B over; largest: ")
    assert f"| ❌ | flash {used} B > {used - 1} B" in result.step_summary
    assert ElementTree.parse(workspace / "size.xml").getroot()[0].attrib["failures"] == "1"


def test_the_action_with_and_without_a_baseline(job) -> None:
    result = job(folder="build", baseline="build")
    assert (result.code, "| change |" in result.step_summary) == (0, True), result.log
    result = job(folder="build", baseline="not built")
    assert (result.code, "| change |" in result.step_summary) == (0, False), result.log
    assert "::notice title=tfser size::no baseline at not built" in result.log


@pytest.mark.parametrize("folder", ["$(touch owned)", "`touch owned`", "; touch owned", "--help", "a b", ""])
def test_an_input_is_never_part_of_the_script(job, folder: str) -> None:
    result = job(folder=folder)
    assert result.code == 2, result.log
    assert result.output == ""
    assert [path.name for path in result.workspace.iterdir()] == ["build"]


def test_the_action_is_of_githubs_form() -> None:
    assert set(ACTION) <= ACTION_KEYS
    assert ACTION["runs"]["using"] == "composite"
    assert set(ACTION["runs"]) == {"using", "steps"}
    for entry in ACTION["inputs"].values():
        assert set(entry) <= {"description", "required", "default", "deprecationMessage"}
        assert isinstance(entry.get("default", ""), str)
    identifiers = {step.get("id") for step in ACTION["runs"]["steps"]}
    for entry in ACTION["outputs"].values():
        assert set(entry) == {"description", "value"}
        assert re.fullmatch(r"\$\{\{ steps\.([\w-]+)\.outputs\.[\w-]+ \}\}", entry["value"])[1] in identifiers
    for step in ACTION["runs"]["steps"]:
        assert set(step) <= STEP_KEYS
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]
    used = re.findall(r"\binputs\.([\w-]+)", json.dumps(ACTION["runs"]))
    assert sorted(used) == sorted(ACTION["inputs"])


def test_the_workflow_is_of_githubs_form() -> None:
    triggers = WORKFLOW.pop(True)  # YAML 1.1 reads 'on' as true
    assert list(triggers) == ["pull_request"]
    assert set(WORKFLOW) <= {"name", "permissions", "env", "concurrency", "jobs"}
    WORKFLOW[True] = triggers
    for work in WORKFLOW["jobs"].values():
        assert set(work) <= JOB_KEYS
        for step in work["steps"]:
            assert set(step) <= STEP_KEYS
            assert ("run" in step) != ("uses" in step)
            assert "${{" not in step.get("run", "")
            script = subprocess.run(["bash", "-n"], input=step.get("run", ""), text=True, check=False)
            assert script.returncode == 0


def steps() -> list[dict[str, Any]]:
    return WORKFLOW["jobs"]["size"]["steps"]


def test_the_workflow_gives_the_action_its_inputs() -> None:
    (gate,) = [step for step in steps() if step.get("uses", "").split("@")[0].endswith("/tfser")]
    assert set(gate["with"]) <= set(ACTION["inputs"])
    assert {name for name, entry in ACTION["inputs"].items() if entry.get("required")} <= set(gate["with"])
    assert "continue-on-error" not in gate
    assert "if" not in gate


def test_the_workflows_command_lines_are_ones_that_tfser_takes() -> None:
    lines = [line.strip() for step in steps() for line in step.get("run", "").splitlines()
             if line.strip().startswith("tfser ")]
    assert len(lines) == 2
    for line in lines:
        _, name, *arguments = line.replace('"', "").split()
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        with command.make_context(name, arguments) as context:
            assert context.params["target_name"] == "$TARGET"


def documented(title: str) -> list[str]:
    """The first column of a table of the guide."""
    section = GUIDE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([\w-]+)` \|", section, re.MULTILINE)


def test_the_guide_names_every_input_and_every_key_of_a_budget() -> None:
    assert documented("The action") == list(ACTION["inputs"])
    assert sorted(documented("The budget")) == sorted(FIGURES)


def test_the_owner_is_said_to_be_a_placeholder() -> None:
    """The files are used from a copy of this repository, whose address nobody knows here."""
    lines = [line.strip() for line in EXAMPLE.read_text(encoding="utf-8").splitlines() if "OWNER/" in line]
    assert len(lines) == 2
    for place in ("uses: OWNER/tfser@main", "pip install git+https://github.com/OWNER/tfser@main"):
        assert [place in line for line in lines].count(True) == 1
        assert f"`{place}`" in GUIDE
    for name in ("action.yml", "setup.cfg"):
        assert "OWNER/" not in (ROOT / name).read_text(encoding="utf-8")


def lint(kind: str, path: Path) -> subprocess.CompletedProcess[str]:
    """GitHub's published JSON schemas, which are in the linter's package."""
    pytest.importorskip("check_jsonschema", reason="needs check-jsonschema (tools/setup.sh)")
    return subprocess.run([sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{kind}", path],
                          capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("kind", "path", "old", "new"), [
    ("github-workflows", EXAMPLE, "runs-on:", "runs_on:"),
    ("github-workflows", EXAMPLE, "pull_request:", "pull_requests:"),
    ("github-workflows", EXAMPLE, "        with:\n          ref", "        wit:\n          ref"),
    ("github-actions", ROOT / "action.yml", "using: composite", "using: compost"),
    ("github-actions", ROOT / "action.yml", "      shell: bash\n      run: |\n        if", "      run: |\n        if")])
def test_they_keep_to_githubs_schemas(tmp_path: Path, kind: str, path: Path, old: str, new: str) -> None:
    assert lint(kind, path).returncode == 0
    assert path.read_text().count(old) == 1
    (tmp_path / "bad.yml").write_text(path.read_text().replace(old, new))
    assert lint(kind, tmp_path / "bad.yml").returncode == 1


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck (tools/setup.sh tests)")
def test_shellcheck_finds_nothing_in_the_steps() -> None:
    scripts = [step["run"] for step in (*ACTION["runs"]["steps"], *steps()) if "run" in step]
    assert len(scripts) > 4
    for script, found in (*((script, 0) for script in scripts), ("rm -rf $FOLDER/*\n", 1)):
        checked = subprocess.run(["shellcheck", "--shell=bash", "-"], input=script, capture_output=True, text=True,
                                 check=False)
        assert checked.returncode == found, checked.stdout


def test_the_example_budget_is_one() -> None:
    path = EXAMPLE.parent / "budget.toml"
    budget = read_budget(path, target(WORKFLOW["jobs"]["size"]["env"]["TARGET"]))
    lines = path.read_text().splitlines()
    for name, limit in budget.items():
        assert limit.line is not None
        assert lines[limit.line - 1].startswith(f"{name} = ")
