"""The generated C as a Zephyr module: the folder that holds it becomes the module's root."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from firmware_gen.emit.application import has_application
from firmware_gen.export.layout import main_header, source_names, template, write_folder
from firmware_gen.target import Core

_FLOAT = """
The audio front end is in single precision. Without `CONFIG_FPU=y` it works too, many times slower; where another thread
uses floating point as well, Zephyr needs `CONFIG_FPU_SHARING=y`.
"""


def export_zephyr(files: Mapping[str, str], folder: Path, core: Core) -> None:
    """Write the build description of a Zephyr module beside the C files. Same files, same bytes.

    Parameters
    ----------
    files : mapping of str to str
        The generated C by name; it lies, or will lie, in ``folder.parent``.
    folder : Path
        Appears whole or not at all. Zephyr looks for it under the name ``zephyr``.
    core : Core
        The one that the files were compiled for, named in the README.

    Raises
    ------
    InputError
        No generated C, or ``folder`` is not empty.
    """
    sources = "".join(f"\n    ../{name}" for name in source_names(files))
    in_float = has_application(files) and core.has_fpu
    write_folder(folder, {
        "module.yml": template("zephyr", "module.yml"),
        "Kconfig": template("zephyr", "Kconfig"),
        "CMakeLists.txt": template("zephyr", "CMakeLists.txt", SOURCES=sources),
        "README.md": template("zephyr", "README.md", CORE=core.name, HEADER=main_header(files),
                              CONFIG="CONFIG_FPU=y\n" if in_float else "", FLOAT=_FLOAT if in_float else ""),
    })
