"""tools/setup.sh, run for real on a small project of its own that needs no download."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPTS = [ROOT / "tools" / "setup.sh", ROOT / "tools" / "lock.sh", ROOT / ".ci" / "run"]
NEEDED_BY_THE_SCRIPT = ("bash", "cat", "dirname", "env", "id", "rm", "sh", "sha256sum")
TOOLS = ("arm-none-eabi-gcc", "qemu-system-arm", "cmake", "g++", "make")

# A build back end in twenty lines: what setuptools does, without a download, and as slow as a test asks.
BACKEND = '''
import pathlib, time, zipfile

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    if pathlib.Path("slow").exists():
        pathlib.Path("started").touch()
        time.sleep(60)
    name = "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(wheel_directory, name), "w") as wheel:
        wheel.writestr("demo.pth", str(pathlib.Path.cwd()))
        wheel.writestr("demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: demo\\nVersion: 1.0\\n")
        wheel.writestr("demo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("demo-1.0.dist-info/RECORD", "")
    return name
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "setup.sh", root / "tools")
    (root / "requirements.lock").write_text("# nothing\n")
    (root / "setup.cfg").write_text("[metadata]\nname = demo\n")
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n')
    (root / "backend.py").write_text(BACKEND)
    (root / "demo.py").touch()
    return root


def environment(**changes: str) -> dict[str, str]:
    return {**os.environ, "CI": "true", "PIP_NO_INDEX": "1", "PYTHON": sys.executable, **changes}


def set_up(project: Path, part: str = "python", **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(project / "tools" / "setup.sh"), part], env=environment(**changes), cwd="/", text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)


def stamp(project: Path) -> Path:
    return project / ".venv" / ".setup-done"


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A folder for PATH with what the script itself needs: no Python, no compiler, no apt."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in NEEDED_BY_THE_SCRIPT:
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return folder


# --- Python ---------------------------------------------------------------------------------------------
def test_sets_up_once_and_again_when_the_lock_changes(project: Path) -> None:
    first = set_up(project)
    assert first.returncode == 0, first.stderr
    assert first.stdout == ""
    subprocess.run([str(project / ".venv" / "bin" / "python"), "-c", "import demo"], check=True, cwd="/")

    made = stamp(project).stat().st_mtime_ns
    start = time.perf_counter()
    second = set_up(project)
    assert (second.returncode, second.stderr) == (0, "")
    assert time.perf_counter() - start < 2  # two starts of Python
    assert stamp(project).stat().st_mtime_ns == made

    (project / "requirements.lock").write_text("# another\n")
    assert set_up(project).returncode == 0
    assert stamp(project).stat().st_mtime_ns > made


def test_a_failed_install_is_tried_again(project: Path) -> None:
    (project / "requirements.lock").write_text(f"no-such-package==1.0 --hash=sha256:{'0' * 64}\n")
    failed = set_up(project)
    assert failed.returncode == 3
    assert failed.stderr.splitlines()[-1].startswith("setup: error: pip could not install: --require-hashes")
    assert not stamp(project).exists()

    (project / "requirements.lock").write_text("# nothing\n")
    assert set_up(project).returncode == 0
    assert stamp(project).exists()


def test_a_package_without_its_hash_is_refused(project: Path) -> None:
    (project / "requirements.lock").write_text("no-such-package==1.0\n")
    failed = set_up(project)
    assert failed.returncode == 3
    assert "hash" in failed.stderr


def test_an_interrupted_install_leaves_no_stamp(project: Path) -> None:
    (project / "slow").touch()
    with subprocess.Popen([str(project / "tools" / "setup.sh"), "python"], env=environment(),
                          stderr=subprocess.DEVNULL, start_new_session=True) as process:
        while not (project / "started").exists():
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C reaches every process of a terminal
        assert process.wait(timeout=30) != 0
    assert not stamp(project).exists()

    (project / "slow").unlink()
    assert set_up(project).returncode == 0
    assert stamp(project).exists()


def test_a_moved_checkout_is_set_up_again(project: Path) -> None:
    """The scripts of a virtual environment name its folder."""
    assert set_up(project).returncode == 0
    moved = project.rename(project.with_name("moved"))
    assert set_up(moved).returncode == 0
    assert str(project) not in (moved / ".venv" / "bin" / "activate").read_text()


def test_an_unsuitable_python_is_refused_in_one_line(project: Path, tmp_path: Path) -> None:
    old = tmp_path / "python3.8"
    program(old, 'case $1 in -c) exit 1 ;; --version) echo "Python 3.8.19" ;; esac')
    result = set_up(project, PYTHON=str(old))
    assert result.returncode == 3
    assert result.stderr == f"setup: error: PYTHON={old} is no Python 3.10-3.13 (Python 3.8.19)\n"
    assert not (project / ".venv").exists()


def test_no_python_is_said_in_one_line(project: Path, bare_path: Path) -> None:
    result = set_up(project, PYTHON="", PATH=str(bare_path))
    assert result.returncode == 3
    assert result.stderr == "setup: error: no Python 3.10-3.13 found; install one, or set PYTHON=/path/to/python3\n"


def test_a_suitable_python_is_found_beside_an_old_one(project: Path, bare_path: Path) -> None:
    program(bare_path / "python3", "exit 1")
    (bare_path / "python3.11").symlink_to(sys.executable)
    result = set_up(project, PYTHON="", PATH=str(bare_path))
    assert result.returncode == 0, result.stderr


# --- toolchain ------------------------------------------------------------------------------------------
def test_without_rights_what_is_missing_is_one_line_and_no_failure(project: Path, bare_path: Path) -> None:
    result = set_up(project, "toolchain", PATH=str(bare_path))
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == (
        "setup: no toolchain for firmware.elf (all else is built); to get it: sudo apt-get install gcc-arm-none-eabi "
        "libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib qemu-system-arm cmake g++ make\n")


def test_only_what_is_missing_is_named(project: Path, bare_path: Path) -> None:
    """A compiler that echoes a library's bare name does not have it."""
    for tool in TOOLS:
        program(bare_path / tool, "true")
    program(bare_path / "arm-none-eabi-gcc", 'case $1 in *libc.a) echo /lib/libc.a ;; *) echo "${1#*=}" ;; esac')
    result = set_up(project, "toolchain", PATH=str(bare_path))
    assert result.returncode == 0
    assert result.stderr.endswith("sudo apt-get install libstdc++-arm-none-eabi-newlib\n")


def apt(bare_path: Path, log: Path, then: str) -> None:
    """Stands in for apt and for the rights to use it: the real one would change the machine."""
    program(bare_path / "apt-get", f'echo "$@" >>{log}\n[ "$1" = update ] || {{ {then}; }}')
    (bare_path / "id").unlink()
    program(bare_path / "id", "echo 0")


def test_with_rights_what_is_missing_is_installed(project: Path, bare_path: Path, tmp_path: Path) -> None:
    for tool in TOOLS:
        program(bare_path / tool, "echo /found")
    (bare_path / "cmake").unlink()
    apt(bare_path, tmp_path / "log", f"ln -s {bare_path / 'make'} {bare_path / 'cmake'}")
    (bare_path / "ln").symlink_to(str(shutil.which("ln")))
    result = set_up(project, "toolchain", PATH=str(bare_path))
    assert (result.returncode, result.stderr) == (0, "setup: apt-get install cmake\n")
    update, install = (tmp_path / "log").read_text().splitlines()
    assert update.split() == ["update", "-qq"]
    assert install.startswith("install -y ")
    assert install.endswith(" cmake")
    assert set_up(project, "toolchain", PATH=str(bare_path)).stderr == ""


def test_an_apt_that_fails_is_no_failure(project: Path, bare_path: Path, tmp_path: Path) -> None:
    apt(bare_path, tmp_path / "log", "exit 100")
    result = set_up(project, "toolchain", PATH=str(bare_path))
    assert result.returncode == 0
    assert "to get it: sudo apt-get install gcc-arm-none-eabi" in result.stderr


# --- the scripts themselves -------------------------------------------------------------------------------
def test_an_unknown_part_is_bad_usage(project: Path) -> None:
    result = set_up(project, "nonsense")
    assert result.returncode == 2
    assert "usage" in result.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_executable_and_parse(script: Path) -> None:
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing() -> None:
    result = subprocess.run(["shellcheck", *map(str, SCRIPTS)], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


#: Flags and variables of a make that runs this suite.
OF_MAKE = {"MAKEFLAGS", "MAKEOVERRIDES", "PYTEST_ARGS"}


def test_make_test_runs_the_set_up_and_the_whole_suite() -> None:
    """What the continuous integration server calls is what a developer calls."""
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "exec make test"
    planned = subprocess.run(["make", "--dry-run", "test"], cwd=ROOT, capture_output=True, text=True, check=True,
                             env={key: value for key, value in os.environ.items() if key not in OF_MAKE}).stdout
    steps = [line for line in planned.splitlines() if not line.startswith("make")]
    assert [step.split()[0] for step in steps] == [
        "tools/setup.sh", ".venv/bin/ruff", ".venv/bin/mypy", "tools/setup.sh", ".venv/bin/python"]
    assert " -m pytest " in steps[-1]
    assert "tests/" not in steps[-1]
