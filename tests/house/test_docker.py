"""docker/Dockerfile cannot drift: it runs the set-up script of every other machine on files that exist."""

from __future__ import annotations

import fnmatch
import json
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def instructions(text: str) -> list[tuple[str, str]]:
    """A Dockerfile as (instruction, argument), comments dropped and continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(name.upper(), argument) for name, _, argument in (line.partition(" ") for line in joined if line.strip())]


DOCKERFILE = instructions((ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8"))
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()


def arguments(name: str) -> list[str]:
    return [argument for instruction, argument in DOCKERFILE if instruction == name]


def copied_before_set_up() -> list[tuple[list[str], str]]:
    """(sources, destination) of each COPY above the RUN of the set-up script."""
    copies = []
    for name, argument in DOCKERFILE:
        if name == "RUN":
            break
        if name == "COPY":
            *sources, destination = shlex.split(argument)
            copies.append((sources, destination))
    return copies


def test_a_dockerfile_is_parsed() -> None:
    assert instructions("# no\nFROM a\n\nrun b \\\n  # no\n  && c\n") == [("FROM", "a"), ("RUN", "b    && c")]


def test_it_runs_the_set_up_script_and_installs_nothing_else() -> None:
    commands = [part.strip() for run in arguments("RUN") for part in run.split("&&")]
    assert sum(command.endswith("tools/setup.sh") for command in commands) == 1
    assert [command for command in commands if " install" in command] == []


def test_what_it_copies_exists_and_is_sent_to_docker() -> None:
    sources = [source for argument in arguments("COPY") for source in shlex.split(argument)[:-1]]
    assert len(sources) > 5
    for source in sources:
        assert (ROOT / source).exists(), source
        parts = Path(source).parts
        assert not any(fnmatch.fnmatch(part, pattern.removeprefix("**/")) for part in parts for pattern in IGNORED)


def test_what_the_set_up_reads_is_copied_before_it_runs(tmp_path: Path) -> None:
    """The project is installed, as tools/setup.sh does it, from those files alone."""
    for sources, destination in copied_before_set_up():
        for source in sources:
            (tmp_path / destination).mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, tmp_path / destination)
    for name in ("tools/setup.sh", "requirements.lock", "setup.cfg", "pyproject.toml"):
        assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes()
    code = "from setuptools import build_meta; build_meta.build_editable('.')"
    built = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
                           check=False)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (finder,) = (archive.read(name).decode() for name in archive.namelist() if name.endswith("_finder.py"))
    assert "'tfser': " in finder
    assert "'firmware_gen': " in finder


def test_it_runs_tfser_and_not_as_root() -> None:
    names = [name for name, _ in DOCKERFILE]
    (user,) = arguments("USER")
    assert user not in ("root", "0")
    assert f"useradd --create-home {user}" in arguments("RUN")[-1]
    assert names.index("USER") > max(place for place, name in enumerate(names) if name in ("RUN", "COPY"))
    (entry,) = json.loads(arguments("ENTRYPOINT")[0])
    assert entry == f"{arguments('WORKDIR')[0]}/.venv/bin/tfser"


@pytest.mark.parametrize("path", [".git", ".venv", "build", "runs"])
def test_what_is_large_stays_outside(path: str) -> None:
    assert path in IGNORED
