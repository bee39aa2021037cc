"""What the kernels' tests are compiled with and run on: the host, under sanitizers, QEMU's boards."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
SANITIZE = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def cross(core: str) -> list[str]:
    """Compiler and options for a board whose SysTick counts every 40 instructions."""
    return ["arm-none-eabi-gcc", f"-mcpu={core}", "-mthumb", "-mfloat-abi=soft", "-nostartfiles", "--specs=nano.specs",
            f"-T{HERE / 'pairs_mps2.ld'}", "-DINSTRUCTIONS_A_TICK_TIMES_4=160"]


def qemu(machine: str) -> list[str]:
    """Emulator in which an instruction takes a nanosecond."""
    return ["qemu-system-arm", "-M", machine, "-nographic", "-semihosting-config", "enable=on,target=native",
            "-icount", "shift=0", "-kernel"]


TARGETS: dict[str, tuple[list[str], list[str]]] = {
    "gcc": (["gcc", "-O2"], []),
    "clang": (["clang", "-O2"], []),
    "sanitized": (["gcc", *SANITIZE], []),
    "cortex-m3": ([*cross("cortex-m3"), "-O2"], qemu("mps2-an385")),
    "cortex-m4": ([*cross("cortex-m4"), "-O2"], qemu("mps2-an386")),
    "cortex-m4-size": ([*cross("cortex-m4"), "-Os"], qemu("mps2-an386")),
    "cortex-m7": ([*cross("cortex-m7"), "-O2"], qemu("mps2-an500")),
}

HELIUM = (["arm-none-eabi-gcc", "-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard", "-nostartfiles",
           "--specs=nano.specs", f"-T{HERE / 'rows_an547.ld'}", "-O2"], qemu("mps3-an547"))
EVERY_KIND = {**TARGETS, "helium": HELIUM}
