"""Hints: their file, what a training makes of them, what it refuses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from stopped import Stop

from tfser.corpora.splits import make_split
from tfser.errors import InputError
from tfser.keras import keras, tf
from tfser.models.archive import write_archive
from tfser.models.build import build_model
from tfser.models.checkpoint import read_checkpoint
from tfser.spec import FeatureSpec, ModelSpec, TrainSpec
from tfser.training.distil import POOLED, Distillation, LabelLoss, Teaching
from tfser.training.hints import KIND, read_hints, save_hints, targets
from tfser.training.lineage import read_lineage
from tfser.training.run import Training, train

WIDTH = 5
# float32, and a loss of about 1 summed in another order.
LOSS_ATOL = 1e-5


@pytest.fixture(scope="module")
def split(corpus):
    return make_split(corpus, folds=4, fold=1)  # tests 08, validates 10, trains 09 and 03


@pytest.fixture(scope="module")
def hints(corpus, data, split, tmp_path_factory):
    """Hints for those who train: whatever they say, it is not the label alone."""
    path, rng = tmp_path_factory.mktemp("hints") / "fold1.npz", np.random.default_rng(3)
    ids = np.array([name for name in data.ids if split.roles[name] == "train"])
    save_hints(path, corpus.labels, ids, rng.dirichlet(np.ones(len(corpus.labels)), len(ids)),
               rng.standard_normal((len(ids), WIDTH)), source="a test", split=split)
    return path


@pytest.fixture
def training(corpus, split, hints):
    model = ModelSpec("convtransformer", corpus.labels)
    return Training(model, FeatureSpec(), TrainSpec(epochs=2, batch_size=8), split, read_lineage([], None, hints))


def test_what_was_written_is_read_again(hints, corpus, split):
    found = read_hints(hints)
    assert found.labels == corpus.labels and found.source == "a test" and found.split == split.record()
    assert found.of(found.ids[::-1]).shape == (24, len(corpus.labels) + WIDTH)
    np.testing.assert_array_equal(found.of(found.ids[5:6])[0], [*found.probabilities[5], *found.vectors[5]])
    assert found.record()["heard"] == ["03", "09"]


def test_labels_and_probabilities_are_blended_and_vectors_follow():
    hints = np.array([[0.5, 0.25, 0.25, 7, 8], [0, 0, 1, 9, 10]], np.float32)
    expected = [[0.875, 0.0625, 0.0625, 7, 8], [0, 0.75, 0.25, 9, 10]]
    np.testing.assert_array_equal(targets(np.array([0, 1]), 3, hints, 0.25), np.array(expected, np.float32))
    np.testing.assert_array_equal(targets(np.array([2, 0]), 3, None, 0.25), [[0, 0, 1], [1, 0, 0]])


def test_the_loss_has_the_distance_of_the_vectors(data):
    spec = ModelSpec("convtransformer", ("a", "b", "c"), norm="layer", dropout=0.0)
    student, recipe = build_model(spec), TrainSpec(hint_vector_weight=0.7)
    label_loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    objective = Distillation(student, Teaching((), FeatureSpec(), WIDTH), recipe, label_loss)
    x, rng = tf.constant(data.x[:6]), np.random.default_rng(0)
    y = np.concatenate([np.eye(3)[[0, 1, 2, 2, 1, 0]], rng.standard_normal((6, WIDTH))], axis=1).astype(np.float32)
    vector = keras.Model(student.input, student.get_layer(POOLED).output)(x, training=True).numpy()[:, 0, 0]
    kernel, bias = (variable.numpy() for variable in objective.projections)
    ours, theirs = vector @ kernel + bias, y[:, 3:]
    cosines = np.sum(ours * theirs, 1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    labels_alone = float(LabelLoss(student, label_loss)(x, tf.constant(y[:, :3])))
    assert float(objective(x, tf.constant(y))) == pytest.approx(labels_alone + 0.7 * (1 - cosines.mean()),
                                                                abs=LOSS_ATOL)
    unweighted = Distillation(student, Teaching((), FeatureSpec(), WIDTH),
                              dataclasses.replace(recipe, hint_vector_weight=0.0), label_loss)
    assert float(unweighted(x, tf.constant(y))) == pytest.approx(labels_alone, abs=LOSS_ATOL)
    assert unweighted.projections == []


def test_interrupted_it_ends_in_the_same_bytes_and_records_them(training, data, tmp_path):
    def stop(entry):
        raise Stop

    train(training, data, tmp_path / "whole", resume=False, on_epoch=None)
    with pytest.raises(Stop):
        train(training, data, tmp_path / "run", resume=False, on_epoch=stop)
    without = dataclasses.replace(training, lineage=read_lineage([], None))
    with pytest.raises(InputError, match=r"TF-TRAIN-03.*parents"):
        train(without, data, tmp_path / "run", resume=True, on_epoch=None)
    train(training, data, tmp_path / "run", resume=True, on_epoch=None)
    checkpoints = [tmp_path / name / "checkpoint.npz" for name in ("run", "whole")]
    assert checkpoints[0].read_bytes() == checkpoints[1].read_bytes()
    assert read_checkpoint(checkpoints[0])[0].parents == {"hints": training.lineage.hints.record()}


def test_those_who_are_scored_may_not_have_taught_them(training, corpus, hints):
    other = make_split(corpus, folds=4, fold=2)  # tests 10, who validates above; trains 08 and 03
    with pytest.raises(InputError, match=r"TF-TEACH-04: leak: hints .*09"):
        dataclasses.replace(training, split=make_split(corpus, folds=4, fold=3))
    with pytest.raises(InputError, match=r"TF-TEACH-04"):
        dataclasses.replace(training, split=other)


def test_each_recording_that_trains_needs_some(training, corpus, data, split, tmp_path):
    few = tmp_path / "few.npz"
    found = training.lineage.hints
    save_hints(few, corpus.labels, found.ids[1:], found.probabilities[1:], found.vectors[1:], source="x", split=split)
    lacking = dataclasses.replace(training, lineage=read_lineage([], None, few))
    with pytest.raises(InputError, match=rf"TF-TEACH-08.*without 1 of the 24.*{found.ids[0]}"):
        train(lacking, data, tmp_path / "run", resume=False, on_epoch=None)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("changes", "said"), [
    ({"probabilities": np.full((24, 7), 0.3)}, "no probability"),
    ({"probabilities": np.full((24, 3), 1 / 3)}, r"\(24, 3\) probabilities"),
    ({"probabilities": np.full((24, 7), np.nan)}, "no probability"),
    ({"vectors": np.full((24, 2), np.inf)}, "not finite"),
    ({"vectors": np.zeros((23, 2))}, r"\(23, 2\) vectors"),
    ({"ids": np.full(24, "03a01Wa")}, "an id twice"),
])
def test_what_does_not_fit_is_refused(hints, tmp_path, changes, said):
    found = read_hints(hints)
    arrays = {"ids": found.ids, "probabilities": found.probabilities, "vectors": found.vectors, **changes}
    write_archive(tmp_path / "x.npz", KIND, {"source": "x", "split": found.split, "labels": list(found.labels)}, arrays)
    with pytest.raises(InputError, match=rf"TF-TEACH-09.*{said}"):
        read_hints(tmp_path / "x.npz")


def test_a_missing_part_and_another_kind_are_refused(hints, training, tmp_path):
    found = read_hints(hints)
    write_archive(tmp_path / "x.npz", KIND, {"source": "x", "split": {}, "labels": list(found.labels)},
                  {"ids": found.ids, "probabilities": found.probabilities, "vectors": found.vectors})
    with pytest.raises(InputError, match=r"TF-TEACH-09.*corpus"):
        read_hints(tmp_path / "x.npz")
    with pytest.raises(InputError, match=r"TF-CKPT-03"):
        read_lineage([hints], None)
