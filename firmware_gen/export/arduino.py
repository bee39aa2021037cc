"""The generated C as an Arduino library, complete in one folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from firmware_gen.emit.application import has_application
from firmware_gen.export.layout import (
    content_version,
    main_header,
    own_copy,
    template,
    write_folder,
)
from firmware_gen.target import Core


def export_arduino(files: Mapping[str, str], folder: Path, core: Core) -> None:
    """Write an Arduino library (specification 1.5, recursive layout) with one sketch. Same files, same bytes.

    The IDE copies a library away from where it was built, so the C files are in it.

    Parameters
    ----------
    files : mapping of str to str
        The generated C by name.
    folder : Path
        Appears whole or not at all.
    core : Core
        The one that the files were compiled for, named in the description.

    Raises
    ------
    InputError
        No generated C, or ``folder`` is not empty.
    """
    example = "ClassifySpeech" if has_application(files) else "RunModel"
    write_folder(folder, own_copy(files) | {
        "library.properties": template("arduino", "library.properties", VERSION=content_version(files), CORE=core.name,
                                       HEADER=main_header(files)),
        f"examples/{example}/{example}.ino": template("arduino", f"{example}.ino"),
        "README.md": template("arduino", "README.md", CORE=core.name, HEADER=main_header(files), EXAMPLE=example),
    })
