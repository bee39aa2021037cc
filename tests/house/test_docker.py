"""docker/Dockerfile cannot drift: it runs the set-up script of every other machine on files that exist."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
GUIDE = (ROOT / "docker" / "README.md").read_text(encoding="utf-8")
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
SET_UP = "tools/setup.sh"
HADOLINT = Path(sys.executable).with_name("hadolint")


def instructions(text: str) -> list[tuple[str, str]]:
    """A Dockerfile as (instruction, argument), comments dropped and continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(name.upper(), argument) for name, _, argument in (line.partition(" ") for line in joined if line.strip())]


def arguments(text: str, name: str) -> list[str]:
    return [argument for instruction, argument in instructions(text) if instruction == name]


def commands(text: str) -> list[str]:
    """What its RUN lines run."""
    return [part.strip() for run in arguments(text, "RUN") for part in run.split("&&")]


def problems(text: str) -> list[str]:
    """Where a Dockerfile does something else than set up as any machine does, copy what is there, and run tfser."""
    names = [name for name, _ in instructions(text)]
    found = []
    if [command.rpartition(" ")[2] for command in commands(text)].count(SET_UP) != 1:
        found.append("not one set-up")
    found += [f"installs: {command}" for command in commands(text) if re.search(r"\b(install|pip|curl)\b", command)]
    for source in (source for argument in arguments(text, "COPY") for source in shlex.split(argument)[:-1]):
        if not (ROOT / source).exists():
            found.append(f"no {source}")
        patterns = [pattern.removeprefix("**/") for pattern in IGNORED]
        if any(fnmatch.fnmatch(part, pattern) for part in Path(source).parts for pattern in patterns):
            found.append(f"{source} is not sent")
    users = arguments(text, "USER")
    if not users or not users[-1].isdigit() or users[-1] == "0":
        found.append("runs as root or as a name")
    elif names.index("USER") < max(place for place, name in enumerate(names) if name in ("RUN", "COPY")):
        found.append("runs as the user before all is in place")
    if arguments(text, "ENTRYPOINT") != [json.dumps([f"{arguments(text, 'WORKDIR')[0]}/.venv/bin/tfser"])]:
        found.append("entry point")
    return found


def test_a_dockerfile_is_parsed() -> None:
    assert instructions("# no\nFROM a\n\nrun b \\\n  # no\n  && c\n") == [("FROM", "a"), ("RUN", "b    && c")]


def test_it_is_in_order() -> None:
    assert problems(TEXT) == []


@pytest.mark.parametrize(("old", "new", "found"), [
    (" tools/setup.sh &&", " true &&", "not one set-up"),
    (" tools/setup.sh &&", " tools/setup.sh python &&", "not one set-up"),
    (" tools/setup.sh &&", " tools/setup.sh && apt-get install -y git &&", "installs: apt-get install -y git"),
    ("COPY requirements.lock", "COPY requirements.txt", "no requirements.txt"),
    ("COPY . .", "COPY .git .", ".git is not sent"),
    ("USER 1000", "USER root", "runs as root or as a name"),
    ("USER 1000\n", "", "runs as root or as a name"),
    ("COPY . .\n", "USER 1000\nCOPY . .\n", "runs as the user before all is in place"),
    ("WORKDIR /opt/tfser", "WORKDIR /opt/app", "entry point")])
def test_the_check_can_fail(old: str, new: str, found: str) -> None:
    assert TEXT.count(old) == 1
    assert found in problems(TEXT.replace(old, new))


def test_its_set_up_is_what_make_test_runs_first() -> None:
    planned = subprocess.run(["make", "--dry-run", "--no-print-directory", "test"], cwd=ROOT, capture_output=True,
                             text=True, check=True).stdout.splitlines()
    assert planned[0] == SET_UP


@pytest.mark.skipif(not HADOLINT.is_file(), reason="needs hadolint (tools/setup.sh)")
@pytest.mark.parametrize(("old", "new", "finding"), [
    (None, "", None),
    ("USER 1000", "USER root", "DL3002"),
    ("FROM debian:bookworm-slim", "FROM debian", "DL3006"),
    ("tools/setup.sh &&", "tools/setup.sh && cd /tmp &&", "DL3003"),
    ("rm -rf /var/lib/apt/lists/*", "rm -rf $UNQUOTED/*", "SC2086")])
def test_the_linter_finds_nothing(old: str | None, new: str, finding: str | None) -> None:
    text = TEXT if old is None else TEXT.replace(old, new)
    linted = subprocess.run([HADOLINT, "--no-color", "-"], input=text, capture_output=True, text=True, check=False)
    if finding is None:
        assert (linted.returncode, linted.stdout) == (0, ""), linted.stdout + linted.stderr
    else:
        assert linted.returncode == 1
        assert finding in linted.stdout


def test_what_the_set_up_reads_is_copied_before_it_runs(tmp_path: Path) -> None:
    """The project is installed, as tools/setup.sh does it, from those files alone."""
    for name, argument in instructions(TEXT):
        if name == "RUN":
            break
        if name == "COPY":
            *sources, destination = shlex.split(argument)
            (tmp_path / destination).mkdir(parents=True, exist_ok=True)
            for source in sources:
                shutil.copy(ROOT / source, tmp_path / destination)
    for name in (SET_UP, "requirements.lock", "setup.cfg", "pyproject.toml"):
        assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes()
    code = "from setuptools import build_meta; build_meta.build_editable('.')"
    built = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (finder,) = (archive.read(name).decode() for name in archive.namelist() if name.endswith("_finder.py"))
    assert "'tfser': " in finder
    assert "'firmware_gen': " in finder


@pytest.mark.parametrize("path", [".git", ".venv", "build", "runs"])
def test_what_is_large_stays_outside(path: str) -> None:
    assert path in IGNORED


def test_the_guide_is_of_this_image() -> None:
    assert "docker build -f docker/Dockerfile" in GUIDE
    for said in (arguments(TEXT, "WORKDIR")[0], arguments(TEXT, "WORKDIR")[-1], arguments(TEXT, "FROM")[0],
                 f"user {arguments(TEXT, 'USER')[0]}"):
        assert said in GUIDE
    for script in re.findall(r"```\n(.*?)```", GUIDE, re.DOTALL):
        for line in script.splitlines():
            assert shlex.split(line)[:2] in (["docker", "build"], ["docker", "run"])
