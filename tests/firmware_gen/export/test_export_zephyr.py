"""The Zephyr module: its description against Zephyr's schema, its Kconfig, and its CMakeLists really evaluated.

Zephyr is not installable here; the parser of its Kconfig files is. The CMake functions that the module calls are
defined below with what Zephyr's documentation says that they do, so the module's own file is run, and what it builds is
run too.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from exported import CORE, LISTEN, MAIN, Exported, decision, needs, run

kconfiglib = pytest.importorskip("kconfiglib", reason="needs kconfiglib (tools/setup.sh)")
yaml = pytest.importorskip("yaml", reason="needs pyyaml (tools/setup.sh)")

# Keys of zephyr/module.yml (METADATA_SCHEMA of Zephyr's scripts/zephyr_module.py).
TOP_KEYS = {"name", "build", "tests", "samples", "boards", "blobs"}
BUILD_KEYS = {"cmake", "kconfig", "cmake-ext", "kconfig-ext", "sysbuild-cmake", "sysbuild-kconfig",
              "sysbuild-cmake-ext", "sysbuild-kconfig-ext", "depends", "settings"}

#: zephyr_library_named adds a library to the image; zephyr_include_directories is for everything in it.
APPLICATION = """
cmake_minimum_required(VERSION 3.20)
project(application LANGUAGES C)
add_library(zephyr_interface INTERFACE)
function(zephyr_include_directories)
  foreach(folder ${ARGN})
    get_filename_component(path ${folder} ABSOLUTE)
    target_include_directories(zephyr_interface INTERFACE ${path})
  endforeach()
endfunction()
macro(zephyr_library_named name)
  set(ZEPHYR_CURRENT_LIBRARY ${name})
  add_library(${name} STATIC)
  target_link_libraries(${name} PUBLIC zephyr_interface)
  set_property(GLOBAL APPEND PROPERTY ZEPHYR_LIBS ${name})
endmacro()
function(zephyr_library_sources)
  target_sources(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()
function(zephyr_library_compile_options)
  target_compile_options(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()
function(zephyr_library_compile_definitions)
  target_compile_definitions(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()
add_subdirectory(${MODULE_CMAKE_DIR} module)
get_property(libraries GLOBAL PROPERTY ZEPHYR_LIBS)
if(libraries AND NOT CMAKE_CROSSCOMPILING)
  add_executable(app main.c)
  target_link_libraries(app PRIVATE zephyr_interface ${libraries})
endif()
"""


def module_of(firmware: Path) -> dict[str, Any]:
    return yaml.safe_load((firmware / "zephyr/module.yml").read_text())


def kconfig_of(path: Path) -> Any:
    """The options, read by the Kconfig parser that Zephyr uses; a warning of it fails, of an unknown symbol too."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("KCONFIG_WARN_UNDEF", "y")
        found = kconfiglib.Kconfig(str(path), warn_to_stderr=False)
    assert found.warnings == []
    return found


def application(folder: Path, module: Path, config: dict[str, str], *options: str, main: str = MAIN) -> Path:
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(APPLICATION)
    (folder / "main.c").write_text(main)
    place = module / module_of(module)["build"]["cmake"]
    run("cmake", "-S", folder, "-B", folder / "b", f"-DMODULE_CMAKE_DIR={place}",
        "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", *(f"-D{name}={value}" for name, value in config.items()), *options)
    run("cmake", "--build", folder / "b", "-j2")
    return folder / "b"


def chosen(firmware: Path, *lines: str) -> dict[str, str]:
    """What CMake sees when prj.conf has these lines: Zephyr leaves out what is n."""
    kconfig = kconfig_of(firmware / "zephyr/Kconfig")
    for line in lines:
        name, value = line.removeprefix("CONFIG_").split("=")
        assert kconfig.syms[name].set_value(value), line
    written = [symbol for symbol in kconfig.unique_defined_syms if symbol.config_string]
    return {f"CONFIG_{symbol.name}": symbol.str_value for symbol in written if symbol.str_value != "n"}


def test_the_description_is_of_zephyrs_schema_and_names_files(exported: Exported) -> None:
    module = module_of(exported.folder)
    assert module.keys() <= TOP_KEYS
    assert module["build"].keys() <= BUILD_KEYS
    assert re.fullmatch(r"\w+", module["name"])
    assert (exported.folder / module["build"]["cmake"] / "CMakeLists.txt").is_file()
    assert (exported.folder / module["build"]["kconfig"]).is_file()


def test_every_option_is_declared_and_used(exported: Exported) -> None:
    symbols = {symbol.name: symbol for symbol in kconfig_of(exported.folder / "zephyr/Kconfig").unique_defined_syms}
    kinds = {"TFSER": "bool", "TFSER_OPTIMIZE": "bool", "TFSER_PROFILE": "bool", "TFSER_WEIGHTS_SECTION": "string",
             "TFSER_TABLES_SECTION": "string"}
    assert {name: kconfiglib.TYPE_TO_STR[symbol.type] for name, symbol in symbols.items()} == kinds
    for symbol in symbols.values():
        (node,) = symbol.nodes
        assert node.prompt
        assert node.help
    assert chosen(exported.folder) == {}
    assert chosen(exported.folder, "CONFIG_TFSER=y") == {
        "CONFIG_TFSER": "y", "CONFIG_TFSER_OPTIMIZE": "y", "CONFIG_TFSER_WEIGHTS_SECTION": "",
        "CONFIG_TFSER_TABLES_SECTION": ""}
    lists = (exported.folder / "zephyr/CMakeLists.txt").read_text()
    used = {name.replace("${kind}", kind) for kind in ("WEIGHTS", "TABLES")
            for name in re.findall(r"CONFIG_([A-Z_]+(?:\$\{kind\}_SECTION)?)", lists)}
    assert used == set(symbols)
    assert not re.search(r"^ ", (exported.folder / "zephyr/Kconfig").read_text(), re.MULTILINE)  # Kconfig's style: tabs


@pytest.mark.parametrize("bad", ["if A\n", "config A\n", "config A\n\tbool x\n", "config A\n\tbool \"x\"\n\tdefalt y\n",
                                 "config A\n\tbool \"x\"\n\tselect B\n", "config A\n\tbool \"x\"\n\tstring \"y\"\n"])
def test_the_kconfig_check_can_fail(tmp_path: Path, bad: str) -> None:
    (tmp_path / "Kconfig").write_text(bad)
    with pytest.raises((AssertionError, kconfiglib.KconfigError)):
        kconfig_of(tmp_path / "Kconfig")


@needs("cmake", "gcc")
def test_in_an_image_it_gives_the_models_bytes(exported: Exported, tmp_path: Path) -> None:
    built = application(tmp_path / "app", exported.folder, chosen(exported.folder, "CONFIG_TFSER=y"))
    exported.check(built / "app")
    commands = (built / "compile_commands.json").read_text()
    assert commands.count(" -O2 ") == sum(name.endswith(".c") for name in exported.files)
    assert "SECTION" not in commands


@needs("cmake", "gcc")
def test_in_an_image_it_decides_as_the_c_files_do(listening: Path, window: bytes, decided: dict[str, float],
                                                  tmp_path: Path) -> None:
    """prj.conf as the README has it; FPU is Zephyr's own option."""
    lines = (listening / "zephyr/README.md").read_text().split("In `prj.conf`:\n```\n")[1].split("```")[0].split()
    assert lines == ["CONFIG_TFSER=y", "CONFIG_FPU=y"]
    built = application(tmp_path / "app", listening, chosen(listening, lines[0]), main=LISTEN)
    assert decision(built / "app", window) == decided


@needs("cmake", "gcc")
def test_the_options_do_what_they_say(exported: Exported, tmp_path: Path) -> None:
    built = application(tmp_path / "app", exported.folder, chosen(
        exported.folder, "CONFIG_TFSER=y", "CONFIG_TFSER_OPTIMIZE=n", "CONFIG_TFSER_PROFILE=y",
        "CONFIG_TFSER_WEIGHTS_SECTION=.weights_here", "CONFIG_TFSER_TABLES_SECTION=.tables_here"))
    exported.check(built / "app")
    assert " -O2 " not in (built / "compile_commands.json").read_text()
    archive = built / "module/libtfser.a"
    assert "U tfser_profile_part" in run("nm", archive)
    assert {".weights_here", ".tables_here"} <= set(run("objdump", "-h", archive).split())


@needs("cmake", "gcc")
def test_switched_off_it_adds_nothing(exported: Exported, tmp_path: Path) -> None:
    built = application(tmp_path / "app", exported.folder, {})
    assert not list(built.rglob("libtfser.a"))
    assert not (built / "app").exists()


@needs("cmake", "arm-none-eabi-gcc")
def test_it_builds_for_a_chip_with_the_flags_of_zephyr(exported: Exported, tmp_path: Path) -> None:
    """Zephyr compiles for size, freestanding, with the frame pointer kept in debug builds."""
    flags = " ".join((*CORE.gcc_flags, "-Os -ffreestanding -fno-common -fno-omit-frame-pointer -Wall -Wextra -Werror"))
    built = application(tmp_path / "app", exported.folder, {"CONFIG_TFSER": "y"}, "-DCMAKE_SYSTEM_NAME=Generic",
                        "-DCMAKE_C_COMPILER=arm-none-eabi-gcc", f"-DCMAKE_C_FLAGS={flags}",
                        "-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY")
    assert "smlad" in run("arm-none-eabi-objdump", "-d", built / "module/libtfser.a")
