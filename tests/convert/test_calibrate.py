"""Calibration: the choice of clips, and the range that each tensor gets from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfser.convert.calibrate import low_on_grid, stratified, tensor_ranges, with_ranges
from tfser.convert.canonical import parse
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


def test_speakers_of_a_label_take_turns():
    labels = np.repeat([0, 1], 40)
    speakers = np.tile(np.repeat(["03", "08", "10", "16"], [25, 10, 4, 1]), 2)
    chosen = stratified(labels, 32, speakers)
    for label in (0, 1):
        own = chosen[labels[chosen] == label]
        names, counts = np.unique(speakers[own], return_counts=True)
        assert dict(zip(names.tolist(), counts.tolist(), strict=True))["16"] == 1
        assert len(own) == 16 and sorted(counts) in ([1, 4, 5, 6], [1, 4, 5, 6])
    assert np.all(np.diff(chosen) > 0)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc")), min_size=1, max_size=50), st.integers(1, 60))
def test_speakers_change_nothing_about_the_labels(pairs, count):
    labels, speakers = (np.array(column) for column in zip(*pairs, strict=True))
    chosen = stratified(labels, count, speakers)
    assert len(set(chosen.tolist())) == len(chosen) == min(count, len(labels))
    alone = stratified(labels, count)
    np.testing.assert_array_equal(np.bincount(labels[chosen], minlength=4), np.bincount(labels[alone], minlength=4))


@pytest.mark.parametrize(("labels", "count"), [([], 5), ([0, 1], 0), ([0, 1], -3)])
def test_nothing_to_choose(labels, count):
    with pytest.raises(InputError, match=rf"TF-CAL-01: {count} calibration clips of {len(labels)}"):
        stratified(np.array(labels, int), count)


# --- ranges ----------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def residual():
    """``x + dense(x)`` and what follows, as a float file; with the Keras model of its tensors, by name."""
    from tfser.convert.tflite import to_float
    from tfser.keras import keras

    keras.utils.set_random_seed(0)
    x = keras.Input((6, 8), name="features")
    image = keras.layers.Reshape((1, 6, 8), name="image")(x)
    branch = keras.layers.Dense(8, name="branch")(keras.layers.Dense(8, name="hidden")(image))
    total = keras.layers.Add(name="sum")([branch, image])
    scores = keras.layers.Dense(1, name="scores")(total)
    logits = keras.layers.Reshape((6,), name="logits")(scores)
    model = keras.Model(x, logits, name="residual")
    return model, to_float(model)


def named(content, ranges):
    tensors = parse(content).subgraphs[0].tensors
    return {tensors[index].name.decode(): ends for index, ends in ranges.items()}


def values(model, name, x):
    from tfser.keras import keras

    return keras.Model(model.input, model.get_layer(name).output).predict(x, verbose=0)


CLIPS = np.random.default_rng(3).normal(0, 2, (40, 6, 8)).astype(np.float32)


@pytest.mark.parametrize("name", ["hidden", "branch", "sum", "scores", "logits"])
def test_the_range_is_that_of_the_tensor_itself(residual, name):
    """Also of a branch into whose memory the sum is written."""
    model, content = residual
    expected = values(model, name, CLIPS)
    low, high = named(content, tensor_ranges(content, CLIPS))[name]
    assert (low, high) == (pytest.approx(expected.min(), rel=1e-5), pytest.approx(expected.max(), rel=1e-5))


def test_a_percentile_leaves_the_rarest_values_out(residual):
    model, content = residual
    ranges = named(content, tensor_ranges(content, CLIPS, 99.0))
    for name in ("hidden", "branch", "sum"):
        expected = values(model, name, CLIPS)
        assert ranges[name] == (pytest.approx(np.percentile(expected, 1), rel=1e-4),
                                pytest.approx(np.percentile(expected, 99), rel=1e-4))
    assert ranges["features"] == pytest.approx(low_on_grid(*np.percentile(CLIPS, [1, 99])))
    whole = named(content, tensor_ranges(content, CLIPS))
    assert ranges["logits"] == ranges["scores"] == whole["logits"]  # moved only: the two have one scale


def test_ranges_are_written_beside_the_tensors(residual):
    _, content = residual
    ranges = tensor_ranges(content, CLIPS[:2])
    tensors = parse(with_ranges(content, ranges)).subgraphs[0].tensors
    written = {index: (tensor.quantization.min[0], tensor.quantization.max[0]) for index, tensor in enumerate(tensors)
               if tensor.quantization is not None and tensor.quantization.min is not None}
    assert written == {index: pytest.approx(ends) for index, ends in ranges.items()}
