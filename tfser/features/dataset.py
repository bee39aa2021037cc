"""The features of a whole corpus in memory."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from tfser.audio.io import is_silent, read_audio
from tfser.corpora.manifest import Corpus, Utterance
from tfser.errors import InputError
from tfser.features.clips import loudest_clip
from tfser.features.logmel import log_mel
from tfser.features.normalise import level_normalise
from tfser.spec import FeatureSpec


@dataclass(frozen=True)
class FeatureSet:
    """One clip an utterance, in the corpus's order.

    ``x`` [shape=(n, frames, mel_bands)] float32 is level-normalised and not yet band-normalised, which
    depends on the split; ``labels`` [shape=(n,)] int64 index ``Corpus.labels``; ``speakers`` and ``ids``
    [shape=(n,)] are strings, ``groups`` too: what is voted on as one, the id where a clip stands for itself;
    ``skipped`` names the silent recordings that were left out.
    """

    x: np.ndarray
    labels: np.ndarray
    speakers: np.ndarray
    ids: np.ndarray
    groups: np.ndarray
    skipped: tuple[str, ...]


def corpus_features(corpus: Corpus, spec: FeatureSpec) -> FeatureSet:
    """Read every utterance of a corpus; of one longer than a clip, the loudest ``spec.clip_samples`` are used.

    One shorter than a clip is followed by zeros. A file with several utterances is decoded once.

    Raises
    ------
    InputError
        A recording cannot be read (see ``read_audio``), or all are silent.
    """
    clips, kept, skipped = [], [], []
    for path, utterances in itertools.groupby(corpus.utterances, key=lambda utterance: utterance.path):
        recording = read_audio(path, spec.sample_rate_hz)
        for utterance in utterances:
            y = segment(recording, utterance, spec.sample_rate_hz)
            if is_silent(y):
                skipped.append(utterance.id)
                continue
            clips.append(level_normalise(log_mel(loudest_clip(y, spec), spec), spec))
            kept.append(utterance)
    if not clips:
        raise InputError("TF-FEAT-11", f"{corpus.name} with {len(skipped)} recordings, all silent",
                         expected="recordings with speech", fix="check the corpus folder")
    return FeatureSet(
        x=np.stack(clips),
        labels=np.array([corpus.labels.index(utterance.label) for utterance in kept]),
        speakers=np.array([utterance.speaker for utterance in kept]),
        ids=np.array([utterance.id for utterance in kept]),
        groups=np.array([utterance.group or utterance.id for utterance in kept]),
        skipped=tuple(skipped),
    )


def segment(y: np.ndarray, utterance: Utterance, sample_rate_hz: int) -> np.ndarray:
    """The samples of an utterance in its recording ``y`` [shape=(samples,)]; none if the recording ends before it."""
    end_s = utterance.end_s
    return y[round(utterance.start_s * sample_rate_hz) : None if end_s is None else round(end_s * sample_rate_hz)]
