"""IEMOCAP: 12 hours of acted dialogue, 5 sessions of a woman and a man, American English.

``SessionN/dialog/EmoEvaluation/*.txt`` has a line for each utterance, such as
``[6.2901 - 8.2357]<tab>Ses01F_impro01_F000<tab>neu<tab>[2.5000, 2.5000, 2.5000]``, and
``SessionN/sentences/wav/<dialog>/<utterance>.wav`` is what was said. The letter after the session tells who wore
the motion capture; who speaks is told by the letter of the last block.

References
----------
Busso et al.: IEMOCAP: interactive emotional dyadic motion capture database, Language Resources and Evaluation
42(4), 2008, doi:10.1007/s10579-008-9076-6
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tfser.corpora.annotation import audio_by_stem, collect, one_of, read_text
from tfser.corpora.manifest import Corpus, Published, Skipped, Utterance
from tfser.errors import InputError

#: Happy and excited merged: what most papers report.
FOUR = {"ang": "anger", "hap": "happiness", "exc": "happiness", "neu": "neutral", "sad": "sadness"}
SIX = {"ang": "anger", "exc": "excitement", "fru": "frustration", "hap": "happiness", "neu": "neutral",
       "sad": "sadness"}
SESSIONS = tuple(f"Ses{number:02d}" for number in range(1, 6))
#: The two who talk to each other are never on different sides of a split.
BONDS = tuple((f"{session}F", f"{session}M") for session in SESSIONS)
PUBLISHED_FOUR = Published(5531, 10, {"anger": 1103, "happiness": 1636, "neutral": 1708, "sadness": 1084})
PUBLISHED_SIX = Published(None, 10)
_ANNOTATION = "dialog/EmoEvaluation"
_LINE = re.compile(r"\[\d+\.\d+ - \d+\.\d+\]\s+(?P<id>\S+)\s+(?P<emotion>[a-z]+)\s+\[")
# Lines of the annotators (C-E1:, A-F2:, A-M1: ...), the legend, and what stands between the utterances.
_OTHER_LINE = re.compile(r"\s*$|%|[CA]-")
_UTTERANCE = re.compile(r"(?P<session>Ses0[1-5])[FM]_(?P<dialog>\w+)_(?P<speaker>[FM])(?P<number>\d+)")
_WORDS = re.compile(r"(?P<id>Ses0[1-5]\w+) \[[^\]]*\]: ?(?P<text>.*)")


def load(root: Path) -> Corpus:
    """The four classes that are customary, leave one session out; raises as ``load_labels`` does."""
    return load_labels("iemocap", root, FOUR, PUBLISHED_FOUR)


def load_six(root: Path) -> Corpus:
    """Six classes, with frustration, and happiness and excitement apart; raises as ``load_labels`` does."""
    return load_labels("iemocap-6", root, SIX, PUBLISHED_SIX)


def load_labels(name: str, root: Path, labels: Mapping[str, str], published: Published) -> Corpus:
    """Every utterance whose label is in the set, below ``root``.

    Raises
    ------
    InputError
        There is no annotation, a line of it is of no known form, or an utterance comes twice.
    """
    audio = audio_by_stem(root)
    files = sorted(path for path in root.rglob(f"{_ANNOTATION}/*.txt") if not path.name.startswith("."))
    if not files:
        raise InputError("TF-CORPUS-15", f"no Session*/{_ANNOTATION}/*.txt below {str(root)!r}",
                         expected="the folder IEMOCAP_full_release", fix="check --root and --corpus")
    found: list[Utterance | Skipped] = [utterance for path in files for utterance in _utterances(path, audio)]
    annotated = {entry.id for entry in found if isinstance(entry, Utterance)}
    found += [Skipped(stem, "unlabelled", "audio without annotation") for stem in audio
              if _UTTERANCE.fullmatch(stem) and stem not in annotated]
    return collect(name, labels, found, published=published, bonds=BONDS)


def _utterances(path: Path, audio: Mapping[str, list[Path]]) -> Iterator[Utterance]:
    """Those of one dialogue, with the corpus's code as the label."""
    session = path.parents[2]
    words = _words(session / "dialog" / "transcriptions" / path.name)
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        match = _LINE.match(line)
        name = _UTTERANCE.fullmatch(match["id"]) if match else None
        if match is None or name is None:
            if _OTHER_LINE.match(line):
                continue
            raise InputError("TF-CORPUS-16", f"{str(path)!r}, line {number}: {line[:80]!r}",
                             expected="[start - end]<tab>utterance<tab>emotion<tab>[valence, arousal, dominance]",
                             fix="restore the file from the corpus")
        where = session / "sentences" / "wav" / name[0].rpartition("_")[0] / f"{name[0]}.wav"
        yield Utterance(name[0], one_of(audio.get(name[0], ()), where), name["session"] + name["speaker"],
                        match["emotion"], words.get(name[0], ""))


def _words(path: Path) -> dict[str, str]:
    """What is said in each utterance of a dialogue, in small letters; empty without a transcript."""
    if not path.is_file():
        return {}
    matches = map(_WORDS.match, read_text(path).split("\n"))
    return {match["id"]: " ".join(re.findall(r"[\w']+", match["text"].lower())) for match in matches if match}
