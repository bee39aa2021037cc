"""C arrays: the compiled bytes are the given bytes, as C11 and as C++17."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from firmware_gen.emit.c_array import CArray, header, source
from firmware_gen.errors import InputError

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")
# What compiles the data -> what compiles the program that reads it. Both must link together.
COMPILERS = {
    "gcc-c11": (("gcc", "-std=c11"), ("g++", "-std=c++17")),
    "g++-c++17": (("g++", "-std=c++17", "-x", "c++"), ("g++", "-std=c++17")),
    "clang-c11": (("clang", "-std=c11"), ("clang++", "-std=c++17")),
    "clang++-c++17": (("clang++", "-std=c++17", "-x", "c++"), ("gcc", "-std=c11", "-x", "c")),
}

# Prints every array; 3 where one is not aligned. Valid as C and as C++.
PRINTER = """
#include <stdint.h>
#include <stdio.h>
#include "data.h"
int main(void) {
  if ((uintptr_t)raw % 16 != 0 || (uintptr_t)codes % 16 != 0) return 3;
  fwrite(raw, 1, raw_len, stdout);
  fwrite(codes, 1, codes_len, stdout);
  return 0;
}
"""


def arrays() -> list[CArray]:
    rng = np.random.default_rng(0)
    raw = np.concatenate([np.arange(256), rng.integers(0, 256, 1001)]).astype(np.uint8)
    return [CArray("raw", raw, "Every byte."), CArray("codes", np.arange(-128, 128).astype(np.int8), "Every code.")]


def compile_and_run(tmp_path: Path, compilers: str, *options: str) -> bytes:
    data, main = COMPILERS[compilers]
    if shutil.which(data[0]) is None or shutil.which(main[0]) is None:
        pytest.skip(f"no {data[0]} with {main[0]}")
    (tmp_path / "data.h").write_text(header("data.h", arrays()), encoding="utf-8")
    (tmp_path / "data.c").write_text(source("data.h", arrays()), encoding="utf-8")
    (tmp_path / "main.cc").write_text(PRINTER, encoding="utf-8")
    for command, file in ((data, "data.c"), (main, "main.cc")):
        subprocess.run([*command, *WARNINGS, *options, "-c", file, "-o", f"{file}.o"], cwd=tmp_path, check=True)
    subprocess.run(["g++", "data.c.o", "main.cc.o", "-o", "printer"], cwd=tmp_path, check=True)
    return subprocess.run(["./printer"], cwd=tmp_path, check=True, capture_output=True).stdout


@pytest.mark.parametrize("compilers", COMPILERS)
def test_compiled_bytes_are_the_given_bytes(tmp_path: Path, compilers: str) -> None:
    assert compile_and_run(tmp_path, compilers) == b"".join(array.values.tobytes() for array in arrays())


def test_the_section_macro_places_the_arrays(tmp_path: Path) -> None:
    compile_and_run(tmp_path, "gcc-c11", '-DTFSER_MODEL_SECTION=__attribute__((section(".model")))')
    sections = subprocess.run(["objdump", "-h", "data.c.o"], cwd=tmp_path, check=True, capture_output=True, text=True)
    sizes = {line.split()[1]: int(line.split()[2], 16) for line in sections.stdout.splitlines() if " .model" in line}
    assert sizes[".model"] >= sum(array.values.size for array in arrays())


def test_the_text_is_the_same_every_time() -> None:
    assert source("data.h", arrays()) == source("data.h", arrays())
    assert header("data.h", arrays()) == header("data.h", arrays())


def test_the_header_guards_itself_and_speaks_c() -> None:
    text = header("model_data.h", arrays())
    assert text.startswith("#ifndef TFSER_MODEL_DATA_H\n#define TFSER_MODEL_DATA_H\n")
    assert 'extern "C" {' in text
    assert f"extern const uint8_t raw[{arrays()[0].values.size}];" in text
    assert "extern const size_t raw_len;" in text


@pytest.mark.parametrize("name", ["", "2x", "a-b", "a b", "ä", "a\n"])
def test_a_name_that_is_no_identifier_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="FG-CARRAY-01"):
        CArray(name, np.zeros(1, np.uint8), "")


@pytest.mark.parametrize("values", [np.zeros(0, np.uint8), np.zeros((2, 2), np.int8), np.zeros(3, np.int32)])
def test_values_that_are_not_a_byte_vector_are_refused(values: np.ndarray) -> None:
    with pytest.raises(InputError, match="FG-CARRAY-02"):
        CArray("x", values, "")
