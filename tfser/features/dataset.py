"""The features of a whole corpus in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfser.audio.io import is_silent, read_audio
from tfser.corpora.manifest import Corpus, Utterance
from tfser.errors import InputError
from tfser.features.clips import heard_features
from tfser.spec import FeatureSpec

#: What is heard of an utterance, from its samples [shape=(samples,)] and its id.
Versions = Callable[[np.ndarray, str], Iterable[np.ndarray]]


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """Every utterance in which something is heard, in the corpus's order, and its windows.

    ``x`` [shape=(windows, frames, mel_bands)] float32 is level-normalised and not yet band-normalised, which
    depends on the split; ``owner`` [shape=(windows,)] int64, ascending, is the index of each window's utterance.

    Of the utterances: ``labels`` [shape=(n,)] int64 index ``Corpus.labels``; ``speakers`` and ``ids`` [shape=(n,)]
    are strings, ``groups`` too: what is voted on as one, the id where an utterance stands for itself; ``skipped``
    names those that are silent and were left out.

    ``variants``, where a training wants them, hears the recordings that train as they would have sounded
    elsewhere: see ``tfser.audio.augment``.
    """

    x: np.ndarray
    owner: np.ndarray
    labels: np.ndarray
    speakers: np.ndarray
    ids: np.ndarray
    groups: np.ndarray
    skipped: tuple[str, ...]
    variants: Callable[[], FeatureSet] | None = None


def corpus_features(corpus: Corpus, spec: FeatureSpec, versions: Versions | None = None) -> FeatureSet:
    """Read every utterance of a corpus and hear it in windows, as ``tfser predict`` does.

    Parameters
    ----------
    versions : callable, optional
        What is heard in place of the samples.

    Raises
    ------
    InputError
        A recording cannot be read (see ``read_audio``), or all are silent.
    """
    heard = {index: np.concatenate([heard_features(version, spec) for version in
                                    (versions(y, corpus.utterances[index].id) if versions else (y,))])
             for index, y in heard_utterances(corpus, spec.sample_rate_hz)}
    skipped = tuple(utterance.id for index, utterance in enumerate(corpus.utterances) if index not in heard)
    if not heard:
        raise InputError("TF-FEAT-11", f"{corpus.name} with {len(skipped)} recordings, all silent",
                         expected="recordings with speech", fix="check the corpus folder")
    order = sorted(heard)
    kept = [corpus.utterances[index] for index in order]
    return FeatureSet(
        x=np.concatenate([heard[index] for index in order]),
        owner=np.repeat(np.arange(len(order)), [len(heard[index]) for index in order]),
        labels=np.array([corpus.labels.index(utterance.label) for utterance in kept]),
        speakers=np.array([utterance.speaker for utterance in kept]),
        ids=np.array([utterance.id for utterance in kept]),
        groups=np.array([utterance.group or utterance.id for utterance in kept]),
        skipped=skipped,
    )


def heard_utterances(corpus: Corpus, sample_rate_hz: int) -> Iterator[tuple[int, np.ndarray]]:
    """The utterances in which something is heard: place in the corpus, and samples [shape=(samples,)].

    A file with several utterances is decoded once, wherever they stand in the corpus. Raises ``InputError`` for a
    recording that cannot be read: see ``read_audio``.
    """
    by_file: dict[Path, list[int]] = {}
    for index, utterance in enumerate(corpus.utterances):
        by_file.setdefault(utterance.path, []).append(index)
    for path, indices in by_file.items():
        recording = read_audio(path, sample_rate_hz)
        for index in indices:
            y = segment(recording, corpus.utterances[index], sample_rate_hz)
            if not is_silent(y):
                yield index, y


def segment(y: np.ndarray, utterance: Utterance, sample_rate_hz: int) -> np.ndarray:
    """The samples of an utterance in its recording ``y`` [shape=(samples,)]; none if the recording ends before it."""
    end_s = utterance.end_s
    return y[round(utterance.start_s * sample_rate_hz) : None if end_s is None else round(end_s * sample_rate_hz)]
