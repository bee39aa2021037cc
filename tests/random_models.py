"""Backbones with random weights, for tests that need no trained model."""

from __future__ import annotations

import dataclasses

import numpy as np

from tfser.spec import ModelSpec

LABELS = ("anger", "boredom", "fear", "neutral")


def spec_of(arch, **choices):
    """A backbone's specification: its own defaults, or ``choices`` in their place."""
    from tfser.models.build import defaults_of

    backbone = defaults_of(arch)
    spec = ModelSpec(arch, LABELS, frames=backbone.FEATURES.frames, mel_bands=backbone.FEATURES.mel_bands,
                     activation=backbone.ACTIVATION, dropout=backbone.DROPOUT)
    return dataclasses.replace(spec, **choices)


def randomise(model, seed=0):
    """Give a model weights as of a trained one: no bias, scale or statistic is where it started.

    Kernels have unit gain and the statistics of each BatchNorm are those of its inputs, so that
    activations neither vanish nor explode on the way to the logits.
    """
    from tfser.keras import keras

    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        shape = variable.shape
        if "kernel" in variable.name:
            # The last axis of a depthwise kernel (1, taps, channels, 1) is no output.
            fan_in = shape[1] if shape[-1] == 1 else np.prod(shape[:-1])
            variable.assign(rng.standard_normal(shape) / np.sqrt(fan_in))
        elif "gamma" in variable.name:
            variable.assign(rng.uniform(0.5, 1.5, shape))
        elif "moving" not in variable.name:
            variable.assign(0.3 * rng.standard_normal(shape))
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    model(clips(model, 16), training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return model


def clips(model, count, seed=1):
    """Features of unit scale, ``(count, *the model's input)``."""
    return np.random.default_rng(seed).standard_normal((count, *model.input_shape[1:])).astype(np.float32)


def every_layer(norm, activation):
    """One small model with every kind of layer that the backbones have: 16 frames of 8 bands to logits."""
    from tfser.keras import keras
    from tfser.models import blocks, conformer, speechformer
    from tfser.models.layers import FullyConnected, SinusoidalPositions

    b = blocks.Builder(spec_of("conformer", norm=norm, activation=activation, dropout=0.0), 8, 2, 12)
    inputs = keras.Input((16, 8), name="features")
    x = SinusoidalPositions(name="positions")(blocks.subsample(b, inputs, (4,)))
    x = speechformer.merge(b, conformer.block(b, x, "block", kernel=3), "merge", tokens=2)
    x = FullyConnected(8, activation="relu", name="head/dense1")(x)
    return keras.Model(inputs, blocks.classify(b, x), name="every_layer")
