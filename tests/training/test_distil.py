"""A student with teachers: what its loss is, what it changes, what it leaves alone."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from tfser.features.normalise import band_normalise, fit_bands
from tfser.keras import keras, tf
from tfser.models.build import build_model
from tfser.models.checkpoint import Checkpoint, get_weights, named_variables, save_checkpoint
from tfser.spec import FeatureSpec, ModelSpec, TrainSpec
from tfser.training.data import Clips
from tfser.training.distil import POOLED, Distillation, LabelLoss, Teaching, cosine, renormalisation
from tfser.training.lineage import Lineage, read_lineage
from tfser.training.loop import Trainer

LABELS = ("low", "middle", "high")
STUDENT = ModelSpec("convtransformer", LABELS, norm="layer", dropout=0.0)
RECIPE = TrainSpec(epochs=2, batch_size=8, mixup_alpha=0.0, teacher_weight=0.6, temperature=3.0)
RNG = np.random.default_rng(5)
NATS = RNG.normal(-4, 2, (24, STUDENT.frames, STUDENT.mel_bands)).astype(np.float32)
FEATURES = fit_bands(NATS[:12], FeatureSpec())
CLIPS = Clips(band_normalise(NATS, FEATURES), np.arange(24), RNG.integers(3, size=24), np.full(24, "x"))
# float32, and a loss of about 10 summed in another order.
LOSS_RTOL = 1e-5


def teacher_file(folder, spec, seed):
    """An untrained checkpoint whose bands are its own."""
    keras.utils.set_random_seed(seed)
    path = folder / f"{spec.arch}-{spec.size}-{seed}.npz"
    features = fit_bands(NATS[4 * seed : 4 * seed + 8], FeatureSpec())
    save_checkpoint(path, Checkpoint(spec, features, split={"corpus": "a", "train": [], "fingerprint": ""}),
                    build_model(spec))
    return path


@pytest.fixture(scope="module")
def teachers(tmp_path_factory):
    """One of the student's width, and one of another size and width."""
    folder = tmp_path_factory.mktemp("teachers")
    return read_lineage([teacher_file(folder, STUDENT, 1),
                         teacher_file(folder, ModelSpec("convtransformer", LABELS, size="base"), 2)], None)


def softmax(z, temperature=1.0):
    e = np.exp(z / temperature - (z / temperature).max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def outputs(model, x, training):
    """Logits, and the mean over time [shape=(n, width)]."""
    both = keras.Model(model.input, [model.output, model.get_layer(POOLED).output])
    logits, pooled = both(x, training=training)
    return np.asarray(logits, np.float64), np.asarray(pooled, np.float64)[:, 0, 0]


def rebuilt(parent):
    model = build_model(parent.checkpoint.model)
    for name, variable in named_variables(model).items():
        variable.assign(parent.weights[name])
    return model


@pytest.mark.parametrize("feature_weight", [0.0, 0.5])
def test_the_loss_is_as_written(teachers, feature_weight):
    """The equation again, in NumPy, on features that each teacher normalises itself."""
    recipe = dataclasses.replace(RECIPE, feature_weight=feature_weight)
    label_loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    student = build_model(STUDENT)
    distillation = Distillation(student, Teaching(teachers.teachers, FEATURES), recipe, label_loss)
    y = np.eye(3, dtype=np.float32)[CLIPS.labels]
    loss = float(distillation(tf.constant(CLIPS.x), tf.constant(y)))

    logits, vector = outputs(student, CLIPS.x, training=True)
    taught = [outputs(rebuilt(parent), band_normalise(NATS, parent.checkpoint.features), training=False)
              for parent in teachers.teachers]
    q = np.mean([softmax(theirs, 3.0) for theirs, _ in taught], axis=0)
    expected = 0.4 * -np.mean(np.sum(y * np.log(softmax(logits)), axis=1)) \
        + 0.6 * 9.0 * -np.mean(np.sum(q * np.log(softmax(logits, 3.0)), axis=1))
    if feature_weight:
        projected = vector @ distillation.projections[0].numpy()  # of the second teacher alone: the first is as wide
        cosines = [np.sum(a * b, 1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
                   for a, b in ((vector, taught[0][1]), (projected, taught[1][1]))]
        expected += feature_weight * (1 - np.mean(cosines))
    assert loss == pytest.approx(expected, rel=LOSS_RTOL)


def test_a_projection_only_where_the_widths_differ(teachers):
    recipe = dataclasses.replace(RECIPE, feature_weight=1.0)
    student = build_model(STUDENT)
    two = Distillation(student, Teaching(teachers.teachers, FEATURES), recipe, lambda y, z: 0.0)
    assert [tuple(kernel.shape) for kernel in two.projections] == [(48, 96)]
    assert not Distillation(student, Teaching(teachers.teachers, FEATURES), RECIPE, lambda y, z: 0.0).projections


def test_training_moves_the_projection_and_no_teacher(teachers):
    trainer = Trainer(STUDENT, dataclasses.replace(RECIPE, feature_weight=1.0), CLIPS, teachers, FEATURES)
    before = trainer.objective.projections[0].numpy()
    trainer.run_epoch(0)
    assert not np.array_equal(trainer.objective.projections[0].numpy(), before)
    assert get_weights(trainer.model).keys() == get_weights(build_model(STUDENT)).keys()  # it stays behind
    for teacher, parent in zip(trainer.objective._teachers, teachers.teachers, strict=True):
        weights = {name: variable.numpy() for name, variable in named_variables(teacher._model).items()}
        assert weights.keys() == parent.weights.keys()
        assert all(np.array_equal(weights[name], parent.weights[name]) for name in weights)


def test_a_gradient_reaches_the_student_and_no_teacher(teachers):
    student = build_model(STUDENT)
    distillation = Distillation(student, Teaching(teachers.teachers, FEATURES),
                                dataclasses.replace(RECIPE, feature_weight=1.0), lambda y, z: tf.reduce_sum(z))
    models = [teacher._model for teacher in distillation._teachers]
    watched = [variable for model in models for variable in model.variables if variable.dtype.is_floating]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(watched)
        loss = distillation(tf.constant(CLIPS.x), tf.zeros((24, 3)))
    assert len(watched) > 100 and all(gradient is None for gradient in tape.gradient(loss, watched))
    assert all(gradient is not None for gradient in tape.gradient(loss, student.trainable_variables))


def test_each_weight_changes_what_is_learnt(teachers):
    student, x, y = build_model(STUDENT), tf.constant(CLIPS.x), tf.one_hot(CLIPS.labels, 3)
    label_loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    kernel = named_variables(student)["block2/ffn1/project/kernel"]

    def gradient(**changes):
        teaching = Teaching(teachers.teachers[:1], FEATURES)
        objective = Distillation(student, teaching, dataclasses.replace(RECIPE, **changes), label_loss) \
            if changes else LabelLoss(student, label_loss)
        with tf.GradientTape() as tape:
            loss = objective(x, y)
        return tape.gradient(loss, kernel).numpy()

    of_labels, light, heavy, warm, seen = (gradient(**changes) for changes in (
        {}, {"teacher_weight": 0.2}, {"teacher_weight": 0.9}, {"teacher_weight": 0.9, "temperature": 9.0},
        {"teacher_weight": 0.2, "feature_weight": 1.0}))
    for one, other in itertools.combinations((of_labels, light, heavy, warm, seen), 2):
        assert np.abs(one - other).max() > 0.01 * np.abs(of_labels).max()
    np.testing.assert_allclose(gradient(teacher_weight=0.0), of_labels, atol=1e-7)


def test_it_comes_to_agree_with_its_teacher(teachers):
    """Labels say nothing here; the loss is the teacher's alone."""
    lineage = Lineage(teachers.teachers[:1])
    trainer = Trainer(STUDENT, dataclasses.replace(RECIPE, epochs=6, teacher_weight=1.0), CLIPS, lineage, FEATURES)
    parent = lineage.teachers[0]
    theirs = softmax(outputs(rebuilt(parent), band_normalise(NATS, parent.checkpoint.features), training=False)[0])

    def distance():
        return np.abs(trainer.probabilities(CLIPS.x) - theirs).mean()

    before = distance()
    for epoch in range(6):
        trainer.run_epoch(epoch)
    assert distance() < 0.5 * before


def test_renormalised_features_are_the_teachers_own():
    theirs = fit_bands(NATS[12:], FeatureSpec())
    scale, shift = renormalisation(FEATURES, theirs)
    np.testing.assert_allclose(band_normalise(NATS, FEATURES) * scale + shift, band_normalise(NATS, theirs), atol=1e-5)
    assert not np.allclose(band_normalise(NATS, FEATURES), band_normalise(NATS, theirs), atol=1e-2)


def test_cosine():
    x = tf.constant([[3.0, 4.0], [1.0, 0.0]])
    assert float(cosine(x, 7 * x)) == pytest.approx(1)
    assert float(cosine(x, -x)) == pytest.approx(-1)
    assert float(cosine(x, tf.constant([[4.0, -3.0], [1.0, 1.0]]))) == pytest.approx(np.sqrt(0.5) / 2)
