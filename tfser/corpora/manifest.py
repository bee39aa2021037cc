"""What a corpus is: utterances with speaker and label; and how one is read from its file names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import soundfile

from tfser.audio.io import AUDIO_SUFFIXES
from tfser.errors import InputError

#: A file with sound in it is larger: only those below it are opened to see whether they hold a sample.
SMALL_FILE_BYTES = 1024

Part = Literal["train", "validation", "test"]
Kind = Literal["missing", "corrupt", "empty", "unlabelled", "duplicate", "excluded", "foreign"]


class Skipped(NamedTuple):
    """Something that is not among a corpus's utterances, and why.

    ``kind`` is ``missing`` (annotated, no audio), ``corrupt`` (audio or annotation that cannot be used),
    ``empty`` (no samples, or no time between start and end), ``unlabelled`` (no annotation, or a label outside
    the set), ``duplicate`` (what another utterance is already), ``excluded`` (left out by the corpus's own
    rules) or ``foreign`` (not of this corpus).
    """

    name: str
    kind: Kind
    reason: str


@dataclass(frozen=True)
class Utterance:
    """One recording, or a part of one: who (``speaker``) says what (``text``) with which ``label``.

    Parameters
    ----------
    text : str
        The corpus's code for the sentence, or its words; empty where nobody knows.
    start_s, end_s : float
        Where in the file it lies, in seconds; ``None`` stands for the file's end.
    group : str
        What is voted on as one, such as a participant; empty if the utterance stands for itself.
    part : str
        Its part in the corpus's official split; empty where there is none.
    """

    id: str
    path: Path
    speaker: str
    label: str
    text: str
    start_s: float = 0.0
    end_s: float | None = None
    group: str = ""
    part: Part | Literal[""] = ""

    @property
    def is_segment(self) -> bool:
        """Whether it is a part of its file."""
        return self.start_s > 0 or self.end_s is not None


@dataclass(frozen=True)
class Published:
    """What a corpus's authors say that it holds; empty tables where they do not say it."""

    utterances: int | None
    speakers: int | None = None
    labels: Mapping[str, int] = field(default_factory=dict)
    parts: Mapping[str, int] = field(default_factory=dict)
    unit: Literal["utterances", "groups"] = "utterances"  # what the two tables count


@dataclass(frozen=True)
class Corpus:
    """Every usable utterance below a folder.

    ``labels`` is the full label set in the order that a model's outputs have; ``skipped`` lists what
    is not used; ``bonds`` are speakers who never part in a split, as those who talk to each other;
    ``notes`` are oddities of the annotation that are worth a line.
    """

    name: str
    labels: tuple[str, ...]
    utterances: tuple[Utterance, ...]
    skipped: tuple[Skipped, ...] = ()
    published: Published | None = None
    bonds: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def speakers(self) -> tuple[str, ...]:
        """Speakers in the order of their first utterance; folds are consecutive groups of it."""
        return tuple(dict.fromkeys(utterance.speaker for utterance in self.utterances))

    @property
    def has_official_split(self) -> bool:
        """Whether every utterance has its part in an official split."""
        return all(utterance.part for utterance in self.utterances)


def from_file_names(
    name: str,
    labels: tuple[str, ...],
    speakers: tuple[str, ...],
    parse: Callable[[Path], Utterance | None],
    root: Path,
    published: Published | None = None,
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
    files = audio_files(root)
    parsed = [(path, parse(path)) for path in files]
    utterances = [utterance for path, utterance in parsed if utterance is not None and not is_empty(path)]
    if not utterances:
        raise InputError("TF-CORPUS-03", f"folder {str(root)!r} with {len(files)} audio files, of {name} none that "
                         "has a sample",
                         expected=f"recordings with the file names of {name}", fix="check --root and --corpus")
    _refuse_strangers(utterances, speakers)
    refuse_duplicates(utterances)
    utterances.sort(key=lambda utterance: (speakers.index(utterance.speaker), utterance.id))
    skipped = [Skipped(path.relative_to(root).as_posix(), "foreign", f"no file name of {name}")
               for path, utterance in parsed if utterance is None]
    skipped += [Skipped(utterance.id, "empty", "no samples") for path, utterance in parsed
                if utterance is not None and is_empty(path)]
    return Corpus(name, labels, tuple(utterances), tuple(skipped), published)


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


def audio_files(root: Path) -> list[Path]:
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


def is_empty(path: Path) -> bool:
    """Whether a recording has no sample; one that cannot be read is not empty but broken."""
    size = path.stat().st_size
    if size >= SMALL_FILE_BYTES:
        return False
    try:
        return size == 0 or soundfile.info(path).frames == 0
    except soundfile.SoundFileError:
        return False


def _raise(error: OSError) -> None:
    """An unreadable subfolder must not make a corpus silently smaller."""
    raise error


def _refuse_strangers(utterances: list[Utterance], speakers: tuple[str, ...]) -> None:
    for utterance in utterances:
        if utterance.speaker not in speakers:
            raise InputError("TF-CORPUS-06", f"unknown speaker {utterance.speaker!r} in the file name "
                             f"{str(utterance.path)!r}", expected=f"one of {', '.join(speakers)}",
                             fix="rename the file, or take it out of the folder")


def refuse_duplicates(utterances: Iterable[Utterance]) -> None:
    """Every utterance has an id of its own; raises ``InputError`` for the first that has not."""
    seen: dict[str, Path] = {}
    for utterance in utterances:
        if utterance.id in seen:
            raise InputError("TF-CORPUS-04", f"utterance {utterance.id!r} twice: {str(seen[utterance.id])!r} and "
                             f"{str(utterance.path)!r}", expected="each utterance once",
                             fix="point --root at one copy of the corpus")
        seen[utterance.id] = utterance.path
