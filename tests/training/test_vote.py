"""One vote a participant: the mean over what was said."""

from __future__ import annotations

import numpy as np

from tfser.training.data import Clips, score_clips, vote

GROUPS = np.array(["b", "a", "b", "b", "c"])
PROBABILITIES = np.array([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6], [0.4, 0.6], [0.2, 0.8]])


def clips(groups: np.ndarray | None) -> Clips:
    return Clips(np.zeros((5, 1, 1)), np.arange(5), np.array([0, 1, 0, 0, 1]), GROUPS, groups)


def test_the_mean_of_a_group() -> None:
    first, voted = vote(GROUPS, PROBABILITIES)
    assert first.tolist() == [1, 0, 4]
    np.testing.assert_allclose(voted, [[0.4, 0.6], [1.7 / 3, 1.3 / 3], [0.2, 0.8]])


def test_participants_are_scored_beside_clips() -> None:
    scores = score_clips(clips(GROUPS), PROBABILITIES, ("no", "yes"))
    assert (scores["utterances"], scores["wa"]) == (5, 3 / 5)
    assert (scores["groups"]["utterances"], scores["groups"]["wa"]) == (3, 1.0)


def test_no_vote_where_clips_stand_for_themselves() -> None:
    for groups in (None, np.array(list("vwxyz"))):
        assert "groups" not in score_clips(clips(groups), PROBABILITIES, ("no", "yes"))
