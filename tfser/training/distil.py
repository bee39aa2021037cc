"""Large to small: a student learns its labels, its teachers' probabilities, and how they or its hints see a clip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tfser.features.check import require_fitted
from tfser.keras import keras, tf
from tfser.models.build import build_model
from tfser.models.checkpoint import set_weights
from tfser.spec import FeatureSpec, TrainSpec
from tfser.training.lineage import Parent

#: In every backbone the mean over time, [shape=(batch, 1, 1, width)]: what its classifier begins with.
POOLED = "head/mean"


@dataclass(frozen=True, eq=False)
class Teaching:
    """Who teaches: checkpoints, and the fitted features in which the student hears its clips.

    ``hint_width`` numbers, the vector of a clip's hints, follow the labels that the student learns.
    """

    teachers: tuple[Parent, ...]
    features: FeatureSpec
    hint_width: int = 0


class Objective(Protocol):
    """What a training makes small, and the ``variables`` that it may change for it.

    ``projections`` are those of them that are not the model's.
    """

    variables: list[Any]
    projections: list[Any]

    def __call__(self, x: Any, y: Any) -> Any:
        """The loss of a batch ``x`` [shape=(n, frames, mel_bands)] with ``y`` [shape=(n, classes + hint_width)]."""


class LabelLoss:
    """The loss of the labels alone; ``label_loss`` as for :class:`Distillation`."""

    def __init__(self, model: keras.Model, label_loss: Callable[[Any, Any], Any]) -> None:
        self._model = model
        self._label_loss = label_loss
        self.projections: list[Any] = []
        self.variables = model.trainable_variables

    def __call__(self, x: Any, y: Any) -> Any:
        return self._label_loss(y, self._model(x, training=True))


class Distillation:
    """The loss of a student with teachers, with hints, or with both.

    ``(1 - a) L + a T^2 H(q, softmax(z / T)) + f (1 - cos(W v, u)) + g (1 - cos(A v + b, h))``, where ``L`` is the
    loss of the labels, ``q`` the mean of the teachers' ``softmax(z' / T)``, ``H`` the cross-entropy, ``v`` and ``u``
    the means over time of student and teacher, ``h`` the vectors of the hints, and ``a``, ``T``, ``f``, ``g`` are
    ``teacher_weight``, ``temperature``, ``feature_weight`` and ``hint_vector_weight``; without teachers ``a`` and
    ``f`` are 0, without hints ``g`` is. ``W`` is learnt where the widths differ, ``A`` and ``b`` always, and they
    are left behind after training; with several teachers the third term is their mean. Teachers hear the student's
    augmented clips, normalised with their own bands, and do not change.

    Parameters
    ----------
    student : keras.Model
    teaching : Teaching
    recipe : TrainSpec
    label_loss : callable
        ``L``: from labels [shape=(n, classes)] and logits [shape=(n, classes)] to a number.

    References
    ----------
    Hinton et al. 2015, Distilling the Knowledge in a Neural Network, arXiv 1503.02531. Features: Romero et
    al. 2015, FitNets, arXiv 1412.6550, here by their cosine.
    """

    def __init__(self, student: keras.Model, teaching: Teaching, recipe: TrainSpec,
                 label_loss: Callable[[Any, Any], Any]) -> None:
        self._recipe = recipe
        self._label_loss = label_loss
        self._student = _with_pooled(student)
        self._teachers = [_Teacher(parent, teaching.features, recipe.precision) for parent in teaching.teachers]
        widths = [teacher.width for teacher in self._teachers] if recipe.feature_weight else []
        width = int(student.get_layer(POOLED).output.shape[-1])
        self._projections = _projections(width, widths)
        self._classes = int(student.output.shape[-1])
        self._to_hint = None
        if teaching.hint_width and recipe.hint_vector_weight:
            self._to_hint = keras.layers.Dense(teaching.hint_width, dtype="float32")
            self._to_hint.build((None, width))

        #: Kernels [shape=(width, teacher's width)]; then kernel and bias for the hints, where they count.
        self.projections = [variable for layer in (*self._projections, self._to_hint) if layer
                            for variable in layer.trainable_variables]
        self.variables = [*student.trainable_variables, *self.projections]

    def __call__(self, x: Any, y: Any) -> Any:
        logits, vector = self._student(x, training=True)
        loss = self._label_loss(y[:, :self._classes], logits)
        if self._teachers:
            loss = self._taught(loss, x, logits, vector)
        if self._to_hint is None:
            return loss
        distance = 1 - cosine(self._to_hint(vector), y[:, self._classes:])
        return loss + self._recipe.hint_vector_weight * distance

    def _taught(self, label_loss: Any, x: Any, logits: Any, vector: Any) -> Any:
        """The terms of labels and teachers."""
        recipe, taught = self._recipe, [teacher(x) for teacher in self._teachers]
        targets = tf.add_n([tf.nn.softmax(theirs / recipe.temperature) for theirs, _ in taught]) / len(taught)
        soft = tf.nn.softmax_cross_entropy_with_logits(targets, logits / recipe.temperature)
        loss = (1 - recipe.teacher_weight) * label_loss \
            + recipe.teacher_weight * recipe.temperature**2 * tf.reduce_mean(soft)
        if not self._projections:
            return loss
        cosines = [cosine(project(vector), theirs)
                   for project, (_, theirs) in zip(self._projections, taught, strict=True)]
        return loss + recipe.feature_weight * (1 - tf.add_n(cosines) / len(cosines))


class _Teacher:
    """A checkpoint's model, frozen: from the student's features to logits and pooled vectors."""

    def __init__(self, parent: Parent, features: FeatureSpec, policy: str) -> None:
        model = build_model(parent.checkpoint.model, policy=policy)
        set_weights(model, parent.weights, source=parent.path)
        model.trainable = False
        self._model = _with_pooled(model)
        self._scale, self._shift = renormalisation(features, parent.checkpoint.features)
        self.width = int(model.get_layer(POOLED).output.shape[-1])

    def __call__(self, x: Any) -> tuple[Any, Any]:
        logits, vector = self._model(x * self._scale + self._shift, training=False)
        return tf.stop_gradient(logits), tf.stop_gradient(vector)


def renormalisation(student: FeatureSpec, teacher: FeatureSpec) -> tuple[np.ndarray, np.ndarray]:
    """``scale`` and ``shift`` [shape=(mel_bands,)] from the student's normalised features to the teacher's.

    ``(f - m') / s' = x s / s' + (m - m') / s'`` for ``x = (f - m) / s``.
    """
    mean, std = require_fitted(student)
    their_mean, their_std = require_fitted(teacher)
    return std / their_std, (mean - their_mean) / their_std


def cosine(ours: Any, theirs: Any) -> Any:
    """Mean cosine of the vectors of a batch, each [shape=(n, width)]."""
    unit, their_unit = (tf.math.l2_normalize(tf.cast(v, tf.float32), axis=-1) for v in (ours, theirs))
    return tf.reduce_mean(tf.reduce_sum(unit * their_unit, axis=-1))


def _with_pooled(model: keras.Model) -> keras.Model:
    """The same layers, with the pooled vector [shape=(n, width)] as a second output."""
    vector = keras.layers.Flatten(dtype="float32")(model.get_layer(POOLED).output)
    return keras.Model(model.input, [model.output, vector])


def _projections(width: int, teacher_widths: Sequence[int]) -> list[Any]:
    """One layer for each teacher from the student's ``width`` to its own; none is needed for the same width."""
    layers = [keras.layers.Dense(theirs, use_bias=False, dtype="float32") if theirs != width
              else keras.layers.Activation("linear", dtype="float32") for theirs in teacher_widths]
    for layer in layers:
        layer.build((None, width))
    return layers
