"""The PlatformIO library and its example, built by PlatformIO itself: its library finder, the flags of library.json,
the example's platformio.ini as it is.

PlatformIO and SCons, with which it builds, are from PyPI. Its platforms and its own copy of SCons come from a registry,
so the platform "native" below, of two files, stands where PlatformIO would install its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from exported import Exported, decision, needs, run

pytest.importorskip("SCons", reason="needs SCons (tools/setup.sh)")
dependencies = pytest.importorskip("platformio.dependencies", reason="needs PlatformIO (tools/setup.sh)")

pytestmark = needs("gcc", "g++")

BUILDER = """
from SCons.Script import Default, DefaultEnvironment
env = DefaultEnvironment()
env.Replace(PROGNAME="program")
Default(env.BuildProgram())
"""
SCONS = "from SCons.Script.Main import main\nmain()\n"


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What PlatformIO keeps below ~/.platformio, with the platform and the build tool in it."""
    folder = tmp_path_factory.mktemp("platformio")
    write(folder / "platforms/native/platform.json", {
        "name": "native", "title": "Native", "description": "This computer", "version": "1.0.0",
        "license": "Apache-2.0", "engines": {"platformio": "*"}, "frameworks": {}, "packages": {},
        "repository": {"type": "git", "url": "https://localhost/native.git"}})
    write(folder / "platforms/native/builder/main.py", BUILDER)
    tool = {"name": "tool-scons", "version": dependencies.get_core_dependencies()["tool-scons"].lstrip("~")}
    write(folder / "packages/tool-scons/package.json", {**tool, "description": "SCons", "system": "*"})
    write(folder / "packages/tool-scons/.piopm", {**tool, "type": "tool", "spec": {
        "owner": "platformio", "id": None, "name": "tool-scons", "requirements": None, "uri": None}})
    write(folder / "packages/tool-scons/scons.py", SCONS)
    return folder


def pio(home: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PLATFORMIO_CORE_DIR": str(home), "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
                   "PLATFORMIO_SETTING_CHECK_PLATFORMIO_INTERVAL": "9999", "PLATFORMIO_NO_ANSI": "true"}
    return subprocess.run([sys.executable, "-m", "platformio", *map(str, arguments)], env=environment,
                          capture_output=True, text=True, check=False, timeout=120)


def build(home: Path, library: Path, *options: str) -> tuple[Path, str]:
    """The example's program, and what was said."""
    (example,) = (library / "examples").iterdir()
    built = pio(home, "run", "-d", example, "-e", "native", *options)
    assert built.returncode == 0, built.stdout + built.stderr
    assert "-- tfser_model @ 1.0.0+" in built.stdout
    return example / ".pio/build/native/program", built.stdout


def test_the_models_example_prints_its_bytes(exported: Exported, home: Path, tmp_path: Path) -> None:
    library = shutil.copytree(exported.folder / "platformio", tmp_path / "library")
    program, _ = build(home, library)
    assert run(program).split() == [str(value) for value in exported.pattern()]


def test_the_listening_example_decides_as_the_c_files_do(listening: Path, window: bytes, decided: dict[str, float],
                                                         home: Path, tmp_path: Path) -> None:
    library = shutil.copytree(listening / "platformio", tmp_path / "library")
    settings = next(library.glob("examples/*/platformio.ini"))
    settings.write_text(settings.read_text().replace("platform = native\n", "platform = native\nbuild_flags = -Os\n"))
    program, said = build(home, library, "-v")
    assert decision(program, window) == decided
    compiled = [line for line in said.splitlines() if " -c " in line]
    own = [line.endswith(".c") for line in compiled]
    assert own.count(True) == len(list((library / "src").glob("*.c")))
    assert own.count(False) == 1
    for line, of_the_library in zip(compiled, own, strict=True):
        flags = [flag for flag in line.split() if flag.startswith("-O")]
        assert flags == ["-O2" if of_the_library else "-Os"], line


def copy_without_license(firmware: Path, folder: Path, **changes: object) -> Path:
    """PlatformIO fetches the list of licences before it packs: without a network it would refuse every one."""
    shutil.copytree(firmware / "platformio", folder)
    manifest = json.loads((folder / "library.json").read_text())
    assert manifest.pop("license") == "Apache-2.0"
    assert set(changes) <= set(manifest)
    write(folder / "library.json", manifest | changes)
    return folder


def test_it_packs_the_library_whole(listening: Path, home: Path, tmp_path: Path) -> None:
    library = copy_without_license(listening, tmp_path / "library")
    packed = pio(home, "pkg", "pack", library, "-o", tmp_path / "tfser_model.tar.gz")
    assert packed.returncode == 0, packed.stdout + packed.stderr
    with tarfile.open(tmp_path / "tfser_model.tar.gz") as archive:
        names = sorted(member.name for member in archive.getmembers() if member.isfile())
    assert names == sorted(path.relative_to(library).as_posix() for path in library.rglob("*") if path.is_file())


@pytest.mark.parametrize(("key", "value"), [("name", "a/b"), ("version", "1"), ("description", ""),
                                          ("keywords", ["a" * 60])])
def test_a_wrong_manifest_is_not_packed(exported: Exported, home: Path, tmp_path: Path, key: str,
                                        value: object) -> None:
    library = copy_without_license(exported.folder, tmp_path / "library", **{key: value})
    packed = pio(home, "pkg", "pack", library, "-o", tmp_path / "x.tar.gz")
    assert packed.returncode != 0
    assert key in packed.stdout + packed.stderr
