"""The PlatformIO library: library.json against its documented fields, its example built and run as PlatformIO does it.

Here without PlatformIO. test_export_platformio_build.py has PlatformIO itself build, run and pack it.
"""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path
from typing import Any

import pytest
from arduino_core import ARDUINO_H
from exported import CORE, M4, Exported, compile_folder, needs, run

# Fields of library.json and of its "build", by PlatformIO's documentation.
FIELDS = {"$schema", "name", "version", "description", "keywords", "homepage", "repository", "authors", "license",
          "frameworks", "platforms", "headers", "examples", "dependencies", "export", "scripts", "build"}
BUILD_FIELDS = {"flags", "unflags", "includeDir", "srcDir", "srcFilter", "extraScript", "libArchive", "libLDFMode",
                "libCompatMode", "builder"}
SEMVER = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")


def problems(manifest: dict[str, Any], library: Path) -> list[str]:
    """What PlatformIO would not accept, or would not find."""
    found = [f"unknown field {name}" for name in manifest if name not in FIELDS]
    found += [f"unknown build field {name}" for name in manifest.get("build", {}) if name not in BUILD_FIELDS]
    if not re.fullmatch(r"[^:;/,@<>]{1,100}", manifest.get("name", "")):
        found.append("name")
    if not SEMVER.fullmatch(manifest.get("version", "")) or len(manifest["version"]) > 50:
        found.append("version")
    if not 1 <= len(manifest.get("description", "")) <= 1000:
        found.append("description")
    found += [f"keyword {word}" for word in manifest.get("keywords", [])
              if not re.fullmatch(r"[a-z\d\-_+. ]{1,50}", word)]
    found += [f"header {name}" for name in manifest.get("headers", []) if not (library / "src" / name).is_file()]
    if not re.fullmatch(r"[A-Za-z0-9.+-]+", manifest.get("license", "")):  # an identifier of SPDX
        found.append("license")
    found += [f"author {author}" for author in manifest.get("authors", []) if not author.get("name")]
    for example in manifest.get("examples", []):
        base = library / example["base"]
        found += [f"example file {name}" for name in example["files"] if not (base / name).is_file()]
    return found


def manifest_of(library: Path) -> dict[str, Any]:
    return json.loads((library / "library.json").read_text(encoding="utf-8"))


def test_the_manifest_is_as_documented(exported: Exported) -> None:
    library = exported.folder / "platformio"
    assert problems(manifest_of(library), library) == []


@pytest.mark.parametrize("change", [
    {"name": "a/b"}, {"version": "1.0"}, {"description": ""}, {"keywords": ["Int8"]}, {"headers": ["none.h"]},
    {"source": "src"}, {"build": {"optimize": True}}, {"authors": [{}]}, {"license": "no identifier"},
    {"examples": [{"name": "x", "base": "examples/x", "files": ["main.cpp"]}]}], ids=lambda change: next(iter(change)))
def test_the_check_of_the_manifest_can_fail(exported: Exported, change: dict[str, Any]) -> None:
    library = exported.folder / "platformio"
    assert len(problems(manifest_of(library) | change, library)) == 1


def test_the_library_is_complete(exported: Exported) -> None:
    """PlatformIO's default: sources and headers in src/, nothing that it would build outside of it."""
    library = exported.folder / "platformio"
    assert {path.name: path.read_text() for path in (library / "src").iterdir()} == exported.files
    assert {path.name for path in library.iterdir()} == {"LICENSE", "README.md", "examples", "library.json", "src"}


def test_the_example_finds_the_library(exported: Exported) -> None:
    example = exported.folder / "platformio/examples/run_model"
    settings = configparser.ConfigParser()
    settings.read(example / "platformio.ini")
    scheme, place = settings["env"]["lib_deps"].split("://")
    assert scheme == "symlink"
    assert (example / place / "library.json").resolve() == (exported.folder / "platformio/library.json").resolve()
    assert settings["platformio"]["default_envs"] == "native"
    assert {name for name in settings.sections() if name.startswith("env:")} == {"env:native", "env:board"}
    assert set(settings["env:board"]) == {"platform", "board", "framework", "monitor_speed"}


@needs("gcc", "g++")
def test_the_example_prints_the_models_bytes(exported: Exported, tmp_path: Path) -> None:
    library = exported.folder / "platformio"
    flags = [flag for flag in ("-Os", *manifest_of(library)["build"]["flags"])
             if flag not in manifest_of(library)["build"]["unflags"]]
    assert flags == ["-O2"]
    objects = compile_folder(("gcc", *flags, "-Wall", "-Wextra", "-Werror"), sorted((library / "src").glob("*.c")),
                             tmp_path / "o")
    run("g++", "-std=c++11", "-Wall", "-Wextra", "-Werror", f"-I{library / 'src'}",
        library / "examples/run_model/src/main.cpp", *objects, "-o", tmp_path / "example")
    assert run(tmp_path / "example").split() == [str(value) for value in exported.pattern()]


@needs("arm-none-eabi-gcc")
def test_library_and_example_compile_for_a_chip(exported: Exported, tmp_path: Path) -> None:
    library = exported.folder / "platformio"
    compile_folder((*M4, "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"), sorted((library / "src").glob("*.c")),
                   tmp_path / "o")
    (tmp_path / "Arduino.h").write_text(ARDUINO_H)
    run("arm-none-eabi-gcc", "-x", "c++", "-std=gnu++14", *CORE.gcc_flags, "-fno-exceptions", "-DARDUINO=10808",
        "-Wall", "-Wextra", "-Werror", f"-I{tmp_path}", f"-I{library / 'src'}", "-fsyntax-only",
        library / "examples/run_model/src/main.cpp")
