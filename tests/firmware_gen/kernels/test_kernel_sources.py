"""Every kernel's source by itself: compilers, warnings, analysers; no state, no heap, a stack of known size."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from rows_cases import KERNELS, STRICT

from firmware_gen.emit.ops.table import HEADERS
from firmware_gen.target import CORES

SOURCES = sorted(KERNELS.glob("*.c"))
BUILDS = [
    "gcc -O0", "gcc -O2", "clang -O2",
    *(f"cortex-m3 {level}" for level in ("-O0", "-Os", "-O2")),
    *(f"cortex-m4 {level}" for level in ("-O0", "-O1", "-Os", "-O2")),
    "cortex-m7 -O2", "cortex-m33 -O3",
    *(f"cortex-m55 {level}" for level in ("-O0", "-Os", "-O2")),
]
#: What a bare-metal program has in any case: the compiler makes up calls of these, and of its own helpers.
OUTSIDE = re.compile(r"memcpy|memset|memmove|tfser_\w+|__aeabi_\w+")


def compiler(build: str) -> list[str]:
    """Command of a build, ``core or compiler, level``."""
    name, level = build.split()
    if name in CORES:
        return ["arm-none-eabi-gcc", *CORES[name].gcc_flags, level]
    return [name, level]


def run(command: list[str], folder: Path) -> str:
    """Run a tool, which must succeed and say nothing; its standard output."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_there_are_kernels() -> None:
    assert len(SOURCES) > 10


@pytest.mark.parametrize("build", BUILDS)
def test_sources_compile_without_a_warning(build: str, tmp_path: Path) -> None:
    run([*compiler(build), *STRICT, "-c", *map(str, SOURCES)], tmp_path)
    assert len(list(tmp_path.glob("*.o"))) == len(SOURCES)


@pytest.mark.parametrize("build", ["gcc -O2", "clang -O2", "cortex-m3 -O2", "cortex-m4 -O2", "cortex-m55 -O2"])
def test_headers_that_models_include_are_complete_and_cxx_takes_them(build: str, tmp_path: Path) -> None:
    strict = [flag for flag in STRICT if not flag.startswith("-std")]
    names = sorted(set(HEADERS.values()))
    for name in names:
        (tmp_path / f"{name}.cc").write_text(f'#include "{name}"\n')
        (tmp_path / f"{name}.c").write_text(f'#include "{name}"\nextern int nothing_else;\n')
    for language, suffix in (("c11", "c"), ("c++17", "cc")):
        run([*compiler(build), *strict, f"-std={language}", f"-I{KERNELS}", "-Wno-unused-function", "-c",
             *(f"{name}.{suffix}" for name in names)], tmp_path)


@pytest.mark.parametrize("core", ["cortex-m3", "cortex-m4", "cortex-m55"])
def test_no_state_no_heap_no_dynamic_stack(core: str, tmp_path: Path) -> None:
    run([*compiler(f"{core} -O2"), "-std=c11", "-fstack-usage", "-c", *map(str, SOURCES)], tmp_path)
    objects = sorted(str(path) for path in tmp_path.glob("*.o"))
    symbols = [line.split() for line in run(["arm-none-eabi-nm", "-P", *objects], tmp_path).splitlines()]
    named = [(line[0], line[1]) for line in symbols if len(line) > 1]
    assert len(named) > len(SOURCES)
    assert [name for name, kind in named if kind in "dDbBC"] == []
    assert [name for name, kind in named if kind in "uU" and not OUTSIDE.fullmatch(name)] == []
    usage = [line.split("\t") for path in tmp_path.glob("*.su") for line in path.read_text().splitlines()]
    assert len(usage) > len(SOURCES)
    assert [line for line in usage if line[2] != "static"] == []
    assert [line for line in usage if int(line[1]) > 600] == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_clang_finds_nothing(source: Path, tmp_path: Path) -> None:
    run(["clang", "--analyze", "-Xclang", "-analyzer-output=text", "-std=c11", "-Wall", str(source)], tmp_path)


def test_cppcheck_finds_nothing(tmp_path: Path) -> None:
    # ctuuninitvar takes a structure for uninitialised that a called function is to fill in.
    run(["cppcheck", "--quiet", "--std=c11", "--enable=warning,portability", "--suppress=ctuuninitvar",
         "--error-exitcode=1", *map(str, SOURCES)], tmp_path)


def test_a_state_is_found(tmp_path: Path) -> None:
    (tmp_path / "state.c").write_text("static int calls;\nint tfser_count(void) { return ++calls; }\n")
    run([*compiler("cortex-m4 -O2"), "-c", "state.c"], tmp_path)
    assert re.search(r"^calls b ", run(["arm-none-eabi-nm", "-P", "state.o"], tmp_path), re.MULTILINE)
