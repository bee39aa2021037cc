"""EmoBox manifests: one JSON object a line, with ``key``, ``dataset``, ``wav``, ``emo`` and often ``length``.

EmoBox lays them out as ``data/<dataset>/<dataset>.jsonl`` for everything and as
``data/<dataset>/fold_<n>/<dataset>_{train,valid,test}_fold_<n>.jsonl`` for a fold, with the names of the labels
in ``data/<dataset>/label_map.json``. ``wav`` is relative to a folder above the manifest. The files name no
speaker: it comes from the recording's name where the corpus is a known one, or from a key ``spk`` or ``speaker``
that the user adds.

References
----------
Ma et al.: EmoBox: Multilingual Multi-corpus Speech Emotion Recognition Toolkit and Benchmark, Interspeech 2024,
arXiv 2406.07162; github.com/emo-box/EmoBox
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tfser.corpora.annotation import collect, read_json, read_text, seconds
from tfser.corpora.csv_manifest import PARTS, manifest_file
from tfser.corpora.manifest import Corpus, Part, Utterance
from tfser.errors import InputError

LABEL_MAP = "label_map.json"
#: Speaker in the name of a recording: all groups together.
SPEAKERS = {
    "iemocap": re.compile(r"(Ses\d\d)\w*_([FM])\d+"),
    "emodb": re.compile(r"(\d\d)[a-z]\d\d[A-Z][a-z]"),
    "ravdess": re.compile(r"(?:\d\d-){6}(\d\d)"),
    "cremad": re.compile(r"(\d{4})_[A-Z]{3}_[A-Z]{3}_[A-Z]+"),
}
#: Pairs of speakers who talk to each other.
PAIRED = ("iemocap",)
_FOLD_FILE = re.compile(r".+_(train|valid|test)_fold_\d+")


def load(root: Path) -> Corpus:
    """The manifest ``root``, or the files of a fold in the folder ``root`` with their parts.

    Raises
    ------
    InputError
        There is no manifest, a line is no JSON object or lacks a key, nobody knows the speaker, or an utterance
        comes twice.
    """
    files = [(path, PARTS[match[1]]) for path in (sorted(root.glob("*.jsonl")) if root.is_dir() else [])
             if (match := _FOLD_FILE.fullmatch(path.stem)) and not path.name.startswith(".")]
    manifests: list[tuple[Path, Part | None]] = [*files] or [(manifest_file(root, "jsonl"), None)]
    found = [utterance for path, part in manifests for utterance in _utterances(path, part)]
    speakers = sorted({utterance.speaker for utterance, _ in found})
    bonds = tuple((f"{session}F", f"{session}M") for session in sorted({name[:-1] for name in speakers})) \
        if {dataset for _, dataset in found} <= set(PAIRED) else ()
    utterances = [utterance for utterance, _ in found]
    return collect("emobox", _labels(manifests[0][0], utterances), utterances, bonds=bonds)


def _labels(manifest: Path, found: list[Utterance]) -> dict[str, str]:
    """EmoBox's names of the labels where they lie beside the manifest, else the labels as they are."""
    for folder in (manifest.parent, manifest.parent.parent):
        if (folder / LABEL_MAP).is_file():
            labels = read_json(folder / LABEL_MAP)
            if isinstance(labels, dict) and all(isinstance(label, str) for label in labels.values()):
                return dict(sorted(labels.items(), key=lambda item: item[1]))
            raise InputError("TF-CORPUS-27", f"{str(folder / LABEL_MAP)!r} of another form",
                             expected='{"label in the manifest": "its name", ...}', fix="restore the file from EmoBox")
    return {label: label for label in sorted({utterance.label for utterance in found} - {""})}


def _utterances(path: Path, part: Part | None) -> list[tuple[Utterance, str]]:
    """The utterances of a manifest, each with its dataset."""
    found = []
    bases: list[Path] = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            entry = _entry(line, f"{path.name}, line {number}")
            audio = _resolve(path, entry["wav"], bases)
            found.append((_utterance(entry, path, number, audio, part), str(entry.get("dataset", ""))))
    return found


def _entry(line: str, where: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    given = entry if isinstance(entry, dict) else {}
    absent = [key for key in ("key", "wav", "emo") if not isinstance(given.get(key), str)]
    if absent:
        raise InputError("TF-CORPUS-28", f"{where}, without {', '.join(absent)}: {line[:80]}",
                         expected='a JSON object with "key", "wav" and "emo"', fix="make it again with EmoBox")
    return given


def _utterance(entry: dict[str, Any], path: Path, number: int, audio: Path, part: Part | None) -> Utterance:
    speaker = entry.get("spk", entry.get("speaker"))
    if not speaker:
        pattern = SPEAKERS.get(str(entry.get("dataset")))
        match = pattern.fullmatch(Path(entry["wav"]).stem) if pattern else None
        if match is None:
            raise InputError("TF-CORPUS-29", f"{path.name}, line {number}: nobody knows who speaks in {entry['wav']!r}",
                             expected='a key "spk", as no split is trusted without speakers',
                             fix='add "spk" to each line of the manifest')
        speaker = "".join(match.groups())
    times = [entry.get(key) for key in ("start_time", "end_time")]
    start, end = (None if time is None else seconds(str(time), path, what=f"time in line {number}") for time in times)
    return Utterance(entry["key"], audio, str(speaker), entry["emo"], str(entry.get("text", "")), start or 0.0, end,
                     part=part or "")


def _resolve(manifest: Path, wav: str, bases: list[Path]) -> Path:
    """Where a recording is: below the manifest's folder or one above it; ``bases`` remembers the last.

    One that is nowhere is named below the last folder in which one was found.
    """
    for base in (*bases, *manifest.absolute().parents):
        if (base / wav).is_file():
            bases[:] = [base]
            return base / wav
    return (bases or [manifest.parent])[0] / wav
