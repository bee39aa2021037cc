"""M3ED: emotional dialogue of 56 Chinese television series, 24,449 utterances, 7 emotions, Mandarin, 16 kHz.

``annotation.json`` is {series: {dialogue: {"SpeakerInfo", "Dialog": {utterance: {"Text", "Speaker",
"EmoAnnotation": {"final_main_emo", ...}}}}}}; ``splitInfo/movie_list_{train,val,test}.txt`` names the series of
each part; ``{Speaker}_{utterance}.wav`` is what was said. 12 clips are published without a sample.

References
----------
Zhao et al.: M3ED: Multi-modal Multi-scene Multi-label Emotional Dialogue Database, ACL 2022,
doi:10.18653/v1/2022.acl-long.391
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tfser.corpora.annotation import audio_by_stem, collect, one_of, read_json, read_text
from tfser.corpora.manifest import Corpus, Part, Published, Skipped, Utterance
from tfser.errors import InputError

LABELS = {name: name.lower() for name in ("Happy", "Neutral", "Sad", "Disgust", "Anger", "Fear", "Surprise")}
PARTS: dict[str, Part] = {"train": "train", "val": "validation", "test": "test"}
# Counts of the classes were not to be had from a source that could be read.
PUBLISHED = Published(24449)
#: Series of each part.
PUBLISHED_SERIES: dict[Part, int] = {"train": 38, "validation": 7, "test": 11}
ANNOTATION = "annotation.json"


def load(root: Path) -> Corpus:
    """Every utterance of every series, split by series as published.

    Raises
    ------
    InputError
        The annotation or a split list is missing or of another form, a series is in no part or in two, or an
        utterance comes twice.
    """
    audio = audio_by_stem(root)
    path = _annotation(root)
    parts = read_parts(path.parent / "splitInfo")
    series = read_json(path)
    if not isinstance(series, dict) or not series:
        raise _of_another_form(path, "the whole file")
    unknown = sorted(set(series) - set(parts))
    if unknown:
        raise InputError("TF-CORPUS-17", f"series in no part of the split: {', '.join(unknown[:5])}",
                         expected=f"each in one of movie_list_{{{','.join(PARTS)}}}.txt",
                         fix="restore splitInfo/ from the corpus")
    found: list[Utterance | Skipped] = []
    for name, dialogues in series.items():
        found += _utterances(path, name, dialogues, parts[name], audio)
    annotated = {entry.path.stem for entry in found if isinstance(entry, Utterance)}
    found += [Skipped(stem, "unlabelled", "audio without annotation") for stem in audio if stem not in annotated]
    return collect("m3ed", LABELS, found, published=PUBLISHED, notes=_series_notes(parts))


def read_parts(folder: Path) -> dict[str, Part]:
    """The part of each series; raises ``InputError`` if a list is missing or a series is in two."""
    parts: dict[str, Part] = {}
    for name, part in PARTS.items():
        for series in read_text(folder / f"movie_list_{name}.txt").split():
            if parts.setdefault(series, part) != part:
                raise InputError("TF-CORPUS-18", f"series {series!r} in {parts[series]} and in {part}",
                                 expected="each series in one part", fix="restore splitInfo/ from the corpus")
    return parts


def _series_notes(parts: Mapping[str, Part]) -> list[str]:
    counts = {part: list(parts.values()).count(part) for part in PARTS.values()}
    return [f"{counts[part]} series in {part}, published {published}"
            for part, published in PUBLISHED_SERIES.items() if counts[part] != published]


def _annotation(root: Path) -> Path:
    """``annotation.json``, at ``root`` or in the one folder below that has it."""
    below = sorted(path for path in root.rglob(ANNOTATION) if not path.name.startswith("."))
    if not below:
        raise InputError("TF-CORPUS-19", f"no {ANNOTATION} below {str(root)!r}", expected="the folder of M3ED",
                         fix="check --root and --corpus")
    return below[0]


def _utterances(path: Path, series: str, dialogues: Any, part: Part,
                audio: Mapping[str, list[Path]]) -> Iterator[Utterance]:
    """Those of a series, with the corpus's code as the label; a person keeps the name over dialogues."""
    dialogue = utterance = ""
    try:
        for dialogue, content in dialogues.items():  # noqa: B007 - names the place of an error
            people = content["SpeakerInfo"]
            for utterance, entry in content["Dialog"].items():
                speaker = entry["Speaker"]
                stem = f"{speaker}_{utterance}"
                yield Utterance(utterance, one_of(audio.get(stem, ()), path.parent / f"{stem}.wav"),
                                f"{series}_{people[speaker]['Name']}", entry["EmoAnnotation"]["final_main_emo"],
                                "".join(entry["Text"].split()), part=part)
    except (KeyError, TypeError, AttributeError) as error:
        place = "/".join(name for name in (series, dialogue, utterance) if name)
        raise _of_another_form(path, f"{place}: {type(error).__name__} {error}") from error


def _of_another_form(path: Path, place: str) -> InputError:
    return InputError("TF-CORPUS-20", f"{str(path)!r} has another form than M3ED's, at {place}",
                      expected='{series: {dialogue: {"SpeakerInfo", "Dialog": {utterance: {"Speaker", "Text", '
                      '"EmoAnnotation": {"final_main_emo"}}}}}}', fix="restore the file from the corpus")
