"""The stack of the C library's functions is what their disassembly pushes, with all that they reach."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from firmware_gen.image.stack import LIBRARY_STACK_BYTES
from firmware_gen.image.toolchain import arm_flags
from firmware_gen.target import CORES, Core

pytestmark = pytest.mark.skipif(not (shutil.which("arm-none-eabi-gcc") and shutil.which("arm-none-eabi-objdump")),
                                reason="needs arm-none-eabi-gcc (tools/setup.sh toolchain)")

INSTRUCTION = re.compile(r"\s+[\da-f]+:\t[\da-f ]+\t(\S+)\s*([^;@\n]*)")
ENDS = re.compile(r"b(\.[nw])?$|bx$|udf|\.word")
RETURNS = re.compile(r"(pop|ldmia).*\{.*pc|ldr\S* pc,|mov pc")


def disassemble(folder: Path, core: Core, names: list[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Names of the functions that stand where ``names`` do, and each function's instructions, in the image's order."""
    words = "".join(f'__asm(".data\\n.word {name}\\n.text\\n");\n' for name in names)
    (folder / "use.c").write_text(f"{words}void _start(void);\nvoid _start(void) {{ for (;;) {{ }} }}\n")
    subprocess.run(["arm-none-eabi-gcc", *arm_flags(core), "use.c", "-nostartfiles", "--specs=nano.specs", "-o", "use"],
                   cwd=folder, check=True)
    listed = subprocess.run(["arm-none-eabi-nm", "use"], cwd=folder, check=True, capture_output=True, text=True).stdout
    places = {name: int(place, 16) & ~1 for place, _, name in (line.split() for line in listed.splitlines())}
    text = subprocess.run(["arm-none-eabi-objdump", "-d", "use"], cwd=folder, check=True, capture_output=True,
                          text=True).stdout
    functions: dict[str, list[str]] = {}
    at = {}
    for line in text.splitlines():
        if begins := re.fullmatch(r"([\da-f]+) <([^>]+)>:", line):
            at[int(begins[1], 16)] = begins[2]
            functions[begins[2]] = []
        elif instruction := INSTRUCTION.match(line):
            functions[at[max(at)]].append(f"{instruction[1]} {instruction[2]}".strip())
    return {name: at[places[name]] for name in names}, functions


def pushed(instruction: str) -> int:
    """Bytes that an instruction takes off the stack pointer."""
    if stored := re.match(r"v?push\S* \{(.*)\}|v?stmdb\S* sp!, \{(.*)\}", instruction):
        registers = stored[1] or stored[2]
        assert "-" not in registers
        return (8 if registers.startswith("d") else 4) * len(registers.split(","))
    taken = re.match(r"sub\S* sp, (?:sp, )?#(\d+)$", instruction) or re.search(r"\[sp, #-(\d+)\]!", instruction)
    assert taken or not re.match(r"(sub|mov|add|ldr|bic)\S* sp, (?!(sp, )?#\d)|vpush|msr|blx", instruction)
    return int(taken[1]) if taken else 0


def deepest(name: str, functions: dict[str, list[str]], path: tuple[str, ...] = ()) -> int:
    """Bytes of a function and the deepest that it branches to or runs on into."""
    if name in path:
        return 0
    code = functions[name]
    reached = {found for line in code if re.match(r"c?b", line) for found in re.findall(r"<([^>+]+)[^>]*>", line)}
    if not (ENDS.match(code[-1].split()[0]) or RETURNS.match(code[-1]) or code[-1].startswith("nop")):
        order = list(functions)
        reached.add(order[order.index(name) + 1])
    return (sum(map(pushed, code)) +
            max((deepest(to, functions, (*path, name)) for to in sorted(reached - {name})), default=0))


def test_the_table_is_what_the_functions_push(tmp_path):
    names = sorted(LIBRARY_STACK_BYTES)
    found = {}
    for core in CORES.values():
        folder = tmp_path / core.name
        folder.mkdir()
        functions = disassemble(folder, core, names)
        found[core.name] = {name: deepest(functions[0][name], functions[1]) for name in names}
    most = {name: max(figures[name] for figures in found.values()) for name in names}
    assert most == {name: LIBRARY_STACK_BYTES[name] for name in names}
