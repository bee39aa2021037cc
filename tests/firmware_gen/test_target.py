"""Cores and boards: the table is consistent, and the compiler agrees with what it says of each core."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from firmware_gen.errors import InputError
from firmware_gen.target import BOARDS, CORES, target


def test_a_core_comes_with_its_default_board() -> None:
    found = target("cortex-m7")
    assert (found.name, found.core.name, found.board.name) == ("cortex-m7", "cortex-m7", "nucleo-f767zi")


def test_a_board_comes_with_its_core() -> None:
    found = target("nrf52840-dk")
    assert (found.name, found.core.name, found.board.flash_bytes) == ("nrf52840-dk", "cortex-m4", 1024 * 1024)


def test_every_default_board_has_the_core() -> None:
    assert set(CORES) == {"cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55"}
    for core in CORES.values():
        assert BOARDS[core.default_board].core == core.name


def test_every_board_is_reachable_and_its_limits_are_plausible() -> None:
    for board in BOARDS.values():
        assert target(board.name).board is board
        assert 0 < board.ram_bytes <= board.flash_bytes
        assert board.ram_bytes % 1024 == board.flash_bytes % 1024 == 0
        assert 16_000_000 <= board.clock_hz <= 1_000_000_000


@pytest.mark.parametrize("name", ["cortex-m0", "", "Cortex-M7"])
def test_an_unknown_target_lists_the_choices(name: str) -> None:
    with pytest.raises(InputError, match="FG-TARGET-01") as caught:
        target(name)
    assert caught.value.exit_code == 2
    for choice in (*CORES, *BOARDS):
        assert choice in str(caught.value)


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="no arm-none-eabi-gcc")
@pytest.mark.parametrize("core", CORES.values(), ids=list(CORES))
def test_gcc_sees_the_extensions_of_the_core(core) -> None:
    macros = subprocess.run(["arm-none-eabi-gcc", *core.gcc_flags, "-dM", "-E", "-x", "c", "/dev/null"],
                            capture_output=True, text=True, check=True).stdout
    defined = set(re.findall(r"#define (\w+)", macros))
    assert ("__ARM_FP" in defined) == core.has_fpu
    assert ("__ARM_FEATURE_DSP" in defined) == core.dsp
    assert ("__ARM_FEATURE_MVE" in defined) == core.helium


@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="no qemu-system-arm")
def test_qemu_knows_every_machine() -> None:
    listed = subprocess.run(["qemu-system-arm", "-machine", "help"], capture_output=True, text=True, check=True).stdout
    assert {core.qemu_machine for core in CORES.values()} <= {line.split()[0] for line in listed.splitlines() if line}
