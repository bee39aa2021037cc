"""The average of a model's weights over the steps of its training."""

from __future__ import annotations

from typing import Any

from tfser.keras import keras, tf


class WeightAverage:
    """Exponential moving average of every weight, the running statistics of norms among them.

    After step ``k`` (from 1), ``average += (1 - d) (weight - average)`` with ``d = min(decay, (1 + k) / (10 + k))``:
    the first steps, far from the result, are soon forgotten.

    Parameters
    ----------
    model : keras.Model
        Under training.
    averaged : keras.Model
        Of the same layers; it gets the model's weights now, and their average after each step.
    decay : float
        In [0, 1); the average is over about ``1 / (1 - decay)`` steps: 0 copies a model that computes in less than
        float32 into one that does not.

    References
    ----------
    Polyak and Juditsky 1992, doi:10.1137/0330046; the warm-up is that of ``tf.train.ExponentialMovingAverage``.
    """

    def __init__(self, model: keras.Model, averaged: keras.Model, decay: float) -> None:
        self._decay = decay
        self._pairs = list(zip(averaged.weights, model.weights, strict=True))
        for average, weight in self._pairs:
            average.assign(weight)

    @property
    def variables(self) -> list[Any]:
        """The averages, in the order of the model's weights."""
        return [average for average, _ in self._pairs]

    def update(self, step: Any) -> None:
        """Take in the weights after ``step`` (int tensor, from 1) of them; to be called in a ``tf.function``."""
        done = tf.cast(step, tf.float32)
        share = 1 - tf.minimum(self._decay, (1 + done) / (10 + done))
        for average, weight in self._pairs:
            average.assign_add(share * (tf.convert_to_tensor(weight) - tf.convert_to_tensor(average)))
