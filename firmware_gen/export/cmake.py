"""The generated C as a CMake library that can be added, built alone, installed and found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from firmware_gen.export.layout import (
    INTERFACE_VERSION,
    header_names,
    main_header,
    needs_math,
    public_headers,
    source_names,
    template,
    write_folder,
)
from firmware_gen.target import Core


def export_cmake(files: Mapping[str, str], folder: Path, core: Core) -> None:
    """Write a CMake project that refers to the C files in the folder above. Same files, same bytes.

    Parameters
    ----------
    files : mapping of str to str
        The generated C by name; it lies, or will lie, in ``folder.parent``.
    folder : Path
        Appears whole or not at all.
    core : Core
        The one that the files were compiled for: its flags are the README's example.

    Raises
    ------
    InputError
        No generated C, or ``folder`` is not empty.
    """
    public = public_headers(files)
    private = [name for name in header_names(files) if name not in public]
    write_folder(folder, {
        "CMakeLists.txt": template("cmake", "CMakeLists.txt", VERSION=INTERFACE_VERSION,
                                   SOURCES=_lines(source_names(files)),
                                   PUBLIC_HEADERS=_lines(public), PRIVATE_HEADERS=_lines(private),
                                   NEEDS_MATH="ON" if needs_math(files) else "OFF"),
        "tfser-config.cmake": template("cmake", "tfser-config.cmake"),
        "README.md": template("cmake", "README.md", CORE=core.name, FLAGS=" ".join(core.gcc_flags),
                              HEADER=main_header(files)),
    })


def _lines(names: list[str]) -> str:
    return "".join(f"\n  {name}" for name in names)
