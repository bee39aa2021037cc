"""The Zephyr module: its description against Zephyr's schema, its Kconfig, and its CMakeLists really evaluated.

Zephyr is not installable here. The CMake functions that the module calls are defined below with what Zephyr's
documentation says that they do, so the module's own file is run, and what it builds is run too.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from exported import CORE, MAIN, Exported, needs, run

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


def parse_module(text: str) -> dict[str, str | dict[str, str]]:
    """YAML of two levels of plain scalars; anything else fails."""
    found: dict[str, str | dict[str, str]] = {}
    inner: dict[str, str] = {}
    for line in text.splitlines():
        match = re.fullmatch(r"(  )?([\w-]+):(?: ([\w/.]+))?", line)
        assert match, line
        indent, key, value = match.groups()
        if indent:
            inner[key] = value
        elif value:
            found[key] = value
        else:
            found[key] = inner = {}
    return found


def parse_kconfig(text: str) -> dict[str, tuple[str, str]]:
    """Symbol -> type and default of a Kconfig of one menu; unknown keywords and open ifs fail."""
    symbols: dict[str, tuple[str, str]] = {}
    name, help_lines, open_ifs = "", False, 0
    for line in text.splitlines():
        if help_lines and (not line or line.startswith("\t  ")):
            continue
        help_lines = False
        words = line.split(None, 1)
        if not words:
            continue
        if not line.startswith("\t"):
            assert words[0] in ("config", "menuconfig", "if", "endif"), line
            open_ifs += {"if": 1, "endif": -1}.get(words[0], 0)
            name = words[1] if words[0].endswith("config") else ""
            assert not name or (re.fullmatch(r"[A-Z][A-Z0-9_]*", name) and name not in symbols)
            symbols |= {name: ("", "")} if name else {}
        elif words[0] in ("bool", "string"):
            assert re.fullmatch(r'"[^"]+"', words[1]), line
            symbols[name] = (words[0], "" if words[0] == "string" else "n")
        elif words[0] == "default":
            symbols[name] = (symbols[name][0], words[1])
        else:
            assert line == "\thelp", line
            help_lines = True
    assert open_ifs == 0
    assert all(kind for kind, _ in symbols.values())
    return symbols


def application(folder: Path, module: Path, config: dict[str, str], *options: str) -> Path:
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(APPLICATION)
    (folder / "main.c").write_text(MAIN)
    described = parse_module((module / "zephyr/module.yml").read_text())
    assert isinstance(described["build"], dict)
    run("cmake", "-S", folder, "-B", folder / "b", f"-DMODULE_CMAKE_DIR={module / described['build']['cmake']}",
        "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", *(f"-D{name}={value}" for name, value in config.items()), *options)
    run("cmake", "--build", folder / "b", "-j2")
    return folder / "b"


def defaults(kconfig: str) -> dict[str, str]:
    """What .config says when the module is switched on and nothing else is set; Zephyr leaves out what is n."""
    values = {f"CONFIG_{name}": value for name, (_, value) in parse_kconfig(kconfig).items() if value != "n"}
    return {**values, "CONFIG_TFSER": "y"}


def test_the_description_is_of_zephyrs_schema_and_names_files(exported: Exported) -> None:
    module = parse_module((exported.folder / "zephyr/module.yml").read_text())
    assert module.keys() <= TOP_KEYS
    assert isinstance(module["build"], dict)
    assert module["build"].keys() <= BUILD_KEYS
    assert re.fullmatch(r"\w+", str(module["name"]))
    assert (exported.folder / module["build"]["cmake"] / "CMakeLists.txt").is_file()
    assert (exported.folder / module["build"]["kconfig"]).is_file()


def test_every_option_is_declared_and_used(exported: Exported) -> None:
    text = (exported.folder / "zephyr/Kconfig").read_text()
    symbols = parse_kconfig(text)
    assert {name: kind for name, (kind, _) in symbols.items()} == {
        "TFSER": "bool", "TFSER_OPTIMIZE": "bool", "TFSER_PROFILE": "bool", "TFSER_WEIGHTS_SECTION": "string",
        "TFSER_TABLES_SECTION": "string"}
    assert [name for name, (_, value) in symbols.items() if value == "y"] == ["TFSER_OPTIMIZE"]
    lists = (exported.folder / "zephyr/CMakeLists.txt").read_text()
    used = {name.replace("${kind}", kind) for kind in ("WEIGHTS", "TABLES")
            for name in re.findall(r"CONFIG_([A-Z_]+(?:\$\{kind\}_SECTION)?)", lists)}
    assert used == set(symbols)
    assert not re.search(r"^ ", text, re.MULTILINE)  # Kconfig's style: tabs


@pytest.mark.parametrize("bad", ["config A\n\tboolean \"x\"\n", "if A\n", "config A\nconfig A\n",
                                 "config a-b\n\tbool \"x\"\n", "config A\nbool \"x\"\n"])
def test_the_kconfig_check_can_fail(bad: str) -> None:
    with pytest.raises(AssertionError):
        parse_kconfig(bad)


@needs("cmake", "gcc")
def test_in_an_image_it_gives_the_models_bytes(exported: Exported, tmp_path: Path) -> None:
    config = defaults((exported.folder / "zephyr/Kconfig").read_text())
    built = application(tmp_path / "app", exported.folder, config)
    exported.check(built / "app")
    commands = (built / "compile_commands.json").read_text()
    assert commands.count(" -O2 ") == sum(name.endswith(".c") for name in exported.files)
    assert "SECTION" not in commands


@needs("cmake", "gcc")
def test_the_options_do_what_they_say(exported: Exported, tmp_path: Path) -> None:
    built = application(tmp_path / "app", exported.folder, {
        "CONFIG_TFSER": "y", "CONFIG_TFSER_PROFILE": "y", "CONFIG_TFSER_WEIGHTS_SECTION": ".weights_here",
        "CONFIG_TFSER_TABLES_SECTION": ".tables_here"})
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
