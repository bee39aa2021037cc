"""The CMake library: configured, built, installed, found by a project that runs it, and built for a Cortex-M4."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from exported import MAIN, Exported, needs, run, write_firmware

pytestmark = needs("cmake", "gcc", "g++")

CONSUMER = """
cmake_minimum_required(VERSION 3.16)
project(app LANGUAGES C CXX)
{tfser}
add_executable(in_c main.c)
add_executable(in_cpp main.cpp)
foreach(app in_c in_cpp)
  target_link_libraries(${{app}} PRIVATE tfser::tfser)
endforeach()
"""


def consumer(folder: Path, tfser: str, main: str = MAIN) -> Path:
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(CONSUMER.format(tfser=tfser))
    for name in ("main.c", "main.cpp"):
        (folder / name).write_text(main)
    return folder


def build(source: Path, build_folder: Path, *options: str | Path) -> str:
    said = run("cmake", "-S", source, "-B", build_folder, "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", *options)
    return said + run("cmake", "--build", build_folder, "-j2")


def readme_blocks(folder: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)


def library_commands(build_folder: Path) -> list[str]:
    commands = json.loads((build_folder / "compile_commands.json").read_text())
    return [entry["command"] for entry in commands if "/tfser_" in entry["file"]]


def test_installed_and_found_it_gives_the_models_bytes(exported: Exported, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    said = build(exported.folder / "cmake", tmp_path / "b", f"-DCMAKE_INSTALL_PREFIX={prefix}",
                 "-DCMAKE_C_FLAGS=-Wall -Wextra -Wconversion -pedantic -Werror")
    assert "warning" not in said.lower()
    assert "CMAKE_BUILD_TYPE:STRING=Release" in (tmp_path / "b/CMakeCache.txt").read_text()
    run("cmake", "--install", tmp_path / "b")
    installed = {path.relative_to(prefix).as_posix() for path in prefix.rglob("*") if path.is_file()}
    assert {name for name in installed if name.endswith(".h")} == {"include/tfser/tfser_model.h",
                                                                   "include/tfser/tfser_profile.h"}
    found = readme_blocks(exported.folder / "cmake", "cmake")[1].splitlines()[0]
    app = consumer(tmp_path / "app", found)
    build(app, tmp_path / "c", f"-DCMAKE_PREFIX_PATH={prefix}")
    exported.check(tmp_path / "c/in_c")
    exported.check(tmp_path / "c/in_cpp")


def test_the_package_of_another_major_version_is_refused(exported: Exported, tmp_path: Path) -> None:
    run("cmake", "-S", exported.folder / "cmake", "-B", tmp_path / "b", f"-DCMAKE_INSTALL_PREFIX={tmp_path / 'prefix'}")
    run("cmake", "--build", tmp_path / "b", "-j2", "--target", "install")
    app = consumer(tmp_path / "app", "find_package(tfser 2 CONFIG REQUIRED)")
    refused = subprocess.run(["cmake", "-S", app, "-B", tmp_path / "c", f"-DCMAKE_PREFIX_PATH={tmp_path / 'prefix'}"],
                             capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "version: 1.0.0" in refused.stderr


def test_added_to_a_debug_build_it_is_still_optimised_and_not_installed(exported: Exported, tmp_path: Path) -> None:
    app = consumer(tmp_path / "app", f'add_subdirectory("{exported.folder}/cmake" tfser)')
    build(app, tmp_path / "b", "-DCMAKE_BUILD_TYPE=Debug", f"-DCMAKE_INSTALL_PREFIX={tmp_path / 'prefix'}")
    exported.check(tmp_path / "b/in_c")
    commands = library_commands(tmp_path / "b")
    assert len(commands) == sum(name.endswith(".c") for name in exported.files)
    assert all(" -O2 " in command for command in commands)
    run("cmake", "--install", tmp_path / "b")
    assert not list(tmp_path.glob("prefix/**/*tfser*"))


def test_the_options_do_what_they_say(exported: Exported, tmp_path: Path) -> None:
    app = consumer(tmp_path / "app", f'add_subdirectory("{exported.folder}/cmake" tfser)')
    build(app, tmp_path / "b", "-DTFSER_OPTIMIZE=OFF", "-DTFSER_PROFILE=ON", "-DTFSER_WEIGHTS_SECTION=.weights_here",
          "-DTFSER_TABLES_SECTION=.tables_here")
    exported.check(tmp_path / "b/in_c")
    assert not any(" -O" in command for command in library_commands(tmp_path / "b"))
    archive = tmp_path / "b/tfser/libtfser.a"
    assert "U tfser_profile_part" in run("nm", archive)
    sections = run("objdump", "-h", archive)
    assert ".weights_here" in sections
    assert ".tables_here" in sections


@needs("arm-none-eabi-gcc", "arm-none-eabi-objdump")
def test_it_builds_for_a_chip_with_the_readmes_toolchain_file(exported: Exported, tmp_path: Path) -> None:
    (tmp_path / "chip.cmake").write_text(readme_blocks(exported.folder / "cmake", "cmake")[2])
    build(exported.folder / "cmake", tmp_path / "b", f"-DCMAKE_TOOLCHAIN_FILE={tmp_path / 'chip.cmake'}",
          f"-DCMAKE_INSTALL_PREFIX={tmp_path / 'prefix'}")
    run("cmake", "--install", tmp_path / "b")
    archive = tmp_path / "prefix/lib/libtfser.a"
    assert "smlad" in run("arm-none-eabi-objdump", "-d", archive)
    assert "Tag_CPU_arch: v7E-M" in run("arm-none-eabi-readelf", "-A", archive)
    (tmp_path / "main.c").write_text(MAIN)
    run("arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16",
        "--specs=rdimon.specs", f"-I{tmp_path / 'prefix/include/tfser'}", tmp_path / "main.c", archive, "-o",
        tmp_path / "a.elf")


@needs("arm-none-eabi-gcc")
def test_a_core_that_the_arena_was_not_planned_for_is_refused(exported: Exported, tmp_path: Path) -> None:
    text = readme_blocks(exported.folder / "cmake", "cmake")[2]
    (tmp_path / "chip.cmake").write_text(re.sub(r'INIT ".*"', 'INIT "-mcpu=cortex-m3 -mthumb"', text))
    run("cmake", "-S", exported.folder / "cmake", "-B", tmp_path / "b",
        f"-DCMAKE_TOOLCHAIN_FILE={tmp_path / 'chip.cmake'}")
    built = subprocess.run(["cmake", "--build", tmp_path / "b"], capture_output=True, text=True, check=False)
    assert built.returncode != 0
    assert "compile the model again for this core" in built.stdout + built.stderr


def test_more_generated_files_come_along(exported: Exported, tmp_path: Path) -> None:
    """A layer above the model: its source is built, its headers are installed, it may use math.h."""
    more = {
        "tfser.h": '#ifndef TFSER_H\n#define TFSER_H\n#include "tfser_state.h"\n#include "tfser_model.h"\n'
                   "#ifdef __cplusplus\nextern \"C\" {\n#endif\nint tfser_init(tfser_state *state);\n"
                   "#ifdef __cplusplus\n}\n#endif\n#endif\n",
        "tfser_state.h": "#ifndef TFSER_STATE_H\n#define TFSER_STATE_H\ntypedef struct { float level; } tfser_state;\n"
                         "#endif\n",
        "tfser_front.h": "float tfser_front(float x);\n",
        "tfser.c": '#include "tfser.h"\n#include <math.h>\n#include "tfser_front.h"\n'
                   "int tfser_init(tfser_state *state) { state->level = expf(state->level); return 7; }\n",
    }
    firmware = write_firmware({**exported.files, **more}, tmp_path / "firmware")
    prefix = tmp_path / "prefix"
    build(firmware / "cmake", tmp_path / "b", f"-DCMAKE_INSTALL_PREFIX={prefix}")
    run("cmake", "--install", tmp_path / "b")
    assert sorted(path.name for path in prefix.rglob("*.h")) == ["tfser.h", "tfser_model.h", "tfser_profile.h",
                                                                 "tfser_state.h"]
    main = '#include "tfser.h"\nint main(void) { tfser_state s = {1}; return tfser_init(&s) - 7; }\n'
    app = consumer(tmp_path / "app", "find_package(tfser CONFIG REQUIRED)", main)
    build(app, tmp_path / "c", f"-DCMAKE_PREFIX_PATH={prefix}")
    run(tmp_path / "c/in_c")
    run(tmp_path / "c/in_cpp")
    for name in more:
        assert (firmware / "arduino/src" / name).is_file()
        assert (firmware / "platformio/src" / name).is_file()
        assert f'name="src/{name}"' in (firmware / "cmsis_pack/tfser.model.pdsc").read_text()
    assert "../tfser.c" in (firmware / "zephyr/CMakeLists.txt").read_text()
    assert "includes=tfser.h" in (firmware / "arduino/library.properties").read_text()
    assert '#include "tfser.h"' in (firmware / "cmake/README.md").read_text()
