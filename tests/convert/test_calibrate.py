"""The choice of calibration clips."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfser.convert.calibrate import stratified
from tfser.errors import InputError


@given(labels=st.lists(st.integers(0, 6), min_size=1, max_size=60), count=st.integers(1, 80), seed=st.integers(0, 9))
def test_as_equal_as_can_be(labels, count, seed):
    """No label could get one more clip from a label that has two more than it."""
    labels = np.array(labels)
    chosen = stratified(labels, count, seed=seed)
    assert len(chosen) == min(count, len(labels))
    assert np.all(np.diff(chosen) > 0) and chosen[0] >= 0 and chosen[-1] < len(labels)
    available = np.bincount(labels, minlength=7)
    taken = np.bincount(labels[chosen], minlength=7)
    exhausted = taken == available
    assert np.all(exhausted | (taken >= taken.max() - 1))


def test_equal_shares_of_unequal_labels():
    labels = np.repeat([0, 1, 2], [50, 8, 30])
    assert np.bincount(labels[stratified(labels, 24)]).tolist() == [8, 8, 8]


def test_a_label_with_one_clip_gives_it():
    labels = np.array([0] * 20 + [1] + [2] * 20)
    chosen = stratified(labels, 11)
    assert 20 in chosen
    assert np.bincount(labels[chosen]).tolist() == [5, 1, 5]


def test_more_than_there_are_is_all_of_them():
    np.testing.assert_array_equal(stratified(np.array([3, 1, 3]), 100), [0, 1, 2])


def test_the_choice_is_that_of_the_seed():
    labels = np.arange(200) % 4
    np.testing.assert_array_equal(stratified(labels, 20), stratified(labels, 20))
    assert not np.array_equal(stratified(labels, 20), stratified(labels, 20, seed=1))
    assert stratified(labels, 20)[-1] > 100  # from all of the set, not from its beginning


@pytest.mark.parametrize(("labels", "count"), [([], 5), ([0, 1], 0), ([0, 1], -3)])
def test_nothing_to_choose(labels, count):
    with pytest.raises(InputError, match=rf"TF-CAL-01: {count} calibration clips of {len(labels)}"):
        stratified(np.array(labels, int), count)
