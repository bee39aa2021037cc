"""What every export of the generated C shares: which files are what, templates, a folder whole or absent."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from firmware_gen.emit.application import has_application
from firmware_gen.errors import InputError

#: Version of the C interface; raise it when ``tfser_model.h`` or ``tfser.h`` change.
INTERFACE_VERSION = "1.0.0"

#: What a user includes, where it is there: the application layer, the model, the hook of a profile.
ENTRY_HEADERS = ("tfser.h", "tfser_model.h", "tfser_profile.h")

#: Name of the licence's file, and its identifier in the SPDX list.
LICENSE, LICENSE_ID = "LICENSE", "Apache-2.0"

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', re.MULTILINE)
_MATH = re.compile(r"^[ \t]*#[ \t]*include[ \t]+<math\.h>", re.MULTILINE)
_PLACEHOLDER = re.compile(r"@[A-Z_]+@")
_VERSION_DIGITS = 8


def source_names(files: Mapping[str, str]) -> list[str]:
    """C sources, sorted.

    Raises
    ------
    InputError
        There is none, or a name is not one of a file in one flat folder.
    """
    for name in files:
        if not re.fullmatch(r"\w[\w.-]*\.[ch]", name, re.ASCII):
            raise InputError("FG-EXPORT-05", f"generated file {name!r}",
                             expected="names like tfser_model.c, no folders",
                             fix="give the files that the compiler made")
    if "tfser_model.h" not in files or not any(name.endswith(".c") for name in files):
        raise InputError("FG-EXPORT-06", f"{len(files)} generated files without a model",
                         expected="tfser_model.h and C sources", fix="give all files that the compiler made")
    return sorted(name for name in files if name.endswith(".c"))


def header_names(files: Mapping[str, str]) -> list[str]:
    """All headers, sorted."""
    return sorted(name for name in files if name.endswith(".h"))


def public_headers(files: Mapping[str, str]) -> list[str]:
    """The headers that a user of the library needs: :data:`ENTRY_HEADERS` and what they include, sorted."""
    found: set[str] = set()
    waiting = [name for name in ENTRY_HEADERS if name in files]
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting += [other for other in _INCLUDE.findall(files[name]) if other in files and other not in found]
    return sorted(found)


def main_header(files: Mapping[str, str]) -> str:
    """The header to name first: the application layer's where it is there."""
    return "tfser.h" if has_application(files) else "tfser_model.h"


def needs_math(files: Mapping[str, str]) -> bool:
    """Whether a file includes math.h, so that a program links the mathematics library."""
    return any(_MATH.search(text) for text in files.values())


def content_version(files: Mapping[str, str]) -> str:
    """Interface version and, as semantic versioning's build metadata, a digest of the files.

    Two models never have the same version, so that no package manager takes an old copy for a new one.
    """
    digest = hashlib.sha256()
    for name, text in sorted(files.items()):
        digest.update(f"{name}\0{len(text.encode())}\0{text}".encode())
    return f"{INTERFACE_VERSION}+{digest.hexdigest()[:_VERSION_DIGITS]}"


def template(export: str, name: str, **values: str) -> str:
    """Text of a template, each ``@KEY@`` replaced by ``values['KEY']``.

    Raises
    ------
    KeyError
        A placeholder has no value.
    """
    text = (resources.files("firmware_gen.export") / "templates" / export / name).read_text(encoding="utf-8")
    return _PLACEHOLDER.sub(lambda found: values[found[0].strip("@")], text)


def license_text() -> str:
    """The terms of the generated C and its kernels, for every export that holds copies of them."""
    return (resources.files("firmware_gen.export") / "templates" / LICENSE).read_text(encoding="utf-8")


def own_copy(files: Mapping[str, str]) -> dict[str, str]:
    """The C files in ``src/`` with their terms, for an export that is complete in one folder.

    Raises
    ------
    InputError
        As :func:`source_names`.
    """
    return {**{f"src/{name}": files[name] for name in source_names(files) + header_names(files)},
            LICENSE: license_text()}


def write_folder(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files, by their path in ``folder``, into a folder that appears whole or not at all.

    Raises
    ------
    InputError
        ``folder`` exists and is not an empty folder.
    """
    if folder.is_symlink() or (folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))):
        raise InputError("FG-EXPORT-07", f"{folder.name!r} exists and is not an empty folder",
                         expected="an empty folder, or a path that does not exist", fix="choose another, or remove it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        content = stage / "content"  # made by mkdir, with the permissions that the user's umask gives
        for name, text in sorted(texts.items()):
            path = content / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        os.replace(content, folder)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
