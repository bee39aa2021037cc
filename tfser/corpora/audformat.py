"""Databases in audformat: a folder with ``db.yaml`` and one ``db.<table>.csv`` for each table.

A table has the index ``file``, or ``file,start,end`` for parts of files, and columns. What is needed stands in
columns by audformat's conventions: ``emotion``, ``speaker`` and, where there is one, ``transcription`` or
``text``; ``speaker`` may be in another table. Tables named after a part (``emotion.train``, ``emotion.test``)
are an official split. The tables say everything that is used, so ``db.yaml`` is not read.

References
----------
audeering.github.io/audformat, "Database" and "Conventions"
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from tfser.corpora.annotation import collect, read_table
from tfser.corpora.csv_manifest import PARTS, partly_split
from tfser.corpora.manifest import Corpus, Part, Skipped, Utterance
from tfser.errors import InputError

LABEL, SPEAKER, TEXTS = "emotion", "speaker", ("transcription", "text")
# Times as pandas writes them (0 days 00:00:01.500000), or with a unit (1.5s, 250ms).
_CLOCK = re.compile(r"(?:(\d+) days? )?(\d+):(\d\d):(\d\d(?:\.\d+)?)")
_UNITS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "m": 60.0, "min": 60.0, "h": 3600.0}
_WITH_UNIT = re.compile(rf"(\d+(?:\.\d+)?) ?({'|'.join(_UNITS_S)})")


class Segment(NamedTuple):
    """What a row of a table is about; ``end_s`` is ``None`` for the end of the file."""

    file: str
    start_s: float = 0.0
    end_s: float | None = None


def load(root: Path) -> Corpus:
    """The database in the folder ``root``.

    Raises
    ------
    InputError
        There are no tables in CSV, no table has emotions, nobody knows a speaker, or tables contradict each other.
    """
    tables = _read_tables(root)
    emotions: dict[Segment, str] = {}
    parts: dict[Segment, Part] = {}
    for name, table in tables.items():
        part = next((PARTS[word] for word in name.split(".") if word in PARTS), None)
        for segment, row in table.items():
            if LABEL in row:
                _agree(emotions, segment, row[LABEL], LABEL)
                if part:
                    _agree(parts, segment, part, "part of the split")
    if not emotions:
        raise InputError("TF-CORPUS-30", f"no table with the column {LABEL!r} among db.{{{','.join(tables)}}}.csv",
                         expected=f"a column {LABEL!r} beside file (or file,start,end)",
                         fix="rename the column, or write a CSV manifest")
    speakers = _column(tables, (SPEAKER,))
    texts = _column(tables, TEXTS)
    found = [_utterance(root, segment, emotion, speakers, texts, parts) for segment, emotion in emotions.items()]
    labels = sorted(set(emotions.values()) - {""})
    unlabelled = {segment.file for table in tables.values() for segment in table} - {one.file for one in emotions}
    return collect("audformat", {label: label for label in labels},
                   [*found, *(Skipped(file, "unlabelled", f"no {LABEL} in any table") for file in unlabelled)],
                   notes=partly_split(found))


def _utterance(root: Path, segment: Segment, emotion: str, speakers: dict[Segment, str], texts: dict[Segment, str],
               parts: dict[Segment, Part]) -> Utterance:
    whole = Segment(segment.file)
    speaker = speakers.get(segment) or speakers.get(whole)
    if not speaker:
        raise InputError("TF-CORPUS-31", f"nobody knows who speaks in {segment.file!r}",
                         expected=f"a column {SPEAKER!r} in a table that has the file",
                         fix="add the column, as no split is trusted without speakers")
    name = segment.file if segment == whole else f"{segment.file}#{segment.start_s:g}"
    return Utterance(name, root / segment.file, speaker, emotion, texts.get(segment) or texts.get(whole, ""),
                     segment.start_s, segment.end_s, part=parts.get(segment, ""))


def _read_tables(root: Path) -> dict[str, dict[Segment, dict[str, str]]]:
    """The tables that are about files, by name."""
    paths = sorted(root.glob("db.*.csv"))
    if not paths:
        other = ", ".join(sorted(path.name for path in root.glob("db.*.p*"))[:3])
        raise InputError("TF-CORPUS-32", f"no db.<table>.csv in {str(root)!r}" + (f", but {other}" if other else ""),
                         expected="a database in audformat with its tables in CSV",
                         fix="save it with db.save(root, storage_format='csv')")
    tables = {}
    for path in paths:
        rows = read_table(path, ())
        if rows and "file" in rows[0]:
            tables[path.name[len("db."):-len(".csv")]] = _by_segment(rows, path)
    return tables


def _by_segment(rows: list[dict[str, str]], path: Path) -> dict[Segment, dict[str, str]]:
    table: dict[Segment, dict[str, str]] = {}
    for row in rows:
        segment = _segment(row, path)
        if segment in table:
            raise InputError("TF-CORPUS-39", f"{str(path)!r} with {segment.file!r} from {segment.start_s:g} s twice",
                             expected="each part of a file once in a table", fix="save the database with audformat")
        table[segment] = row
    return table


def _segment(row: dict[str, str], path: Path) -> Segment:
    if "start" not in row:
        return Segment(row["file"])
    end = row.get("end", "")
    return Segment(row["file"], _seconds(row["start"], path), None if end in ("", "NaT") else _seconds(end, path))


def _seconds(text: str, path: Path) -> float:
    if match := _CLOCK.fullmatch(text):
        days, hours, minutes = (int(number or 0) for number in match.groups()[:3])
        return ((days * 24 + hours) * 60 + minutes) * 60 + float(match[4])
    if match := _WITH_UNIT.fullmatch(text):
        return float(match[1]) * _UNITS_S[match[2]]
    raise InputError("TF-CORPUS-33", f"time {text!r} in {str(path)!r}",
                     expected="0 days 00:00:01.500000, or a number with a unit such as 1.5s",
                     fix="save the database with audformat")


def _column(tables: dict[str, dict[Segment, dict[str, str]]], names: tuple[str, ...]) -> dict[Segment, str]:
    """A column, from every table that has it; raises ``InputError`` where they contradict each other."""
    values: dict[Segment, str] = {}
    for table in tables.values():
        for segment, row in table.items():
            for name in names:
                if row.get(name):
                    _agree(values, segment, row[name], name)
    return values


def _agree(values: dict[Segment, str] | dict[Segment, Part], segment: Segment, value: str, what: str) -> None:
    if values.setdefault(segment, value) != value:  # type: ignore[arg-type]
        raise InputError("TF-CORPUS-34", f"{what} of {segment.file!r} is {values[segment]!r} and {value!r}",
                         expected="tables that agree", fix="correct one of the tables")
