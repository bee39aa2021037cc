"""One model under training: its optimiser, its compiled step, its epochs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfser.errors import CheckFailed
from tfser.keras import keras, tf
from tfser.models.build import build_model
from tfser.spec import FeatureSpec, ModelSpec, TrainSpec
from tfser.training.augment import augment
from tfser.training.averaging import WeightAverage
from tfser.training.data import Clips, class_weights
from tfser.training.distil import Distillation, LabelLoss, Objective, Teaching
from tfser.training.hints import targets
from tfser.training.lineage import NO_PARENTS, Lineage, begin_from
from tfser.training.precision import scale_variables, scaled, scaled_loss, unscaled
from tfser.training.schedule import learning_rate

PREDICT_BATCH = 128
# Beside seed and epoch, so that an epoch's windows are drawn apart from everything else.
_WINDOWS = 1


class Trainer:
    """A model, an AdamW optimiser, and the data that they learn from.

    Every random choice of an epoch (windows, order, augmentation, dropout) follows from the recipe's seed
    and the epoch's number alone, so that a training that was interrupted continues as if it had not been.
    ``model`` is trained; ``result`` is scored and kept: the average of its weights, or itself; in float32.

    Parameters
    ----------
    spec : ModelSpec
    recipe : TrainSpec
    clips : Clips
        Of the training speakers; their labels are indices into ``spec.labels``.
    lineage : Lineage
        Checkpoints that it begins from or learns from.
    features : FeatureSpec, optional
        The fitted ones of ``clips``, which teachers ask for.
    """

    def __init__(self, spec: ModelSpec, recipe: TrainSpec, clips: Clips, lineage: Lineage = NO_PARENTS,
                 features: FeatureSpec | None = None) -> None:
        keras.utils.set_random_seed(recipe.seed)
        self.model = build_model(spec, policy=recipe.precision)
        if lineage.start:
            begin_from(self.model, spec.labels, lineage.start)
        self.recipe = recipe
        self._clips = clips
        self._targets = targets(clips.labels, len(spec.labels), clips.hints, recipe.hint_weight)
        self._batch = min(recipe.batch_size, len(clips.labels))
        self._batches = len(clips.labels) // self._batch
        loss_of = _label_loss(recipe, class_weights(clips.labels, len(spec.labels), recipe.class_balance))
        self.objective: Objective = LabelLoss(self.model, loss_of)
        if lineage.teachers or lineage.hints:
            assert features is not None
            teaching = Teaching(lineage.teachers, features, self._targets.shape[1] - len(spec.labels))
            self.objective = Distillation(self.model, teaching, recipe, loss_of)
        self.optimizer = scaled(_adamw(self.objective.variables, recipe), recipe.precision)
        self.result, self._average = self.model, None
        if recipe.average_decay or recipe.precision != "float32":
            self.result = build_model(spec)
            self._average = WeightAverage(self.model, self.result, recipe.average_decay)
        self._step = _compiled_step(self.objective, self.optimizer, self._average)
        self.probabilities = predictor(self.result)

    @property
    def slots(self) -> list[Any]:
        """The variables beside the model's that the next epochs depend on."""
        averages = self._average.variables if self._average else []
        return [*self.optimizer.variables, *scale_variables(self.optimizer), *self.objective.projections, *averages]

    def run_epoch(self, epoch: int) -> float:
        """Train epoch ``epoch`` (from 0) on one window of each utterance, and return its mean loss.

        It leaves out a random remainder, smaller than a batch: one shape, compiled once.

        Raises
        ------
        CheckFailed
            The loss is not finite.
        """
        rng = np.random.default_rng([self.recipe.seed, epoch])
        self._seed_dropout(rng)
        windows = self._clips.draw(np.random.default_rng([self.recipe.seed, epoch, _WINDOWS]))
        order = rng.permutation(len(windows))[: self._batches * self._batch]
        x, y = augment(self._clips.x[windows[order]], self._targets[order], self.recipe, rng)
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
                             warmup_fraction=self.recipe.warmup_fraction, schedule=self.recipe.schedule)

    def _seed_dropout(self, rng: np.random.Generator) -> None:
        # tf_keras offers no public way to the generator of a Dropout layer (a variable: see tfser/keras.py), and
        # tf.random.set_seed does not reach operators that are already compiled.
        for layer in self.model.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer._random_generator._generator.reset_from_seed(int(rng.integers(2**31)))


def predictor(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """A function from normalised features [shape=(n, frames, mel_bands)] to softmax [shape=(n, labels)]."""
    infer = tf.function(model, input_signature=[tf.TensorSpec(model.input_shape)], autograph=False)

    def probabilities(x: np.ndarray) -> np.ndarray:
        starts = range(0, len(x), PREDICT_BATCH)
        logits = [infer(tf.constant(x[start : start + PREDICT_BATCH])) for start in starts]
        return tf.nn.softmax(tf.concat(logits, axis=0)).numpy()

    return probabilities


def _adamw(variables: list[Any], recipe: TrainSpec) -> Any:
    """AdamW whose decay leaves biases and norms (every variable with one axis) alone."""
    optimizer = keras.optimizers.AdamW(recipe.learning_rate, weight_decay=recipe.weight_decay)
    optimizer.exclude_from_weight_decay(var_list=[v for v in variables if len(v.shape) < 2])
    optimizer.build(variables)
    return optimizer


def _label_loss(recipe: TrainSpec, weights: np.ndarray) -> Callable[[Any, Any], Any]:
    """Mean cross-entropy of labels and logits, each [shape=(n, classes)], the classes weighted."""
    loss_of = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing)
    if not recipe.class_balance:
        return loss_of
    return lambda y, logits: loss_of(y, logits, sample_weight=tf.linalg.matvec(y, weights))


def _compiled_step(objective: Objective, optimizer: Any, average: WeightAverage | None) -> Any:
    @tf.function(autograph=False)  # no control flow to convert; looking takes a tenth of a start
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = objective(x, y)
            differentiated = scaled_loss(optimizer, loss)
        gradients = unscaled(optimizer, tape.gradient(differentiated, objective.variables))
        optimizer.apply_gradients(zip(gradients, objective.variables, strict=True))
        if average:
            average.update(optimizer.iterations)
        return loss

    return step
