"""Cores that firmware is generated for, and boards whose memory is the default budget.

Figures are from the vendors' datasheets and reference manuals, named beside each board. Where a
part has several memories, ``ram_bytes`` is the largest block that one arena can occupy and ``note``
says what else there is.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware_gen.errors import InputError

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True)
class Core:
    """An Arm Cortex-M core as GCC and QEMU know it.

    ``dsp`` is the 16-bit SIMD extension (SMLAD), ``helium`` the vector extension (MVE).
    ``gcc_flags`` select exactly what the three booleans say.
    """

    name: str
    architecture: str
    has_fpu: bool
    dsp: bool
    helium: bool
    gcc_flags: tuple[str, ...]
    qemu_machine: str
    default_board: str


@dataclass(frozen=True)
class Board:
    """A board that can be bought, with the limits of its microcontroller."""

    name: str
    part: str
    core: str
    flash_bytes: int
    ram_bytes: int
    clock_hz: int
    note: str


@dataclass(frozen=True)
class Target:
    """What ``--target`` named: the name as given, its core, and the board that sets the limits."""

    name: str
    core: Core
    board: Board

    def __str__(self) -> str:
        return self.name if self.name == self.board.name else f"{self.name} ({self.board.name})"


def _flags(core: str, *float_flags: str) -> tuple[str, ...]:
    return (f"-mcpu={core}", "-mthumb", *float_flags)


_HARD_SP = ("-mfloat-abi=hard", "-mfpu=fpv5-sp-d16")

# The M7's FPU may lack double precision, so its flags ask for single only. GCC reads the M55's
# FPU and Helium from -mcpu.
_CORES = (
    Core("cortex-m3", "Armv7-M", False, False, False,
         _flags("cortex-m3", "-mfloat-abi=soft"), "mps2-an385", "nucleo-f207zg"),
    Core("cortex-m4", "Armv7E-M", True, True, False,
         _flags("cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"), "mps2-an386", "nucleo-f446re"),
    Core("cortex-m7", "Armv7E-M", True, True, False,
         _flags("cortex-m7", *_HARD_SP), "mps2-an500", "nucleo-f767zi"),
    Core("cortex-m33", "Armv8-M Mainline", True, True, False,
         _flags("cortex-m33", *_HARD_SP), "mps2-an505", "nrf5340-dk"),
    Core("cortex-m55", "Armv8.1-M Mainline", True, True, True,
         _flags("cortex-m55", "-mfloat-abi=hard"), "mps3-an547", "mps3-an547"),
)

_BOARDS = (
    # ST DS5319 (STM32F103x8/xB)
    Board("nucleo-f103rb", "STM32F103RBT6", "cortex-m3", 128 * KIB, 20 * KIB, 72_000_000, ""),
    # ST DS6697 (STM32F205xx/207xx)
    Board("nucleo-f207zg", "STM32F207ZGT6", "cortex-m3", 1 * MIB, 128 * KIB, 120_000_000, "SRAM1 and SRAM2 adjoin"),
    # ST DS10693 (STM32F446xC/E)
    Board("nucleo-f446re", "STM32F446RET6", "cortex-m4", 512 * KIB, 128 * KIB, 180_000_000, "SRAM1 and SRAM2 adjoin"),
    # Nordic nRF52840 Product Specification
    Board("nrf52840-dk", "nRF52840", "cortex-m4", 1 * MIB, 256 * KIB, 64_000_000, ""),
    # ST DS11532 (STM32F765xx/767xx)
    Board("nucleo-f767zi", "STM32F767ZIT6", "cortex-m7", 2 * MIB, 512 * KIB, 216_000_000,
          "DTCM, SRAM1 and SRAM2 adjoin; 16 KiB ITCM not counted"),
    # ST DS12110 (STM32H742xI/G, STM32H743xI/G)
    Board("nucleo-h743zi2", "STM32H743ZIT6", "cortex-m7", 2 * MIB, 512 * KIB, 480_000_000,
          "AXI SRAM; another 548 KiB in other blocks"),
    # NXP IMXRT1060 datasheet; PJRC Teensy 4.1 technical specification
    Board("teensy-4.1", "MIMXRT1062DVJ6", "cortex-m7", 8 * MIB, 512 * KIB, 600_000_000,
          "flash is external QSPI; OCRAM; another 512 KiB of tightly coupled memory"),
    # Nordic nRF5340 Product Specification
    Board("nrf5340-dk", "nRF5340", "cortex-m33", 1 * MIB, 512 * KIB, 128_000_000, "application core"),
    # ST DS13737 (STM32U575xx)
    Board("nucleo-u575zi-q", "STM32U575ZIT6Q", "cortex-m33", 2 * MIB, 768 * KIB, 160_000_000,
          "SRAM1 to SRAM3 adjoin; SRAM4 not counted"),
    # Raspberry Pi RP2350 datasheet, Pico 2 datasheet
    Board("pico-2", "RP2350A", "cortex-m33", 4 * MIB, 520 * KIB, 150_000_000,
          "flash is external QSPI; one of two cores"),
    # Arm AN547 (Corstone SSE-300 with Cortex-M55 for MPS3)
    Board("mps3-an547", "Corstone-300", "cortex-m55", 512 * KIB, 512 * KIB, 32_000_000,
          "FPGA; code in ITCM, data in DTCM"),
    # Alif Ensemble E7 datasheet
    Board("alif-ensemble-e7", "AE722F80F55D5", "cortex-m55", 5632 * KIB, 4 * MIB, 400_000_000,
          "high-performance core; MRAM; SRAM0; another 1 MiB of DTCM"),
)

CORES: dict[str, Core] = {core.name: core for core in _CORES}
BOARDS: dict[str, Board] = {board.name: board for board in _BOARDS}


def target(name: str) -> Target:
    """Look up a core (with its default board) or a board (with its core).

    Raises
    ------
    InputError
        ``name`` is neither.
    """
    if name in CORES:
        core = CORES[name]
        return Target(name, core, BOARDS[core.default_board])
    if name in BOARDS:
        board = BOARDS[name]
        return Target(name, CORES[board.core], board)
    raise InputError("FG-TARGET-01", f"unknown target {name!r}",
                     expected=f"a core ({', '.join(CORES)}) or a board ({', '.join(BOARDS)})",
                     fix="list them with 'tfser targets'")
