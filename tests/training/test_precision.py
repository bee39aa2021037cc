"""Training in less than float32: what stays float32, what is resumed, what the result is worth in float32."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from stopped import Stop
from tiny_corpus import make_corpus

from tfser.corpora import load_corpus
from tfser.corpora.splits import make_split
from tfser.errors import InputError
from tfser.features.dataset import corpus_features
from tfser.keras import keras, precision, tf
from tfser.models.build import build_model
from tfser.models.checkpoint import get_weights, load_checkpoint
from tfser.spec import PRECISIONS, FeatureSpec, HrfSpec, ModelSpec, TrainSpec
from tfser.training.data import Clips
from tfser.training.loop import Trainer, predictor
from tfser.training.precision import resolve, scale_variables
from tfser.training.run import Training, train

MIXED = PRECISIONS[1:]
#: Of probabilities: activations of some thirty layers in 11 and in 8 bits of mantissa; measured 0.0007 and 0.007.
PROBABILITY_ATOL = {"mixed_float16": 0.005, "mixed_bfloat16": 0.05}
MODEL = ModelSpec("conformer", ("low", "high"), hrf=HrfSpec(2, 2, ("ffn1",)))


def clips() -> Clips:
    """Noise in which the label decides which half of the bands is louder."""
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=32)
    x = rng.standard_normal((32, MODEL.frames, MODEL.mel_bands), np.float32)
    for clip, label in zip(x, labels, strict=True):
        clip[:, 20 * label : 20 * (label + 1)] += 2
    return Clips(x, np.arange(32), labels, np.full(32, "x"))


@pytest.mark.parametrize("policy", MIXED)
def test_it_learns_and_its_float32_twin_agrees(policy):
    trainer = Trainer(MODEL, TrainSpec(epochs=3, batch_size=16, precision=policy), clips())
    assert {layer.compute_dtype for layer in trainer.model.layers} >= {policy.removeprefix("mixed_"), "float32"}
    assert {layer.compute_dtype for layer in trainer.result.layers} == {"float32"}
    losses = [trainer.run_epoch(epoch) for epoch in range(3)]
    assert losses[-1] < losses[0]
    weights, own = get_weights(trainer.result), get_weights(trainer.model)
    assert all(value.dtype == np.float32 for value in weights.values())
    for name, value in weights.items():  # a copy, but for the last bit of a difference
        np.testing.assert_allclose(value, own[name], rtol=1e-6, atol=1e-9)
    x = clips().x
    np.testing.assert_allclose(trainer.probabilities(x), predictor(trainer.model)(x), atol=PROBABILITY_ATOL[policy])
    assert not np.array_equal(trainer.probabilities(x), predictor(trainer.model)(x))


@pytest.mark.parametrize(("arch", "norm"), [("conformer", "layer"), ("speechformer", "batch")])
def test_what_needs_its_range_is_float32(arch, norm):
    labels = ("low", "high")
    frames = 200 if arch == "speechformer" else 100
    model = build_model(ModelSpec(arch, labels, frames=frames, norm=norm), policy="mixed_float16")
    assert model.output.dtype == tf.float32
    kinds = {layer.name: layer.compute_dtype for layer in model.layers}
    assert {kinds[name] for name in kinds if name.endswith("/softmax") or name.startswith("head/logits")} == {"float32"}
    if norm == "layer":
        assert {kinds[name] for name in kinds if name.endswith(("/square", "/variance", "/rsqrt"))} == {"float32"}
    assert {kinds[name] for name in kinds if name.endswith(("/query", "/expand"))} == {"float16"}
    assert {variable.dtype for variable in model.variables} == {tf.float32}


def test_the_policy_ends_with_its_block():
    with pytest.raises(KeyError), precision("mixed_float16"):
        raise KeyError
    assert keras.mixed_precision.global_policy().name == "float32"
    build_model(MODEL, policy="mixed_bfloat16")
    assert {layer.compute_dtype for layer in build_model(MODEL).layers} == {"float32"}


def test_a_gradient_that_overflows_is_left_out_and_halves_the_scale():
    data = clips()
    trainer = Trainer(MODEL, TrainSpec(batch_size=16, epochs=1, precision="mixed_float16"), data)
    scale, _ = scale_variables(trainer.optimizer)
    before = float(scale)
    scale.assign(2.0**120)  # no gradient is finite in float16 then
    weights = get_weights(trainer.model)["head/logits/kernel"]
    trainer.run_epoch(0)
    np.testing.assert_array_equal(get_weights(trainer.model)["head/logits/kernel"], weights)
    assert float(scale) == 2.0**118 and before == 2.0**15  # two steps


def test_auto_is_float32_without_a_gpu():
    gpu = bool(tf.config.list_physical_devices("GPU"))
    assert resolve("auto") == ("mixed_float16" if gpu else "float32")
    assert [resolve(name) for name in PRECISIONS] == list(PRECISIONS)


def test_interrupted_resumed_scored_and_read_again(tmp_path):
    """The loss scale is part of the state; precision is part of what the training is."""
    corpus = load_corpus("emodb", make_corpus(tmp_path / "corpus"))
    data, split = corpus_features(corpus, FeatureSpec()), make_split(corpus, folds=4)
    recipe = TrainSpec(epochs=2, batch_size=8, precision="mixed_float16")
    training = Training(ModelSpec("convtransformer", corpus.labels), FeatureSpec(), recipe, split)

    def stop(entry):
        raise Stop

    whole, part = tmp_path / "whole", tmp_path / "part"
    train(training, data, whole, resume=False, on_epoch=lambda entry: None)
    with pytest.raises(Stop):
        train(training, data, part, resume=False, on_epoch=stop)
    other = dataclasses.replace(training, recipe=dataclasses.replace(recipe, precision="float32"))
    with pytest.raises(InputError, match=r"TF-TRAIN-03.*train.precision is 'mixed_float16' there and 'float32' here"):
        train(other, data, part, resume=True, on_epoch=lambda entry: None)
    train(training, data, part, resume=True, on_epoch=lambda entry: None)
    assert {path.name: path.read_bytes() for path in whole.iterdir()} \
        == {path.name: path.read_bytes() for path in part.iterdir()}
    checkpoint, model = load_checkpoint(part / "checkpoint.npz")
    assert checkpoint.train == recipe and {layer.compute_dtype for layer in model.layers} == {"float32"}
