"""Reads a build folder: its manifest, its model, and proof that both are what the build wrote."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from firmware_gen.errors import InputError
from firmware_gen.frontend.model import Model
from firmware_gen.frontend.tflite import read_tflite

SCHEMA_VERSION = 1
MODEL_FILE = "model.tflite"
MANIFEST_FILE = "manifest.json"
IMAGE_FILE = "firmware.elf"
CONSTANTS_FILE = "firmware/tfser_{kind}.c"

_REBUILD = "write it again with 'tfser build' or 'tfser compile'"


@dataclass(frozen=True, eq=False)
class BuildFolder:
    """A folder whose files have the hashes that its manifest gives.

    ``measured`` is the manifest's section of figures: a number, or ``None`` with the reason under
    the same key in ``reasons``. ``constants`` are the bytes of the generated C's weights and tables, or empty.
    ``plan`` is the manifest's, of :mod:`firmware_gen.plan.document`, or empty. ``files`` are those whose
    content is what the manifest says. ``profile`` is the name and the instructions of each step of an inference, in the
    order of the steps, or empty.
    """

    path: Path
    target: str
    model: Model
    model_bytes: int
    measured: dict[str, Any]
    reasons: dict[str, str]
    constants: dict[str, Any]
    plan: dict[str, Any]
    files: frozenset[str] = frozenset()
    profile: tuple[tuple[str, int], ...] = ()

    def read(self, name: str) -> bytes | None:
        """Content of a file whose hash was compared; ``None`` where the manifest lists none of that name."""
        return (self.path / name).read_bytes() if name in self.files else None

    @property
    def parts(self) -> tuple[str, ...]:
        """The operators that each part of the generated C stands for; empty without a plan."""
        return tuple(str(name) for step in _objects(self.plan, "steps") for name in step.get("parts", ()))

    @property
    def peak(self) -> list[tuple[str, int]]:
        """Name and bytes of what lies in the arena during the step that needs the most; empty without a plan."""
        found = []
        for buffer in _objects(self.plan, "buffers"):
            numbers = [self.plan.get("peak_step"), *(buffer.get(key) for key in ("first_step", "last_step", "bytes"))]
            step, first, last, size = (number if isinstance(number, int) else -1 for number in numbers)
            if 0 <= first <= step <= last and size >= 0:
                found.append((str(buffer.get("name")), size))
        return found


def read_build_folder(path: Path, *, derived: Sequence[str] = ()) -> BuildFolder:
    """Read what ``tfser build`` or ``tfser compile`` wrote to ``path``.

    Files named in ``derived`` follow from the others and may be missing or changed.

    Raises
    ------
    InputError
        Not a build folder; a manifest of another version or form; a file that is missing or was
        changed after the build; a model that is not sound.
    """
    manifest = _read_manifest(path)
    files = _section(manifest, "files", path)
    if MODEL_FILE not in files:
        raise InputError("FG-BUILD-01", f"{path / MANIFEST_FILE} lists no {MODEL_FILE}", fix=_REBUILD)
    for name, digest in files.items():
        if name not in derived:
            _check_file(path, name, digest)
    target = manifest.get("target")
    if not isinstance(target, str):
        raise InputError("FG-BUILD-02", f"{path / MANIFEST_FILE}: target {target!r}", expected="a name", fix=_REBUILD)
    content = (path / MODEL_FILE).read_bytes()
    constants, plan = (_section(manifest, key, path) if manifest.get(key) is not None else {}
                       for key in ("constants", "plan"))
    return BuildFolder(path, target, read_tflite(content), len(content), _section(manifest, "measured", path),
                       _section(manifest, "reasons", path), constants, plan, frozenset(files) - frozenset(derived),
                       _profile(manifest, path))


def _read_manifest(path: Path) -> dict[str, Any]:
    file = path / MANIFEST_FILE
    if not file.is_file():
        what = "is not a folder" if path.exists() and not path.is_dir() else f"holds no {MANIFEST_FILE}"
        raise InputError("FG-BUILD-03", f"{str(path)!r} {what if path.exists() else 'does not exist'}",
                         expected="a folder that 'tfser build' or 'tfser compile' wrote", fix="give its --out folder")
    try:
        manifest = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError("FG-BUILD-04", f"{file}: {error}", expected="JSON in UTF-8", fix=_REBUILD) from error
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if version != SCHEMA_VERSION:
        raise InputError("FG-BUILD-05", f"{file}: schema version {version!r}", expected=str(SCHEMA_VERSION),
                         fix="use the tfser version that built it, or build it again")
    return manifest


def _section(manifest: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    section = manifest.get(key)
    if not isinstance(section, dict):
        raise InputError("FG-BUILD-06", f"{path / MANIFEST_FILE}: {key!r} is {type(section).__name__}",
                         expected="an object", fix=_REBUILD)
    return section


def _profile(manifest: dict[str, Any], path: Path) -> tuple[tuple[str, int], ...]:
    found = []
    steps = manifest.get("profile") or []
    for step in steps if isinstance(steps, list) else [steps]:
        name, count = (step.get("step"), step.get("instructions")) if isinstance(step, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise InputError("FG-BUILD-11", f"{path / MANIFEST_FILE}: {step!r} in the profile",
                             expected="a step and its instructions", fix=_REBUILD)
        found.append((name, count))
    return tuple(found)


def _objects(plan: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = plan.get(key, [])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise InputError("FG-BUILD-10", f"{MANIFEST_FILE}: {key!r} of the plan is not a list of objects", fix=_REBUILD)
    return found


def _check_file(path: Path, name: str, digest: Any) -> None:
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts:
        raise InputError("FG-BUILD-07", f"{path / MANIFEST_FILE} lists {name!r}", expected="paths inside the folder",
                         fix=_REBUILD)
    if not (path / name).is_file():
        raise InputError("FG-BUILD-08", f"{path / name} is missing, and the manifest lists it", fix=_REBUILD)
    if hashlib.sha256((path / name).read_bytes()).hexdigest() != digest:
        raise InputError("FG-BUILD-09", f"{path / name} was changed after the build",
                         expected=f"the SHA-256 in {MANIFEST_FILE}", fix=_REBUILD)
