"""What a corpus is: utterances with speaker and label; and how one is read from its file names."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tfser.audio.io import AUDIO_SUFFIXES
from tfser.errors import InputError


@dataclass(frozen=True)
class Utterance:
    """One recording: who (``speaker``) says what (``text``, the corpus's code) with which ``label``."""

    id: str
    path: Path
    speaker: str
    label: str
    text: str


@dataclass(frozen=True)
class Corpus:
    """Every usable utterance below a folder.

    ``labels`` is the corpus's full label set in the order that a model's outputs have; ``skipped``
    lists audio files that do not belong to the corpus, relative to its folder.
    """

    name: str
    labels: tuple[str, ...]
    utterances: tuple[Utterance, ...]
    skipped: tuple[str, ...] = ()

    @property
    def speakers(self) -> tuple[str, ...]:
        """Speakers in the order of their first utterance; folds are consecutive groups of it."""
        return tuple(dict.fromkeys(utterance.speaker for utterance in self.utterances))


def from_file_names(
    name: str,
    labels: tuple[str, ...],
    speakers: tuple[str, ...],
    parse: Callable[[Path], Utterance | None],
    root: Path,
) -> Corpus:
    """Read a corpus whose file names carry speaker and label, wherever the files are below ``root``.

    Parameters
    ----------
    speakers : tuple of str
        Every speaker that the corpus has, in the order in which they come; the sexes alternate, so
        that folds mix them.
    parse : callable
        A file's utterance, or ``None`` for one that is not of this corpus.

    Raises
    ------
    InputError
        ``root`` is not a folder, has no usable file, a speaker that the corpus has not, or one
        utterance twice.
    """
    files = _audio_files(root)
    parsed = [(path, parse(path)) for path in files]
    utterances = [utterance for _, utterance in parsed if utterance is not None]
    if not utterances:
        raise InputError("TF-CORPUS-03", f"folder {str(root)!r} with {len(files)} audio files, none of {name}",
                         expected=f"recordings with the file names of {name}", fix="check --root and --corpus")
    _refuse_strangers(utterances, speakers)
    _refuse_duplicates(utterances)
    utterances.sort(key=lambda utterance: (speakers.index(utterance.speaker), utterance.id))
    skipped = tuple(path.relative_to(root).as_posix() for path, utterance in parsed if utterance is None)
    return Corpus(name, labels, tuple(utterances), skipped)


def look_up(table: Mapping[str, str], code: str, what: str, path: Path) -> str:
    """The meaning of one field of a file name.

    Raises
    ------
    InputError
        The corpus has no such code; ``path`` is named.
    """
    if code not in table:
        raise InputError("TF-CORPUS-05", f"unknown {what} {code!r} in the file name {str(path)!r}",
                         expected=f"one of {', '.join(table)}", fix="rename the file, or take it out of the folder")
    return table[code]


def _audio_files(root: Path) -> list[Path]:
    """Audio files below ``root``, sorted; hidden ones (``.cache/``, ``._name`` of macOS) are left out."""
    if not root.exists():
        raise InputError("TF-CORPUS-01", f"no corpus folder at {str(root)!r}", expected="a folder", fix="check --root")
    if not root.is_dir():
        raise InputError("TF-CORPUS-02", f"file {str(root)!r} where a corpus folder was wanted",
                         expected="a folder with recordings", fix="name the folder that holds it")
    found = []
    for folder, subfolders, names in os.walk(root, onerror=_raise):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        found += [Path(folder, name) for name in names
                  if not name.startswith(".") and Path(name).suffix.lower() in AUDIO_SUFFIXES]
    return sorted(found)


def _raise(error: OSError) -> None:
    """An unreadable subfolder must not make a corpus silently smaller."""
    raise error


def _refuse_strangers(utterances: list[Utterance], speakers: tuple[str, ...]) -> None:
    for utterance in utterances:
        if utterance.speaker not in speakers:
            raise InputError("TF-CORPUS-06", f"unknown speaker {utterance.speaker!r} in the file name "
                             f"{str(utterance.path)!r}", expected=f"one of {', '.join(speakers)}",
                             fix="rename the file, or take it out of the folder")


def _refuse_duplicates(utterances: list[Utterance]) -> None:
    seen: dict[str, Path] = {}
    for utterance in utterances:
        if utterance.id in seen:
            raise InputError("TF-CORPUS-04", f"utterance {utterance.id!r} twice: {str(seen[utterance.id])!r} and "
                             f"{str(utterance.path)!r}", expected="each utterance once",
                             fix="point --root at one copy of the corpus")
        seen[utterance.id] = utterance.path
