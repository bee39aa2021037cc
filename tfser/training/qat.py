"""Quantisation-aware tuning: after the merge, the weights learn to do in int8 what they did in float.

The float model is the teacher. Its logits, not the labels, are what is learned, since the aim is that
quantisation changes no decision; the clips are those that it was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfser.errors import CheckFailed, InputError
from tfser.keras import keras, tf
from tfser.spec import TuneSpec
from tfser.training.augment import augment

# Errors of the logits beyond this count linearly: rare large ones are of clips that are certain.
HUBER_DELTA = 0.5
CLIP_NORM = 1.0


def tune(
    teacher: keras.Model, student: keras.Model, ranges: Sequence[Any], x: np.ndarray, spec: TuneSpec
) -> list[float]:
    """Train ``student``, a model that feels its quantisation, to give ``teacher``'s logits.

    Parameters
    ----------
    teacher, student : keras.Model
        From features [shape=(batch, frames, mel_bands)] to logits; the teacher is not changed.
    ranges : sequence of tf.Variable
        Those of the student's trainable variables that have the rate of ranges.
    x : np.ndarray [shape=(n, frames, mel_bands)], float32
        Normalised features of the training speakers.

    Returns
    -------
    list of float
        The loss of each step.

    Raises
    ------
    InputError
        There are no clips.
    CheckFailed
        The loss is not finite.
    """
    if len(x) == 0:
        raise InputError("TF-QAT-03", "no clips to tune with", expected="features of the training speakers")
    step = _compiled_step(teacher, student, ranges, spec)
    rng = np.random.default_rng(spec.seed)
    augmentation = spec.augmentation()
    batch, unlabelled = min(spec.batch_size, len(x)), np.zeros((len(x), 1), np.float32)
    losses: list[float] = []
    while len(losses) < spec.steps:
        varied, _ = augment(x[rng.permutation(len(x))], unlabelled, augmentation, rng)
        starts = range(0, len(x) - batch + 1, batch)[: spec.steps - len(losses)]
        losses += [float(step(tf.constant(varied[start : start + batch], tf.float32))) for start in starts]
        if not np.isfinite(losses[-1]):
            raise CheckFailed("TF-QAT-04", f"loss {losses[-1]} after {len(losses)} steps: the tuning diverged",
                              expected="a finite loss", fix="train another seed, or deploy without --qat")
    return losses


def _compiled_step(teacher: keras.Model, student: keras.Model, ranges: Sequence[Any], spec: TuneSpec) -> Any:
    known = {variable.ref() for variable in ranges}
    weights = [variable for variable in student.trainable_variables if variable.ref() not in known]
    groups = [(list(ranges), _adam(spec.range_learning_rate, spec)), (weights, _adam(spec.learning_rate, spec))]
    loss_of = keras.losses.Huber(HUBER_DELTA)

    @tf.function(autograph=False)  # no control flow to convert; looking takes a tenth of a start
    def step(x: Any) -> Any:
        wanted = teacher(x, training=False)
        with tf.GradientTape() as tape:
            loss = loss_of(wanted, student(x, training=True))
        gradients = tape.gradient(loss, [variable for variables, _ in groups for variable in variables],
                                  unconnected_gradients=tf.UnconnectedGradients.ZERO)
        gradients, _ = tf.clip_by_global_norm(gradients, CLIP_NORM)
        for variables, optimizer in groups:
            optimizer.apply_gradients(zip(gradients[: len(variables)], variables, strict=True))
            gradients = gradients[len(variables) :]
        return loss

    return step


def _adam(rate: float, spec: TuneSpec) -> Any:
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, spec.steps))
