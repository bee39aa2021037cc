"""The generated C as a PlatformIO library, complete in one folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firmware_gen.emit.application import has_application
from firmware_gen.export.layout import (
    LICENSE_ID,
    content_version,
    main_header,
    own_copy,
    public_headers,
    template,
    write_folder,
)
from firmware_gen.target import Core


def export_platformio(files: Mapping[str, str], folder: Path, core: Core) -> None:
    """Write a PlatformIO library with an example project. Same files, same bytes.

    PlatformIO copies or packs a library as one folder, so the C files are in it.

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
    example = _example_name(files)
    write_folder(folder, own_copy(files) | {
        f"examples/{example}/platformio.ini": template("platformio", "platformio.ini"),
        f"examples/{example}/src/main.cpp": template("platformio", f"{example}.cpp"),
        "library.json": json.dumps(_manifest(files, core), indent=2) + "\n",
        "README.md": template("platformio", "README.md", CORE=core.name, HEADER=main_header(files),
                              EXAMPLE=example),
    })


def _example_name(files: Mapping[str, str]) -> str:
    return "classify_speech" if has_application(files) else "run_model"


def _manifest(files: Mapping[str, str], core: Core) -> dict[str, Any]:
    """library.json. Its flags come after the project's: the model is compiled with -O2, the rest as it was."""
    return {
        "name": "tfser_model",
        "version": content_version(files),
        "description": f"A neural network as C, compiled by tfser for {core.name}; takes no heap.",
        "keywords": ["machine-learning", "neural-network", "int8", "audio"],
        "authors": [{"name": "The tfser authors"}],
        "license": LICENSE_ID,
        "frameworks": "*",
        "platforms": "*",
        "headers": public_headers(files),
        "examples": [{"name": _example_name(files), "base": f"examples/{_example_name(files)}",
                      "files": ["platformio.ini", "src/main.cpp"]}],
        "build": {"flags": ["-O2"], "unflags": ["-Os"]},
    }
