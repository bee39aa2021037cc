"""Which kernel files come along with a source."""

from __future__ import annotations

import subprocess

import pytest

from firmware_gen.kernels import sources
from firmware_gen.kernels.sources import kernels_for
from firmware_gen.target import CORES as TARGETS

CORES = ("cortex-m3", "cortex-m7", "cortex-m55")


def globals_of(folder, compiler) -> dict[str, set[str]]:
    """Functions that each kernel source defines for others, by the compiler that built it."""
    found = {}
    for name, text in sources._files().items():
        (folder / name).write_text(text)
    for name in sorted(set(sources._sources().values())):
        subprocess.run([*compiler, "-std=c11", "-O2", "-c", name, "-o", "one.o"], cwd=folder, check=True)
        listed = subprocess.run(["nm", "--defined-only", "--extern-only", "one.o"], cwd=folder, check=True,
                                capture_output=True, text=True).stdout
        found[name] = {line.split()[-1] for line in listed.splitlines() if " T " in line}
    return found


def test_every_source_is_known():
    assert {name for name in sources._files() if name.endswith(".c")} == set(sources._sources().values())


@pytest.mark.parametrize("core", CORES)
def test_what_sources_define_is_known(tmp_path, core):
    """What the text says is what the compilers make: no call would miss its source, no source come for nothing."""
    found = globals_of(tmp_path, ["arm-none-eabi-gcc", *TARGETS[core].gcc_flags])
    for name, functions in found.items():
        assert functions <= {function for function, source in sources._sources().items() if source == name}


def test_a_source_brings_what_it_needs():
    found = kernels_for('#include "tfser_softmax.h"\nvoid f(void) { tfser_softmax_s8(0); }\n')
    assert "tfser_softmax.c" in found
    assert "tfser_softmax.h" in found
    assert not any("dense" in name and name.endswith(".c") for name in found)


def test_a_form_does_not_bring_the_other():
    pairs = kernels_for('#include "tfser_conv.h"\nvoid f(void) { tfser_conv_pairs_s8(0); }\n')
    assert "tfser_pairs.c" in pairs
    assert not [name for name in pairs if name.endswith("_rows.c")]


def test_nothing_needs_nothing():
    assert kernels_for("int main(void) { return 0; }\n") == {}
