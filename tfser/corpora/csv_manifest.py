"""A corpus of one's own as a CSV table: ``path,speaker,label``, and more where it is known.

A row is a recording, or with ``start_s`` and ``end_s`` a part of one. ``path`` is relative to the table's folder.
``split`` (train, validation, test) is an official split, ``group`` what is voted on as one, ``text`` the sentence.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tfser.corpora.annotation import collect, read_table, seconds
from tfser.corpora.manifest import Corpus, Part, Utterance
from tfser.errors import InputError

COLUMNS = ("path", "speaker", "label")
OPTIONAL = ("id", "text", "start_s", "end_s", "group", "split")
#: What people call the parts.
PARTS: dict[str, Part] = {"train": "train", "validation": "validation", "valid": "validation", "val": "validation",
                          "dev": "validation", "devel": "validation", "test": "test"}


def load(root: Path) -> Corpus:
    """The corpus that the table ``root`` describes, or the only ``.csv`` file in the folder ``root``.

    Raises
    ------
    InputError
        There is no table or there are several, a column or a speaker is missing, a time or a part of
        the split makes no sense, or an utterance comes twice.
    """
    path = manifest_file(root, "csv")
    rows = read_table(path, COLUMNS, OPTIONAL)
    found = [_utterance(row, path, line) for line, row in enumerate(rows, start=2)]
    labels = sorted({utterance.label for utterance in found} - {""})
    alike = [label for label in labels if [other.lower() for other in labels].count(label.lower()) > 1]
    notes = [f"labels that differ in small and capital letters only: {', '.join(alike)}"] if alike else []
    return collect("csv", {label: label for label in labels}, found, notes=[*partly_split(found), *notes])


def manifest_file(root: Path, suffix: str) -> Path:
    """``root`` if it is a file, or the only file with the suffix in it; raises ``InputError`` otherwise."""
    if root.is_file():
        return root
    files = sorted(path for path in root.glob(f"*.{suffix}") if not path.name.startswith("."))
    if len(files) != 1:
        raise InputError("TF-CORPUS-24", f"{len(files)} .{suffix} files in {str(root)!r}",
                         expected="one manifest, or its path", fix=f"give --root the path of the .{suffix} file")
    return files[0]


def partly_split(found: list[Utterance]) -> list[str]:
    """A note where some utterances have a part of the split and others none: the split is not used then."""
    counts = Counter(bool(utterance.part) for utterance in found)
    return [f"{counts[False]} utterances in no part of the split, which is not used for it"] if len(counts) > 1 else []


def _utterance(row: dict[str, str], path: Path, line: int) -> Utterance:
    where = f"{path.name}, line {line}"
    if not row["path"] or not row["speaker"]:
        raise InputError("TF-CORPUS-25", f"{where}: no {'speaker' if row['path'] else 'path'}",
                         expected="a path and a speaker in each row", fix="complete the row, or take it out")
    part = row.get("split", "").lower()
    if part and part not in PARTS:
        raise InputError("TF-CORPUS-26", f"{where}: split {part!r}", expected=f"one of {', '.join(PARTS)}, or nothing",
                         fix="correct the column split")
    start, end = row.get("start_s", ""), row.get("end_s", "")
    name = row.get("id") or row["path"] + (f"#{start or 0}" if start or end else "")
    return Utterance(name, path.parent / row["path"], row["speaker"], row["label"], row.get("text", ""),
                     seconds(start, path, what=f"start_s of line {line}") if start else 0.0,
                     seconds(end, path, what=f"end_s of line {line}") if end else None,
                     row.get("group", ""), PARTS[part] if part else "")
