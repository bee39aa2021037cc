"""The Arduino library: its description and layout against the specification, its C compiled, its sketch run.

Here without any tool of Arduino's: the sketch is compiled as the IDE does it (C++, Arduino.h first), with the few lines
of arduino_core.py. test_export_arduino_build.py has Arduino's own builder do it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from arduino_core import ARDUINO_H, MAIN
from exported import CORE, M4, Exported, compile_folder, needs, run

# Of the library specification (rev. 2.2).
REQUIRED = ("name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures")
OPTIONAL = ("depends", "dot_a_linkage", "includes", "precompiled", "ldflags")
CATEGORIES = ("Display", "Communication", "Signal Input/Output", "Sensors", "Device Control", "Timing", "Data Storage",
              "Data Processing", "Other")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}")
SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")


def properties_of(text: str) -> dict[str, str]:
    """Keys and values; a line without ``=`` or a key given twice fails."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals
            assert key not in found
            found[key] = value
    return found


def problems(folder: Path) -> list[str]:
    """What the specification would not accept of a library in the recursive layout."""
    found = []
    properties = properties_of((folder / "library.properties").read_text(encoding="utf-8"))
    found += [f"{key} is missing" for key in REQUIRED if key not in properties]
    found += [f"{key} is unknown" for key in properties if key not in REQUIRED + OPTIONAL]
    found += [f"{key} is empty" for key in properties if not properties[key]]
    if not NAME.fullmatch(properties.get("name", "")) or properties["name"].lower().startswith("arduino"):
        found.append("name")
    if not SEMVER.fullmatch(properties.get("version", "")):
        found.append("version")
    if properties.get("category") not in CATEGORIES:
        found.append("category")
    found += [f"{name} is not in src" for name in properties.get("includes", "").split(",")
              if not (folder / "src" / name).is_file()]
    found += [f"{path.name} beside src" for path in folder.iterdir() if path.suffix in (".c", ".cpp", ".h", ".ino")]
    if (folder / "utility").exists():
        found.append("utility beside src")
    sketches = list((folder / "examples").rglob("*.ino"))
    found += [f"sketch {path.name} in {path.parent.name}" for path in sketches if path.stem != path.parent.name]
    return found + ([] if sketches else ["no sketch"])


def sketch_program(folder: Path, out: Path, objects: list[Path]) -> Path:
    """The sketch, compiled and linked as the IDE does it."""
    sketch = folder / "examples/RunModel/RunModel.ino"
    (out / "Arduino.h").write_text(ARDUINO_H)
    (out / "main.cpp").write_text(MAIN)
    (out / "RunModel.cpp").write_text(f'#include <Arduino.h>\n#line 1 "RunModel.ino"\n{sketch.read_text()}')
    run("g++", "-std=gnu++11", "-Wall", "-Wextra", "-Werror", f"-I{out}", f"-I{folder / 'src'}", out / "RunModel.cpp",
        out / "main.cpp", *objects, "-o", out / "sketch")
    return out / "sketch"


def test_description_and_layout_are_as_specified(exported: Exported) -> None:
    assert problems(exported.folder / "arduino") == []


@pytest.mark.parametrize(("change", "found"), [
    (("category=Data Processing", "category=Speech"), "category"),
    (("version=1.0.0", "version=1.0"), "version"),
    (("name=tfser_model", "name=Arduino model"), "name"),
    (("includes=", "includes=nothing.h,"), "nothing.h is not in src"),
    (("author=The tfser authors\n", ""), "author is missing"),
    (("url=https://doi.org/10.1109/JIOT.2024.3483232", "url="), "url is empty"),
    (("architectures=", "platforms="), "platforms is unknown"),
])
def test_the_check_of_the_description_can_fail(exported: Exported, tmp_path: Path, change: tuple[str, str],
                                               found: str) -> None:
    folder = tmp_path / "library"
    for path in (exported.folder / "arduino").rglob("*"):
        if path.is_file():
            target = folder / path.relative_to(exported.folder / "arduino")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    text = (folder / "library.properties").read_text()
    assert change[0] in text
    (folder / "library.properties").write_text(text.replace(*change))
    assert found in problems(folder)


def test_the_library_is_complete(exported: Exported) -> None:
    held = {path.name: path.read_text() for path in (exported.folder / "arduino/src").iterdir()}
    assert held == exported.files


@needs("gcc", "g++")
def test_the_sketch_prints_the_models_bytes(exported: Exported, tmp_path: Path) -> None:
    library = exported.folder / "arduino"
    objects = compile_folder(("gcc", "-std=gnu11", "-Os", "-Wall", "-Wextra", "-Werror"),
                             sorted((library / "src").glob("*.c")), tmp_path / "o")
    said = run(sketch_program(library, tmp_path, objects))
    assert said == f"{' '.join(map(str, exported.pattern()))} in 1000 us\n"


@needs("arm-none-eabi-gcc")
@pytest.mark.parametrize("level", ["-Os", "-O2"])
def test_library_and_sketch_compile_for_a_chip(exported: Exported, tmp_path: Path, level: str) -> None:
    library = exported.folder / "arduino"
    compile_folder((*M4, "-std=gnu11", level, "-ffunction-sections", "-fdata-sections", "-Wall", "-Werror"),
                   sorted((library / "src").glob("*.c")), tmp_path / "o")
    (tmp_path / "Arduino.h").write_text(ARDUINO_H)
    run("arm-none-eabi-gcc", "-x", "c++", "-std=gnu++11", *CORE.gcc_flags, "-fno-exceptions", "-fno-rtti", "-Wall",
        "-Wextra", "-Werror", f"-I{tmp_path}", f"-I{library / 'src'}", "-include", "Arduino.h", "-fsyntax-only",
        library / "examples/RunModel/RunModel.ino")
