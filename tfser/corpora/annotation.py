"""Annotation files as people leave them: encodings, line ends, tables, and the audio that they name."""

from __future__ import annotations

import codecs
import csv
import difflib
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfser.corpora.manifest import Corpus, Published, Skipped, Utterance, audio_files, is_empty, refuse_duplicates
from tfser.errors import InputError

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path) -> str:
    """A text file in UTF-8 with or without byte-order mark, in UTF-16 with one, or else in Latin-1.

    Line ends come out as ``\\n``.

    Raises
    ------
    InputError
        There is no such file.
    """
    if not path.is_file():
        raise InputError("TF-CORPUS-08", f"no annotation file {str(path)!r}", expected="a text file",
                         fix="point --root at the whole corpus")
    content = path.read_bytes()
    try:
        text = content.decode("utf-16" if content.startswith(_UTF16) else "utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path) -> Any:
    """The value in a JSON file; raises ``InputError`` for text that is no JSON, or has a key twice in one object."""
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        twice = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
        if twice:  # json would keep the last and drop the others without a word
            raise InputError("TF-CORPUS-37", f"{str(path)!r} with the key {twice[0]!r} twice in one object",
                             expected="each key once", fix="restore the file from the corpus")
        return dict(pairs)

    try:
        return json.loads(read_text(path), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise InputError("TF-CORPUS-09", f"{str(path)!r} is no JSON: {error}", expected="one JSON value",
                         fix="restore the file from the corpus") from error


def read_table(path: Path, columns: Sequence[str], optional: Sequence[str] = (), *,
               delimiter: str = ",") -> list[dict[str, str]]:
    """The rows of a table with a header, one dictionary each; empty lines are left out.

    Parameters
    ----------
    columns : sequence of str
        Those that must be there, in any order; the case of the letters does not matter, and keys of
        the result have the case given here. Columns that are not asked for are kept as they are.
    optional : sequence of str
        Those that may be there; one that looks like a misspelling of them is refused.

    Raises
    ------
    InputError
        A column is missing, renamed or there twice, a row has more or fewer cells than the header, or a quotation
        mark is never closed.
    """
    lines = _cells(path, delimiter)
    header = [cell.strip() for cell in next(lines, (0, []))[1]]
    known = {name.lower(): name for name in (*columns, *optional)}
    names = [known.get(cell.lower(), cell) for cell in header]
    absent = [name for name in columns if name not in names]
    unlike = {name: near for name in names if name not in known.values()
              for near in difflib.get_close_matches(name.lower(), optional, 1, 0.75) if near not in names}
    if absent or unlike or len(set(names)) < len(names):
        problem = f"without {', '.join(absent)}" if absent else f"with {', '.join(unlike)}" if unlike else "twice"
        raise InputError("TF-CORPUS-10", f"{str(path)!r} with the columns {', '.join(header) or '(none)'}: {problem}",
                         expected=f"{', '.join(columns)}" + (f"; optional: {', '.join(optional)}" if optional else ""),
                         fix="rename the columns in the first line" + (
                             "" if delimiter == "," else "; they are separated by tabs"))
    rows = []
    for number, row in lines:
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(names):
            raise InputError("TF-CORPUS-11", f"{str(path)!r}, line {number}, with {len(row)} cells",
                             expected=f"{len(names)}, as in the header",
                             fix="quote cells that hold the separator, and complete the line")
        rows.append(dict(zip(names, (cell.strip() for cell in row), strict=True)))
    return rows


def _cells(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each row's last line and cells; tabs separate cells that are never quoted."""
    text = io.StringIO(read_text(path))
    # Strict, as otherwise the cell of a quotation mark that is never closed swallows the rest of the file.
    reader = csv.reader(text, delimiter=delimiter, quoting=csv.QUOTE_NONE) if delimiter == "\t" else \
        csv.reader(text, delimiter=delimiter, strict=True)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise InputError("TF-CORPUS-38", f"{str(path)!r}, line {reader.line_num}: {error}",
                         expected='a cell with a separator or a quotation mark as "one, ""two"" three"',
                         fix="correct the quotation marks") from error


def seconds(text: str, path: Path, *, what: str = "time") -> float:
    """A number of seconds, not negative; raises ``InputError`` that names ``path``."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = -1.0
    if not 0 <= value < float("inf"):
        raise InputError("TF-CORPUS-12", f"{what} {text!r} in {str(path)!r}", expected="seconds, 0 or more",
                         fix="correct the annotation")
    return value


def audio_by_stem(root: Path) -> dict[str, list[Path]]:
    """The audio files below ``root`` by name without suffix; raises as ``audio_files`` does."""
    found: dict[str, list[Path]] = {}
    for path in audio_files(root):
        found.setdefault(path.stem, []).append(path)
    return found


def collect(name: str, labels: Mapping[str, str], found: Iterable[Utterance | Skipped], *,
            published: Published | None = None, bonds: tuple[tuple[str, ...], ...] = (),
            notes: Sequence[str] = ()) -> Corpus:
    """A corpus from what its annotation says: labels put into the set, unusable entries listed.

    Parameters
    ----------
    labels : mapping
        The corpus's codes and the label that each stands for; several codes may share one. An
        utterance with another code is listed as unlabelled.
    found : iterable
        Utterances with the corpus's code as their label, in any order.

    Raises
    ------
    InputError
        An id comes twice, a recording comes twice with contradictory annotations, or no utterance can be used.
    """
    utterances: list[Utterance] = []
    skipped: list[Skipped] = []
    for entry in found:
        one = entry if isinstance(entry, Skipped) else _usable(entry, labels)
        if isinstance(one, Skipped):
            skipped.append(one)
        else:
            utterances.append(one)
    refuse_duplicates(utterances)
    utterances, copies = _without_copies(utterances)
    skipped += copies
    if not utterances:
        reasons = "; ".join(f"{count} {reason}" for reason, count in list(count_reasons(skipped).items())[:4])
        raise InputError("TF-CORPUS-13", f"{name} without one usable utterance" + (f" ({reasons})" if reasons else ""),
                         expected="annotation and audio of the same corpus", fix="check --root and --corpus")
    utterances.sort(key=lambda utterance: (utterance.speaker, utterance.path.stem, utterance.start_s, utterance.id))
    return Corpus(name, tuple(dict.fromkeys(labels.values())), tuple(utterances), tuple(sorted(skipped)), published,
                  bonds, tuple(notes))


def _without_copies(utterances: Sequence[Utterance]) -> tuple[list[Utterance], list[Skipped]]:
    """Each part of a recording once: copies under other ids would be in training and in the test."""
    first: dict[tuple[Path, float, float | None], Utterance] = {}
    copies = []
    for one in utterances:
        same = first.setdefault((one.path, one.start_s, one.end_s), one)
        if (same.speaker, same.label) != (one.speaker, one.label):
            raise InputError("TF-CORPUS-40", f"{same.id!r} and {one.id!r}, which are the same part of "
                             f"{str(one.path)!r}, of {same.speaker} ({same.label}) and of {one.speaker} ({one.label})",
                             expected="one speaker and one label for each recording", fix="correct the annotation")
        if same is not one:
            copies.append(Skipped(one.id, "duplicate", "the same part of a recording as another"))
    return list(first.values()), copies


def _usable(utterance: Utterance, labels: Mapping[str, str]) -> Utterance | Skipped:
    """The utterance with its label's name, or why it is not used."""
    if utterance.label not in labels:
        reason = f"label {utterance.label!r} outside the set" if utterance.label else "no label"
        return Skipped(utterance.id, "unlabelled", reason)
    if not utterance.path.is_file():
        return Skipped(utterance.id, "missing", "no audio for the annotation")
    if utterance.end_s is not None and utterance.end_s <= utterance.start_s:
        return Skipped(utterance.id, "empty", "ends before it starts")
    if is_empty(utterance.path):
        return Skipped(utterance.id, "empty", "no samples")
    fields = {**vars(utterance), "label": labels[utterance.label]}
    return Utterance(**fields)


def count_reasons(skipped: Iterable[Skipped]) -> dict[str, int]:
    """How often each reason comes, most frequent first."""
    counts: dict[str, int] = {}
    for entry in skipped:
        counts[entry.reason] = counts.get(entry.reason, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def one_of(paths: Sequence[Path], expected: Path) -> Path:
    """The one recording of a name, or where it should have been; raises ``InputError`` for several."""
    if len(paths) > 1:
        raise InputError("TF-CORPUS-14", f"recording {expected.stem!r} twice: {str(paths[0])!r} and {str(paths[1])!r}",
                         expected="each recording once", fix="point --root at one copy of the corpus")
    return paths[0] if paths else expected
