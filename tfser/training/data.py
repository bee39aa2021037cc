"""A corpus's clips by role, and the scores of some of them."""

from __future__ import annotations

from collections.abc import Sequence
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


@dataclass(frozen=True)
class Clips:
    """``x`` [shape=(n, frames, mel_bands)] float32 normalised; ``labels`` and ``speakers`` [shape=(n,)].

    ``groups`` [shape=(n,)] str names what is voted on as one, such as a participant; ``None`` for no vote.
    """

    x: np.ndarray
    labels: np.ndarray
    speakers: np.ndarray
    groups: np.ndarray | None = None


def select(data: FeatureSet, chosen: np.ndarray, features: FeatureSpec) -> Clips:
    """The clips where ``chosen`` [shape=(n,)] bool holds, normalised with the fitted ``features``."""
    return Clips(band_normalise(data.x[chosen], features), data.labels[chosen], data.speakers[chosen],
                 data.groups[chosen])


def roles_of(data: FeatureSet, split: Split) -> np.ndarray:
    """Role of each clip, [shape=(n,)] str.

    Raises
    ------
    InputError
        A role is left without a clip (all of its recordings are silent).
    """
    roles = np.array([role_of(split, str(speaker)) for speaker in data.speakers])
    for role in ROLES:
        if not (roles == role).any():
            raise InputError("TF-TRAIN-04", f"no usable recording of the {role} speakers {getattr(split, role)}",
                             expected="recordings with speech in every role", fix="choose another --fold or --folds")
    return roles


def score_clips(clips: Clips, probabilities: np.ndarray, labels: Sequence[str]) -> dict[str, Any]:
    """Scores of the most probable label of each clip, ``probabilities`` [shape=(n, labels)]; see ``metrics.score``.

    Where a group has several clips, ``groups`` holds the scores of the groups: see :func:`vote`.
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
    _, first, group, counts = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    voted = np.zeros((len(first), probabilities.shape[1]))
    np.add.at(voted, group, probabilities)
    return first, voted / counts[:, None]
