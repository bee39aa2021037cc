"""Whether a corpus is whole: every recording decoded, everything counted and compared with what was published."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from tfser.audio.io import is_silent, read_audio
from tfser.corpora.manifest import Corpus, Skipped, Utterance
from tfser.corpora.splits import ROLES, Split, customary_folds, make_split, shared_texts, untrained_labels
from tfser.errors import InputError
from tfser.spec import FeatureSpec

#: A segment may end that much after its recording: transcripts are rounded.
END_TOLERANCE_S = 0.5
# libsndfile reads what is there of a WAV file that was cut, and says so only in its log.
_CUT_WAV = re.compile(r"^data : (\d+) \(should be (\d+)\)", re.MULTILINE)
#: A recorder that cannot go back to the header writes a length of this or more.
_STREAMED_BYTES = 2**31 - 2**16


@dataclass(frozen=True)
class Difference:
    """A count that is not the published one."""

    what: str
    found: int
    published: int


@dataclass(frozen=True)
class FoldCount:
    """A split in numbers: utterances of each role, sentences in training and test, labels that nobody trains."""

    split: Split
    utterances: dict[str, int]
    shared_texts: tuple[str, ...]
    untrained_labels: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What ``check`` found.

    ``unusable`` are the corpus's skipped entries and the recordings that do not decode; ``silent`` are ids;
    ``padded`` counts utterances shorter than a model's clip, which zeros follow; ``short`` those of them that
    are shorter than half of it, of which it hears mostly zeros;
    ``unsplittable`` says why there is no split, or is empty.
    """

    corpus: Corpus
    unusable: tuple[Skipped, ...]
    silent: tuple[str, ...]
    padded: int
    short: int
    duration_s: float
    labels: dict[str, int]
    speakers: dict[str, int]
    folds: tuple[FoldCount, ...]
    unsplittable: str
    differences: tuple[Difference, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the corpus is not whole; empty if it is."""
        kinds = Counter(entry.kind for entry in self.unusable)
        found = [f"{kinds[kind]} {kind}" for kind in ("missing", "corrupt") if kinds[kind]]
        less = [entry for entry in self.differences if entry.found < entry.published]
        found += [f"{entry.found} of {entry.published} published {entry.what}" for entry in less[:1]]
        return (*found, self.unsplittable) if self.unsplittable else tuple(found)


def check(corpus: Corpus, on_file: Callable[[], None] = lambda: None) -> Report:
    """Decode every recording and count; ``on_file`` is called after each recording.

    Only what every model would refuse is unusable here: a file that does not decode, a segment that
    begins after its recording's end.
    """
    unusable, silent, durations = list(corpus.skipped), [], []
    for path, rows in itertools.groupby(corpus.utterances, key=lambda utterance: utterance.path):
        utterances = list(rows)
        try:
            y, rate_hz = _decode(path)
        except InputError as error:
            unusable += [Skipped(utterance.id, "corrupt", f"{error.code}, {_reason(error)}")
                         for utterance in utterances]
            continue
        finally:
            on_file()
        for utterance in utterances:
            start_s, end_s = utterance.start_s, utterance.end_s
            if utterance.is_segment and max(start_s, (end_s or 0.0) - END_TOLERANCE_S) * rate_hz >= len(y):
                unusable.append(Skipped(utterance.id, "corrupt", "a segment after the recording's end"))
                continue
            clip = y[round(start_s * rate_hz) : None if end_s is None else round(end_s * rate_hz)]
            durations.append(len(clip) / rate_hz)
            if is_silent(clip):
                silent.append(utterance.id)
    folds, unsplittable = _folds(corpus)
    spec = FeatureSpec()
    clip_s = spec.clip_samples / spec.sample_rate_hz
    padded, short = (sum(duration < limit for duration in durations) for limit in (clip_s, clip_s / 2))
    counted = Counter(utterance.label for utterance in corpus.utterances)
    return Report(corpus, tuple(unusable), tuple(silent), padded, short, sum(durations),
                  {label: counted[label] for label in corpus.labels},
                  dict(Counter(utterance.speaker for utterance in corpus.utterances)), folds, unsplittable,
                  tuple(_differences(corpus)))


def _decode(path: Path) -> tuple[np.ndarray, int]:
    """Samples at the recording's own rate; raises as ``read_audio`` does, and for a WAV file that was cut."""
    try:
        info = soundfile.info(path)
    except (OSError, RuntimeError):
        return read_audio(path, FeatureSpec().sample_rate_hz), FeatureSpec().sample_rate_hz  # says what is wrong
    cut = _CUT_WAV.search(info.extra_info)
    if cut and int(cut[2]) < int(cut[1]) < _STREAMED_BYTES:
        raise InputError("TF-CORPUS-36", f"recording {str(path)!r} cut short", expected=f"{cut[1]} bytes of samples",
                         fix="restore it from the corpus")
    return read_audio(path, info.samplerate), info.samplerate


def _reason(error: InputError) -> str:
    """What an error says after the name of its file, which differs from file to file."""
    return error.received.rpartition("' ")[2]


def _folds(corpus: Corpus) -> tuple[tuple[FoldCount, ...], str]:
    """The customary split's folds in numbers, or why there are none."""
    try:
        splits = [make_split(corpus, fold=fold) for fold in range(customary_folds(corpus))]
    except InputError as error:
        return (), error.received
    return tuple(FoldCount(split, {role: list(split.roles.values()).count(role) for role in ROLES},
                           shared_texts(corpus, split), untrained_labels(corpus, split)) for split in splits), ""


def _differences(corpus: Corpus) -> list[Difference]:
    """Counts that are not as published; what is published without a sample counts as found."""
    published = corpus.published
    if published is None:
        return []
    rows = list(_one_of_each_group(corpus.utterances)) if published.unit == "groups" else corpus.utterances
    labels, parts = Counter(row.label for row in rows), Counter(row.part for row in rows)
    pairs = [(f"{published.unit} in {label}", labels[label], count) for label, count in published.labels.items()]
    pairs += [(f"{published.unit} in {part}", parts[part], count)  # type: ignore[index]
              for part, count in published.parts.items()]
    if published.speakers is not None:
        pairs.insert(0, ("speakers", len(corpus.speakers), published.speakers))
    if published.utterances is not None:
        empty = sum(entry.kind == "empty" for entry in corpus.skipped)
        pairs.insert(0, ("utterances", len(corpus.utterances) + empty, published.utterances))
    return [Difference(*pair) for pair in pairs if pair[1] != pair[2]]


def _one_of_each_group(utterances: Iterable[Utterance]) -> Iterable[Utterance]:
    return {utterance.group or utterance.id: utterance for utterance in utterances}.values()
