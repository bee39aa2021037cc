"""A corpus's utterances by role, what a model makes of their windows, and the scores of some of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfser.corpora.splits import Split, role_of
from tfser.errors import InputError
from tfser.features.dataset import FeatureSet
from tfser.features.normalise import band_normalise
from tfser.spec import FeatureSpec
from tfser.training.metrics import score

ROLES = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Clips:
    """Utterances and their windows.

    ``x`` [shape=(windows, frames, mel_bands)] float32 is normalised; ``owner`` [shape=(windows,)] int, ascending, is
    the index of each window's utterance, of which every one has some. Of the utterances: ``labels``, ``speakers``
    [shape=(n,)]; ``groups`` [shape=(n,)] str names what is voted on as one, such as a participant; ``None`` for no
    vote. ``hints`` [shape=(n, labels + k)], where there are any: see ``tfser.training.hints``.
    """

    x: np.ndarray
    owner: np.ndarray
    labels: np.ndarray
    speakers: np.ndarray
    groups: np.ndarray | None = None
    hints: np.ndarray | None = None

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """The index in ``x`` of a random window of each utterance, [shape=(n,)]."""
        counts = np.bincount(self.owner, minlength=len(self.labels))
        return np.cumsum(counts) - counts + rng.integers(counts)


def select(data: FeatureSet, chosen: np.ndarray, features: FeatureSpec) -> Clips:
    """The utterances where ``chosen`` [shape=(n,)] bool holds, normalised with the fitted ``features``."""
    of_chosen = chosen[data.owner]
    owner = (np.cumsum(chosen) - 1)[data.owner[of_chosen]]
    return Clips(band_normalise(data.x[of_chosen], features), owner, data.labels[chosen], data.speakers[chosen],
                 data.groups[chosen])


def select_all(data: FeatureSet, features: FeatureSpec) -> Clips:
    """Every utterance, normalised with the fitted ``features``."""
    return select(data, np.full(len(data.labels), True), features)


def with_variants(clips: Clips, variants: Clips) -> Clips:
    """The utterances of ``clips``, each with the windows of its variants too, to draw from alike."""
    if not np.array_equal(clips.labels, variants.labels):
        raise ValueError("the variants are of other utterances")
    owner = np.concatenate([clips.owner, variants.owner])
    order = np.argsort(owner, kind="stable")
    return dataclasses.replace(clips, x=np.concatenate([clips.x, variants.x])[order], owner=owner[order])


def windows_of(data: FeatureSet, chosen: np.ndarray) -> np.ndarray:
    """Windows [shape=(windows, frames, mel_bands)] of the utterances where ``chosen`` [shape=(n,)] bool holds."""
    return data.x[chosen[data.owner]]


def utterance_probabilities(clips: Clips, probabilities: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """What a model makes of each utterance, [shape=(n, labels)]: the mean over its windows.

    Parameters
    ----------
    probabilities : callable
        From normalised features [shape=(windows, frames, mel_bands)] to [shape=(windows, labels)].
    """
    return mean_of(clips.owner, probabilities(clips.x))


def mean_of(owner: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean, in float64, of the rows of ``values`` [shape=(rows, k)] that have an ``owner`` [shape=(rows,)] in common.

    Returns
    -------
    np.ndarray [shape=(owners, k)]
        Of the owners 0, 1, ..., each of which has a row.
    """
    counts = np.bincount(owner)
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, owner, values)
    return sums / counts[:, None]


def roles_of(data: FeatureSet, split: Split) -> np.ndarray:
    """Role of each clip, [shape=(n,)] str. A role that the split leaves empty has none.

    Raises
    ------
    InputError
        A role that has speakers is left without a clip (all of its recordings are silent).
    """
    roles = np.array([role_of(split, str(name)) for name in data.ids])
    for role in ROLES:
        if getattr(split, role) and not (roles == role).any():
            raise InputError("TF-TRAIN-04", f"no usable recording of the {role} speakers {getattr(split, role)}",
                             expected="recordings with speech in every role", fix="choose another --fold or --folds")
    return roles


def class_weights(labels: np.ndarray, classes: int, balance: float) -> np.ndarray:
    """What a clip of each class counts in the loss, [shape=(classes,)], float32: ``(n / (C n_c))^balance``.

    ``n`` clips in all, ``n_c`` of class ``c``, ``C`` classes that occur; one that does not occur has 0.

    Parameters
    ----------
    labels : np.ndarray [shape=(n,)], int
    balance : float
        0: all clips count alike; 1: all classes do.
    """
    counts = np.bincount(labels, minlength=classes)
    occurs = counts > 0
    return np.where(occurs, (len(labels) / (occurs.sum() * np.maximum(counts, 1))) ** balance, 0).astype(np.float32)


def score_clips(clips: Clips, probabilities: np.ndarray, labels: Sequence[str]) -> dict[str, Any]:
    """Scores of the most probable label of each utterance, ``probabilities`` [shape=(n, labels)].

    See :func:`utterance_probabilities` and ``metrics.score``. Where a group has several utterances, ``groups`` holds
    the scores of the groups: see :func:`vote`.
    """
    speakers = [str(speaker) for speaker in clips.speakers]
    scores = score(clips.labels, probabilities.argmax(axis=1), labels, speakers)
    if clips.groups is None or len(set(clips.groups.tolist())) == len(clips.groups):
        return scores
    first, voted = vote(clips.groups, probabilities)
    return {**scores, "groups": score(clips.labels[first], voted.argmax(axis=1), labels,
                                      [speakers[index] for index in first])}


def vote(groups: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of the probabilities of each group's clips: every clip has one vote, as sure as it is.

    Parameters
    ----------
    groups : np.ndarray [shape=(n,)]
    probabilities : np.ndarray [shape=(n, labels)]

    Returns
    -------
    first, voted : np.ndarray [shape=(groups,)], [shape=(groups, labels)]
        The index of each group's first clip, and the mean; groups are sorted by name.
    """
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    return first, mean_of(group, probabilities)
