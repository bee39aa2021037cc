"""Quantisation-aware tuning: the form comes closer to the model, by its seed, and the model stays."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from random_models import clips, randomise, spec_of

from tfser.convert.operator_form import operator_form
from tfser.convert.quantised_file import KIND, Tuned, load_tuned, require_tuning, save_tuned
from tfser.convert.quantised_form import extremes, quantised_form, range_variables, ranges_of, weights_of
from tfser.errors import CheckFailed, InputError
from tfser.keras import keras
from tfser.models import blocks
from tfser.models.archive import read_archive, write_archive
from tfser.spec import TuneSpec
from tfser.training.qat import tune


@pytest.fixture(scope="module")
def teacher():
    """Subsampling and a feed-forward module, which learn to round in seconds."""
    b = blocks.Builder(spec_of("convtransformer", dropout=0.0), 8, 2, 12)
    features = keras.Input((16, 8), name="features")
    x = blocks.subsample(b, features, (4,))
    x = blocks.residual(b, x, blocks.feed_forward(b, b.norm(x, "ffn1/norm"), "ffn1", "ffn1"), "ffn1")
    return randomise(keras.Model(features, blocks.classify(b, x), name="small"))


@pytest.fixture(scope="module")
def tiny():
    """One layer with weights."""
    features = keras.Input((6, 4), name="features")
    logits = keras.layers.Dense(3, name="logits")(keras.layers.Reshape((1, 1, 24), name="row")(features))
    return randomise(keras.Model(features, keras.layers.Reshape((3,), name="output")(logits), name="tiny"))


def student_of(teacher, x):
    form = operator_form(teacher)
    return quantised_form(form, extremes(form, x))


def error(teacher, student, x):
    return float(np.mean((student(x, training=False).numpy() - teacher(x).numpy()) ** 2))


def test_tuning_brings_the_form_closer_to_the_model_and_leaves_the_model(teacher):
    x, unheard = clips(teacher, 64), clips(teacher, 64, seed=2)
    before = [weight.copy() for weight in teacher.get_weights()]
    student = student_of(teacher, x)
    untuned = error(teacher, student, unheard)
    losses = tune(teacher, student, range_variables(student), x, TuneSpec(steps=150, learning_rate=1e-3))
    assert len(losses) == 150 and np.mean(losses[-20:]) < np.mean(losses[:20])
    assert error(teacher, student, unheard) < 0.9 * untuned
    for old, new in zip(before, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_weights_and_ranges_both_learn_and_follow_from_the_seed(tiny):
    x = clips(tiny, 8)

    def tuned(seed):
        student = student_of(tiny, x)
        begun = {**weights_of(student), **ranges_of(student)}
        tune(tiny, student, range_variables(student), x, TuneSpec(steps=3, batch_size=4, seed=seed))
        return begun, {**weights_of(student), **ranges_of(student)}

    (begun, first), (_, again), (_, other) = tuned(0), tuned(0), tuned(1)
    for name, value in first.items():
        np.testing.assert_array_equal(again[name], value)
    assert any(not np.array_equal(other[name], value) for name, value in first.items())
    np.testing.assert_array_equal(first["features/input"], begun["features/input"])  # stays as it was measured
    for name in ("logits", "logits/kernel", "logits/bias"):
        assert not np.array_equal(first[name], begun[name])


def test_no_clips(tiny):
    x = clips(tiny, 4)
    student = student_of(tiny, x)
    with pytest.raises(InputError, match="TF-QAT-03"):
        tune(tiny, student, range_variables(student), x[:0], TuneSpec())


def test_a_diverging_tuning_is_reported(tiny):
    x = clips(tiny, 4)
    student = student_of(tiny, x)
    with pytest.raises(CheckFailed, match="TF-QAT-04: loss nan"):
        tune(tiny, student, range_variables(student), np.full_like(x, np.nan), TuneSpec(steps=2))


# --- quantised.npz -----------------------------------------------------------------------------------------------
@pytest.fixture
def saved(tmp_path):
    """``quantised.npz`` beside a file that stands for its checkpoint."""
    checkpoint = tmp_path / "checkpoint.npz"
    checkpoint.write_bytes(b"weights")
    tuned = Tuned({"conv/kernel": np.ones((2, 3), np.float32)}, {"conv": np.array([-1.0, 2.0], np.float32)},
                  TuneSpec(steps=7))
    save_tuned(tmp_path / "quantised.npz", tuned, checkpoint)
    return tmp_path / "quantised.npz", checkpoint


def test_what_was_saved_is_read_back_and_the_same_is_the_same_bytes(saved):
    path, checkpoint = saved
    tuned = load_tuned(path, checkpoint)
    np.testing.assert_array_equal(tuned.weights["conv/kernel"], np.ones((2, 3)))
    np.testing.assert_array_equal(tuned.ranges["conv"], [-1.0, 2.0])
    assert tuned.tuning == TuneSpec(steps=7)
    before = path.read_bytes()
    save_tuned(path, tuned, checkpoint)
    assert path.read_bytes() == before


def test_a_file_of_another_checkpoint(saved):
    path, checkpoint = saved
    checkpoint.write_bytes(b"other weights")
    with pytest.raises(InputError, match=r"TF-QAT-05.*quantised\.npz"):
        load_tuned(path, checkpoint)


def test_a_damaged_file(saved):
    path, checkpoint = saved
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"TF-CKPT-02.*quantised\.npz"):
        load_tuned(path, checkpoint)


def test_a_file_of_another_schema_version(saved):
    path, checkpoint = saved
    document, arrays = read_archive(path, KIND)
    write_archive(path, KIND, {**document, "schema_version": 99}, arrays)
    with pytest.raises(InputError, match=r"TF-CKPT-04.*version 99"):
        load_tuned(path, checkpoint)


@pytest.mark.parametrize("tuning", [None, {"steps": 7, "speed": 3}])
def test_a_file_that_does_not_say_how_it_was_tuned(saved, tuning):
    path, checkpoint = saved
    document, arrays = read_archive(path, KIND)
    write_archive(path, KIND, {**document, "tuning": tuning}, arrays)
    with pytest.raises(InputError, match=r"TF-QAT-06|TF-SPEC-01"):
        load_tuned(path, checkpoint)


def test_a_file_that_was_tuned_otherwise(saved):
    path, checkpoint = saved
    require_tuning(path, checkpoint, TuneSpec(steps=7))
    with pytest.raises(InputError, match=r"TF-QAT-08.*another steps, seed"):
        require_tuning(path, checkpoint, dataclasses.replace(TuneSpec(steps=8), seed=3))
