"""The model computes with integers alone, and no firmware has a heap."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
import small_model
from features.front_end import describe

from firmware_gen.compile import compile_application, compile_model
from firmware_gen.image.elf import read_symbols
from firmware_gen.image.link import link_image
from firmware_gen.image.toolchain import arm_flags, compile_objects, write_sources
from firmware_gen.target import CORES, Core

pytestmark = pytest.mark.skipif(not shutil.which("arm-none-eabi-gcc"),
                                reason="needs arm-none-eabi-gcc (tools/setup.sh toolchain)")
each_core = pytest.mark.parametrize("core", CORES.values(), ids=lambda core: core.name)

#: All that a model may need of the C library. Arithmetic on floating point is there too, on cores without an FPU.
NEEDED = {"memcpy", "memmove", "memset"}
#: Moves of 32 bits to and from a register of the FPU say nothing of a type.
FLOATING_POINT = re.compile(r"\tv\w+\S*\.f(?:16|32|64)\b.*")
HEAP = {"malloc", "_malloc_r", "calloc", "_calloc_r", "realloc", "_realloc_r", "free", "_free_r", "_sbrk", "_sbrk_r"}

FLOATS = """
float scaled(const float *x, int n);
float scaled(const float *x, int n) {
    float sum = 1.5f;
    for (int i = 0; i < n; i++) { sum = sum * 0.5f + x[i]; }
    return sum;
}
"""
ALLOCATES = """
#include <stdlib.h>
extern char space[64];
char space[64];
void *_sbrk(int size);
void *_sbrk(int size) { (void)size; return space; }
"""


def floating_point(sources: Mapping[str, str], core: Core) -> list[str]:
    """Instructions on floating point in the objects of C sources, and functions that they lack."""
    compiled = sorted(name for name in sources if name.endswith(".c"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_sources(folder, sources)
        objects = compile_objects(["arm-none-eabi-gcc", *arm_flags(core)], folder, dict.fromkeys(compiled, ()))
        listed, symbols = _run(folder, "objdump", "-d", *objects), _run(folder, "nm", *objects)
    assert "\tbx\t" in listed
    defined = set(re.findall(r" [TtRrDdBb] (\S+)", symbols))
    missing = set(re.findall(r" U (\S+)", symbols)) - defined - NEEDED
    return [*FLOATING_POINT.findall(listed), *sorted(missing)]


def _run(folder: Path, tool: str, *arguments: str) -> str:
    return subprocess.run([f"arm-none-eabi-{tool}", *arguments], cwd=folder, check=True, capture_output=True,
                          text=True).stdout


@each_core
@pytest.mark.parametrize("name", ["conformer_ln", "kws_ref_model"])
def test_a_model_has_no_floating_point(core, name, shared_models):
    assert floating_point(compile_model((shared_models / f"{name}.tflite").read_bytes(), core).files, core) == []


@each_core
def test_floating_point_is_found(core):
    found = floating_point({"scaled.c": FLOATS}, core)
    assert any(".f32" in line for line in found) == core.has_fpu
    assert ("__aeabi_fmul" in found) != core.has_fpu


@pytest.mark.parametrize("core", [CORES["cortex-m55"]], ids=lambda core: core.name)
def test_vectors_of_floating_point_are_found(core):
    vectors = FLOATS.replace("sum = sum * 0.5f + x[i]", "sum += x[i] * 0.5f")
    fast = f'#pragma GCC optimize("O3,fast-math")\n{vectors}'
    assert any(re.search(r"\.f32\tq", line) for line in floating_point({"scaled.c": fast}, core))


@each_core
def test_firmware_has_no_heap(core, shared_models):
    content = (shared_models / "conformer_bn.tflite").read_bytes()
    names = {symbol.name for symbol in read_symbols(link_image(
        compile_application(content, describe(content), core).files, core))}
    assert "tfser_classify" in names
    assert not names & HEAP


@each_core
def test_a_heap_is_found(core):
    text = small_model.files()["tfser_model.c"].replace(
        "PART(0);", "char *volatile kept = malloc(4); kept[0] = input[0]; free(kept);")
    names = {symbol.name for symbol in read_symbols(link_image(
        {**small_model.files(), "tfser_model.c": ALLOCATES + text}, core))}
    assert {"_malloc_r", "_free_r", "_sbrk"} <= names & HEAP
