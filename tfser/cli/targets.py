"""``tfser targets``: the cores and boards that firmware is made for."""

from __future__ import annotations

import dataclasses

import click

from firmware_gen.report.text import format_table
from firmware_gen.target import BOARDS, CORES, KIB, MIB
from tfser.cli.output import json_option, print_json


@click.command("targets")
@json_option
def command(as_json: bool) -> None:
    """Cores and boards with their flash, RAM and clock."""
    if as_json:
        print_json({"cores": [dataclasses.asdict(core) for core in CORES.values()],
                    "boards": [dataclasses.asdict(board) for board in BOARDS.values()]})
        return
    cores = [(core.name, core.architecture, _yes(core.has_fpu), _yes(core.dsp), _yes(core.helium), core.qemu_machine,
              core.default_board) for core in CORES.values()]
    boards = [(board.name, board.part, board.core, _size(board.flash_bytes), _size(board.ram_bytes),
               f"{board.clock_hz // 1_000_000} MHz", board.note) for board in BOARDS.values()]
    click.echo(format_table(("core", "architecture", "FPU", "DSP", "Helium", "QEMU machine", "default board"), cores))
    click.echo()
    click.echo(format_table(("board", "part", "core", "flash", "RAM", "clock", "note"), boards, right=(3, 4, 5)))


def _yes(value: bool) -> str:
    return "yes" if value else "-"


def _size(size_bytes: int) -> str:
    return f"{size_bytes // MIB} MiB" if size_bytes % MIB == 0 else f"{size_bytes // KIB} KiB"
