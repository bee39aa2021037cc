"""Exports of a model with its application layer: every project gives the decision of the C files alone."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from arduino_core import ARDUINO_H
from exported import (
    CORE,
    LISTEN,
    M4,
    compile_folder,
    compile_listener,
    decision,
    needs,
    noise,
    run,
    window_samples,
    write_firmware,
)

from firmware_gen.export.cmsis_pack import DESCRIPTION
from firmware_gen.target import CORES

WARNINGS = ("-Wall", "-Wextra", "-Werror")
STRICT = "-Wall -Wextra -Wconversion -Wcast-align -pedantic -Werror"
PUBLIC = {"tfser.h", "tfser_model.h", "tfser_profile.h"}

#: In C and in C++, both found and linked.
CONSUMER = """
cmake_minimum_required(VERSION 3.16)
project(app LANGUAGES C CXX)
find_package(tfser 1 CONFIG REQUIRED)
add_executable(in_c main.c)
add_executable(in_cpp main.cpp)
foreach(app in_c in_cpp)
  target_link_libraries(${app} PRIVATE tfser::tfser)
endforeach()
"""

#: The microphone library of Arduino's own boards: what a sketch sees of it.
PDM_H = """
#include <stddef.h>
struct Microphone { void onReceive(void (*)()); int begin(int, int); int available(); int read(void *, size_t); };
extern Microphone PDM;
"""


def install(firmware: Path, folder: Path, *options: str) -> Path:
    """Configure, build and install the CMake export; the prefix."""
    run("cmake", "-S", firmware / "cmake", "-B", folder / "library", f"-DCMAKE_INSTALL_PREFIX={folder / 'prefix'}",
        *options)
    run("cmake", "--build", folder / "library", "-j2")
    run("cmake", "--install", folder / "library")
    return folder / "prefix"


def consume(prefix: Path, folder: Path, *options: str) -> Path:
    """Build a project that finds the installed copy; its build folder."""
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(CONSUMER)
    for name in ("main.c", "main.cpp"):
        (folder / name).write_text(LISTEN)
    run("cmake", "-S", folder, "-B", folder / "b", f"-DCMAKE_PREFIX_PATH={prefix}", *options)
    run("cmake", "--build", folder / "b", "-j2")
    return folder / "b"


@needs("cmake", "gcc", "g++")
def test_installed_and_found_by_cmake_it_decides_the_same(listening: Path, window: bytes, decided: dict[str, float],
                                                          tmp_path: Path) -> None:
    prefix = install(listening, tmp_path, f"-DCMAKE_C_FLAGS={STRICT}")
    assert {path.name for path in (prefix / "include/tfser").iterdir()} >= PUBLIC
    built = consume(prefix, tmp_path / "app")
    assert decision(built / "in_c", window) == decided
    assert decision(built / "in_cpp", window) == decided


@needs("cmake", "arm-none-eabi-gcc", "arm-none-eabi-g++")
@pytest.mark.parametrize("name", list(CORES))
def test_installed_and_found_it_links_for_every_core(shared_models: Path, tmp_path: Path, name: str) -> None:
    """With the README's toolchain file, and newlib around it."""
    core = CORES[name]
    firmware = write_firmware(compile_listener((shared_models / "conformer_bn.tflite").read_bytes(), core),
                              tmp_path / "firmware", ["cmake"], core)
    flags = " ".join(core.gcc_flags)
    lines = (firmware / "cmake/README.md").read_text().split("```cmake\n")[3].split("```")[0]
    assert f'set(CMAKE_C_FLAGS_INIT "{flags}")' in lines
    (tmp_path / "chip.cmake").write_text(
        lines.replace(flags, f"{flags} {STRICT}") + "set(CMAKE_CXX_COMPILER arm-none-eabi-g++)\n"
        f'set(CMAKE_CXX_FLAGS_INIT "{flags}")\nset(CMAKE_EXE_LINKER_FLAGS_INIT --specs=rdimon.specs)\n')
    toolchain = f"-DCMAKE_TOOLCHAIN_FILE={tmp_path / 'chip.cmake'}"
    built = consume(install(firmware, tmp_path, toolchain), tmp_path / "app", toolchain)
    for program in ("in_c", "in_cpp"):
        attributes = run("arm-none-eabi-readelf", "-A", built / program)
        assert ("Tag_ABI_VFP_args: VFP registers" in attributes) == core.has_fpu
        assert {"tfser_init", "tfser_feed", "tfser_classify"} <= set(run("arm-none-eabi-nm", built / program).split())
    calls = set(run("arm-none-eabi-nm", "-u", tmp_path / "prefix/lib/libtfser.a").split())
    assert not {symbol for symbol in calls if "alloc" in symbol or symbol == "free" or symbol.startswith("__aeabi_d")}


@needs("gcc", "g++")
def test_the_platformio_example_decides_the_same(listening: Path, window: bytes, decided: dict[str, float],
                                                 tmp_path: Path) -> None:
    library = listening / "platformio"
    objects = compile_folder(("gcc", "-O2", *WARNINGS), sorted((library / "src").glob("*.c")), tmp_path / "o")
    run("g++", "-std=c++11", "-O2", *WARNINGS, f"-I{library / 'src'}",
        library / "examples/classify_speech/src/main.cpp", *objects, "-lm", "-o", tmp_path / "example")
    assert decision(tmp_path / "example", window) == decided
    too_short = subprocess.run([tmp_path / "example"], input=noise(8000), capture_output=True, check=False)
    assert too_short.returncode == 1
    assert (f"status 1 (tfser.h says what it means; a window has {window_samples(listening)} samples)"
            in too_short.stderr.decode())


@needs("gcc")
def test_the_listed_files_of_the_pack_decide_the_same(listening: Path, window: bytes, decided: dict[str, float],
                                                      tmp_path: Path) -> None:
    pack = listening / "cmsis_pack"
    files = ElementTree.parse(pack / DESCRIPTION).findall("components/component/files/file")
    listed = {category: [pack / file.attrib["name"] for file in files if file.attrib["category"] == category]
              for category in ("source", "header")}
    include = sorted({f"-I{header.parent}" for header in listed["header"]})
    objects = compile_folder(("gcc", "-std=c11", "-O2", *include), listed["source"], tmp_path / "o")
    (tmp_path / "main.c").write_text(LISTEN)
    run("gcc", "-std=c11", *include, tmp_path / "main.c", *objects, "-lm", "-o", tmp_path / "main")
    assert decision(tmp_path / "main", window) == decided


@needs("arm-none-eabi-gcc")
@pytest.mark.parametrize("board", ["ARDUINO_ARDUINO_NANO33BLE", "ARDUINO_NANO_RP2040_CONNECT", "ARDUINO_OTHER"])
def test_sketch_and_library_compile_for_a_chip(listening: Path, tmp_path: Path, board: str) -> None:
    library = listening / "arduino"
    (tmp_path / "Arduino.h").write_text(ARDUINO_H)
    (tmp_path / "PDM.h").write_text(PDM_H)
    compile_folder((*M4, "-std=gnu11", "-Os", *WARNINGS),
                   [*sorted((library / "src").glob("tfser_f*.c")), library / "src/tfser.c"], tmp_path / "o")
    run("arm-none-eabi-gcc", "-x", "c++", "-std=gnu++11", *CORE.gcc_flags, "-fno-exceptions", "-fno-rtti", *WARNINGS,
        f"-D{board}", f"-I{tmp_path}", f"-I{library / 'src'}", "-include", "Arduino.h", "-fsyntax-only",
        library / "examples/ClassifySpeech/ClassifySpeech.ino")


def test_manifests_name_the_application(listening: Path) -> None:
    assert "includes=tfser.h" in (listening / "arduino/library.properties").read_text()
    assert [path.name for path in (listening / "arduino/examples").rglob("*.ino")] == ["ClassifySpeech.ino"]
    assert '"base": "examples/classify_speech"' in (listening / "platformio/library.json").read_text()
    assert "example `ClassifySpeech`" in (listening / "arduino/README.md").read_text()
    for name in ("arduino", "cmake", "cmsis_pack", "zephyr"):
        assert re.search(r"#include .tfser\.h.", (listening / name / "README.md").read_text())
