"""A program around the application layer, for computers and for emulated boards: WAV file in, decisions out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from firmware_gen.emit.application import has_application
from firmware_gen.errors import InputError
from firmware_gen.export.layout import source_names, template, write_folder
from firmware_gen.image.link import board_file
from firmware_gen.target import CORES, Core

_TEMPLATES = ("classify.c", "recording.h", "recording_host.c", "recording_semihosting.c", "wav.c", "wav.h")
_BOARD_FILES = ("start.c", "semihosting.h", "exit_codes.h", "sections.ld")


def write_examples(files: Mapping[str, str], folder: Path, core: Core) -> None:
    """Write the example, which refers to the C files in the folder above. Same files, same bytes.

    Parameters
    ----------
    files : mapping of str to str
        The generated C by name, with the application layer; it lies, or will lie, in ``folder.parent``.
    folder : Path
        Appears whole or not at all.
    core : Core
        The one that the files were compiled for: the README names its board.

    Raises
    ------
    InputError
        No generated C, no application layer in it, or ``folder`` is not empty.
    """
    sources = source_names(files)
    if not has_application(files):
        raise InputError("FG-EXPORT-09", "generated files without tfser.h",
                         expected="those of a model with its application layer",
                         fix="compile the model with its features.json")
    boards = {each.qemu_machine: each for each in CORES.values()}
    copied = (*_BOARD_FILES, *(f"{board}.ld" for board in boards))
    flags = [f"FLAGS_{board} = {' '.join(each.gcc_flags)}" for board, each in boards.items()]
    others = [f"`{board}`" for board in boards if board != core.qemu_machine]
    write_folder(folder, {
        **{name: template("examples", name) for name in _TEMPLATES},
        **{f"boards/{name}": board_file(name) for name in copied},
        "Makefile": template("examples", "Makefile", SOURCES=_lines(sources), BOARDS=_lines(boards),
                             FLAGS="\n".join(flags)),
        "README.md": template("examples", "README.md", RATE=_sample_rate(files), CORE=core.name,
                              BOARD=core.qemu_machine, BOARDS=", ".join(others)),
    })


def _lines(names: Iterable[str]) -> str:
    """Values of a variable of make, one a line."""
    return "".join(f" \\\n  {name}" for name in names)


def _sample_rate(files: Mapping[str, str]) -> str:
    return re.findall(r"^#define TFSER_SAMPLE_RATE_HZ (\d+)$", files["tfser.h"], re.MULTILINE)[0]
