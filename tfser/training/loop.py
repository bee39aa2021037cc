"""One model under training: its optimiser, its compiled step, its epochs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfser.errors import CheckFailed
from tfser.keras import keras, tf
from tfser.models.build import build_model
from tfser.spec import ModelSpec, TrainSpec
from tfser.training.augment import augment
from tfser.training.data import Clips
from tfser.training.schedule import learning_rate

PREDICT_BATCH = 128


class Trainer:
    """A model, an AdamW optimiser, and the data that they learn from.

    Every random choice of an epoch (order, augmentation, dropout) follows from the recipe's seed and
    the epoch's number alone, so that a training that was interrupted continues as if it had not been.

    Parameters
    ----------
    spec : ModelSpec
    recipe : TrainSpec
    clips : Clips
        Of the training speakers; their labels are indices into ``spec.labels``.
    """

    def __init__(self, spec: ModelSpec, recipe: TrainSpec, clips: Clips) -> None:
        keras.utils.set_random_seed(recipe.seed)
        # Dropout then keeps its state in a variable that an epoch can set (see _seed_dropout).
        keras.backend.experimental.enable_tf_random_generator()
        self.model = build_model(spec)
        self.recipe = recipe
        self._clips = clips
        self._one_hot = np.eye(len(spec.labels), dtype=np.float32)[clips.labels]
        self._batch = min(recipe.batch_size, len(clips.x))
        self._batches = len(clips.x) // self._batch
        self.optimizer = _adamw(self.model, recipe)
        self._step = _compiled_step(self.model, self.optimizer, recipe.label_smoothing)
        self.probabilities = predictor(self.model)

    def run_epoch(self, epoch: int) -> float:
        """Train epoch ``epoch`` (from 0) and return its mean loss.

        It leaves out a random remainder, smaller than a batch: one shape, compiled once.

        Raises
        ------
        CheckFailed
            The loss is not finite.
        """
        rng = np.random.default_rng([self.recipe.seed, epoch])
        self._seed_dropout(rng)
        order = rng.permutation(len(self._clips.x))[: self._batches * self._batch]
        x, y = augment(self._clips.x[order], self._one_hot[order], self.recipe, rng)
        losses = []
        for index in range(self._batches):
            part = slice(index * self._batch, (index + 1) * self._batch)
            self.optimizer.learning_rate.assign(self._rate(epoch * self._batches + index))
            losses.append(self._step(tf.constant(x[part]), tf.constant(y[part])))
        loss = float(np.mean([float(value) for value in losses]))
        if not np.isfinite(loss):
            raise CheckFailed("TF-TRAIN-01", f"loss {loss} in epoch {epoch + 1}: the training diverged",
                              expected="a finite loss", fix="try another --seed, --norm or --activation")
        return loss

    def _rate(self, step: int) -> float:
        return learning_rate(step, self.recipe.epochs * self._batches, peak=self.recipe.learning_rate,
                             warmup_fraction=self.recipe.warmup_fraction)

    def _seed_dropout(self, rng: np.random.Generator) -> None:
        # tf_keras offers no public way to the generator of a Dropout layer, and tf.random.set_seed
        # does not reach operators that are already compiled.
        for layer in self.model.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer._random_generator._generator.reset_from_seed(int(rng.integers(2**31)))


def predictor(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """A function from normalised features [shape=(n, frames, mel_bands)] to softmax [shape=(n, labels)]."""
    infer = tf.function(model, input_signature=[tf.TensorSpec(model.input_shape)])

    def probabilities(x: np.ndarray) -> np.ndarray:
        starts = range(0, len(x), PREDICT_BATCH)
        logits = [infer(tf.constant(x[start : start + PREDICT_BATCH])) for start in starts]
        return tf.nn.softmax(tf.concat(logits, axis=0)).numpy()

    return probabilities


def _adamw(model: keras.Model, recipe: TrainSpec) -> Any:
    """AdamW whose decay leaves biases and norms (every variable with one axis) alone."""
    optimizer = keras.optimizers.AdamW(recipe.learning_rate, weight_decay=recipe.weight_decay)
    optimizer.exclude_from_weight_decay(var_list=[v for v in model.trainable_variables if len(v.shape) < 2])
    optimizer.build(model.trainable_variables)
    return optimizer


def _compiled_step(model: keras.Model, optimizer: Any, label_smoothing: float) -> Any:
    loss_of = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing)

    @tf.function
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return step
