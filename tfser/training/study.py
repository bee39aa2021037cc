"""A study in a folder: what belongs to it, and one record for each part that is finished.

====================  ====================================================================================
``study.json``        the recipe, and for every part of the grid its key; parts are added, never removed
``parts/NAME.json``   the record of a finished or failed part, whole or absent
====================  ====================================================================================
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tfser.errors import InputError
from tfser.files import canonical_json, write_atomic
from tfser.training.sweep import Part, Task, Variant

SCHEMA_VERSION = 1
PLAN, PARTS, LOCK = "study.json", "parts", ".lock"
DONE, FAILED = "done", "failed"
KEY_DIGITS = 16  # in a record's file name


@dataclass(frozen=True)
class Study:
    """The parts that were ever asked for in this folder, with their keys, and the recipe that they share."""

    folder: Path
    recipe: Mapping[str, str]
    keys: Mapping[Part, str]

    def records(self) -> dict[Part, dict[str, Any]]:
        """Records of the parts that have one, in the parts' order."""
        found = ((part, self.record(part)) for part in sorted(self.keys))
        return {part: record for part, record in found if record is not None}

    def record(self, part: Part) -> dict[str, Any] | None:
        """A part's record, None where it has not been run with the configuration that it has now."""
        path = self._path(part)
        if not path.is_file():
            return None
        try:
            record = json.loads(path.read_bytes())
            sound = record["key"] == self.keys[part] and record["status"] in (DONE, FAILED)
        except (ValueError, KeyError, TypeError):
            sound = False
        if not sound:
            raise InputError("TF-BENCH-01", f"{str(path)!r} is not the record of a part",
                             expected="a file that tfser bench wrote", fix="remove it; the part is then run again")
        return record

    def write(self, part: Part, record: Mapping[str, Any]) -> None:
        """Keep a record: whole or absent."""
        write_atomic(self._path(part), canonical_json(record).encode())

    def others(self) -> int:
        """How many records the folder holds that no part of the study has now."""
        own = {self._path(part) for part in self.keys}
        return sum(path not in own for path in (self.folder / PARTS).glob("*.json"))

    def _path(self, part: Part) -> Path:
        return self.folder / PARTS / f"{part}-{self.keys[part][:KEY_DIGITS]}.json"


def record_of(task: Task, *, result: Mapping[str, Any] | None, error: str | None, seconds: float) -> dict[str, Any]:
    """The record of a part that came to its end: its ``result``, or the ``error`` for which it has none."""
    return {"schema_version": SCHEMA_VERSION, "key": task.key, "status": DONE if error is None else FAILED,
            "part": _plain(task.part), "configuration": task.configuration(), "result": result, "error": error,
            "seconds": seconds}


def open_study(folder: Path, recipe: Mapping[str, str], tasks: Iterable[Task]) -> Study:
    """The study of a folder with these parts added to it; ``study.json`` is written by :func:`save_study`.

    Raises
    ------
    InputError
        The folder holds a study of another recipe, or something else.
    """
    keys = {task.part: task.key for task in tasks}
    known: dict[Part, str] = {}
    if (folder / PLAN).is_file():
        known = _known(folder / PLAN, recipe)
    elif folder.exists() and (not folder.is_dir() or any(path.name != LOCK for path in folder.iterdir())):
        raise InputError("TF-BENCH-02", f"output {str(folder)!r} holds what tfser bench did not write",
                         expected="a study's folder, an empty one, or a path that does not exist",
                         fix="choose another --out")
    return Study(folder, recipe, {**known, **keys})


def save_study(study: Study) -> None:
    """Write ``study.json``: the same study, the same bytes."""
    entries = [{"part": _plain(part), "key": study.keys[part]} for part in sorted(study.keys)]
    document = {"schema_version": SCHEMA_VERSION, "recipe": dict(study.recipe), "parts": entries}
    write_atomic(study.folder / PLAN, canonical_json(document).encode())


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder of a run against a second one; the lock goes with the process."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError("TF-BENCH-03", f"another run writes to {str(folder)!r}", expected="one at a time",
                             fix="wait for it, or choose another --out") from error
        yield


def _known(path: Path, recipe: Mapping[str, str]) -> dict[Part, str]:
    try:
        document = json.loads(path.read_bytes())
        known = {_part(entry["part"]): str(entry["key"]) for entry in document["parts"]}
        theirs = dict(document["recipe"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("TF-BENCH-04", f"{str(path)!r} cannot be read: {type(error).__name__} {error}",
                         expected="the file that tfser bench wrote", fix="choose another --out") from error
    different = [f"{name} is {theirs.get(name)} there and {recipe.get(name)} here"
                 for name in sorted(theirs.keys() | recipe.keys()) if theirs.get(name) != recipe.get(name)]
    if different:
        raise InputError("TF-BENCH-05", f"{str(path.parent)!r} holds a study of another recipe: "
                         f"{'; '.join(different[:3])}", expected="the options that the study was begun with",
                         fix="give the same options again, or start in another --out")
    return known


def _plain(part: Part) -> dict[str, Any]:
    return {**asdict(part.variant), "kind": part.variant.kind, "fold": part.fold, "seed": part.seed}


def _part(values: Mapping[str, Any]) -> Part:
    fields = {name: values[name] for name in ("corpus", "arch", "sites", "ratio", "depth")}
    return Part(Variant(**fields), values["fold"], values["seed"])
