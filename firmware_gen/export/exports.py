"""The table of exports, and the one function that writes those that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from firmware_gen.errors import InputError
from firmware_gen.export.arduino import export_arduino
from firmware_gen.export.cmake import export_cmake
from firmware_gen.export.cmsis_pack import export_cmsis_pack
from firmware_gen.export.platformio import export_platformio
from firmware_gen.export.zephyr import export_zephyr
from firmware_gen.target import Core

#: Name on the command line, and of the folder below the C files -> what writes it.
EXPORTS: Mapping[str, Callable[[Mapping[str, str], Path, Core], None]] = {
    "cmake": export_cmake,
    "zephyr": export_zephyr,
    "arduino": export_arduino,
    "platformio": export_platformio,
    "cmsis_pack": export_cmsis_pack,
}

#: Three small files that any build system can read, and no copy of the C.
DEFAULT_EXPORTS = "cmake"

ALL, NONE = "all", "none"


def export_names(text: str) -> list[str]:
    """The exports that ``cmake,zephyr``, ``all`` or ``none`` names, in the table's order.

    Raises
    ------
    InputError
        A name that is not in the table.
    """
    given = [name.strip().replace("-", "_") for name in text.split(",")]
    if given in ([ALL], [NONE]):
        return list(EXPORTS) if given == [ALL] else []
    for name in given:
        if name not in EXPORTS:
            raise InputError("FG-EXPORT-08", f"unknown export {name!r}",
                             expected=f"names from {', '.join(EXPORTS)}, with commas between them, or {ALL}, or {NONE}")
    return [name for name in EXPORTS if name in given]


def write_exports(files: Mapping[str, str], folder: Path, core: Core, names: Sequence[str]) -> None:
    """Write exports into the folder of the C files, each in a folder of its name.

    Parameters
    ----------
    files : mapping of str to str
        All generated C by name, as it lies in ``folder``.
    folder : Path
        The build's ``firmware/``.
    core : Core
        The one that the files were compiled for.
    names : sequence of str
        From :func:`export_names`.

    Raises
    ------
    InputError
        No generated C, or an export is there already.
    """
    for name in names:
        EXPORTS[name](files, folder / name, core)
