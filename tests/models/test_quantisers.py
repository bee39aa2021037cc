"""Learned ranges: what they compute, and that they learn what lowers the error."""

from __future__ import annotations

import numpy as np
import pytest

from tfser.keras import keras, tf
from tfser.models.kernel_grid import on_grid
from tfser.models.quantisers import ChannelRange, Span, TensorRange

X = np.random.default_rng(0).standard_normal((512, 4)).astype(np.float32)


def of(quantiser, ends, tensor=X):
    """A function from a tensor to its rounding, and the quantiser, which has begun with a range."""
    variables = quantiser.build(tensor.shape, "x", keras.layers.Layer())
    quantiser.set(np.asarray(ends, np.float32))
    return lambda x, training=True: quantiser(tf.convert_to_tensor(x), training, variables)


@pytest.mark.parametrize("training", [True, False])
def test_a_tensor_range_rounds_to_255_steps_with_0_among_them(training):
    y = of(TensorRange(), [-1.0, 2.0])(X, training).numpy()
    step = 3 / 255
    np.testing.assert_allclose(y, step * np.clip(np.rint(X / step), -85, 170), atol=1e-6)
    assert np.unique(y).size > 200 and (X < -1).any() and (X > 2).any()


@pytest.mark.parametrize(("axis", "shape"), [(-1, (3, 3, 5, 4)), (2, (1, 9, 4, 1))])
def test_a_channel_range_rounds_each_channel_to_127_steps_on_either_side(axis, shape):
    kernel = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    channels = np.moveaxis(kernel, axis, -1).reshape(-1, 4)
    largest = np.abs(channels).max(axis=0) * [1.0, 0.5, 0.9, 1.0]
    y = np.moveaxis(of(ChannelRange(axis), largest, kernel)(kernel).numpy(), axis, -1).reshape(-1, 4)
    step = largest / 127
    np.testing.assert_allclose(y, step * np.clip(np.rint(channels / step), -127, 127), atol=1e-6)
    rounded = np.moveaxis(on_grid(kernel, largest.astype(np.float32), axis), axis, -1).reshape(-1, 4)
    np.testing.assert_allclose(rounded, y, rtol=1e-6)


def test_a_channel_range_is_no_wider_than_the_channel():
    """The converter finds a range in the rounded weights: the largest has to be its end."""
    y = of(ChannelRange(), [100.0] * 4)(X).numpy()
    np.testing.assert_allclose(np.abs(y).max(axis=0), np.abs(X).max(axis=0), rtol=1e-6)
    zeros = np.zeros((3, 4), np.float32)
    np.testing.assert_array_equal(of(ChannelRange(), [1.0] * 4, zeros)(zeros), zeros)
    np.testing.assert_allclose(on_grid(X, np.full(4, 100, np.float32), -1), y, rtol=1e-6)
    np.testing.assert_array_equal(on_grid(zeros, np.ones(4, np.float32), -1), zeros)


@pytest.mark.parametrize(("low", "high"), [(-1.0, 2.0), (0.5, 3.0), (-3.0, -0.5), (0.0, 0.0)])
def test_a_constant_has_255_steps_over_what_it_spans_and_0(low, high):
    constant = tf.Variable(np.linspace(low, high, 40, dtype=np.float32))
    with tf.GradientTape() as tape:
        y = Span()(constant, True, {})
    step = (max(high, 0) - min(low, 0)) / 255
    assert np.abs(y - constant.numpy()).max() <= 0.51 * step
    np.testing.assert_array_equal(tape.gradient(y, constant), np.ones(40))


@pytest.mark.parametrize(("quantiser", "ends"), [
    (TensorRange(), [-0.5, 0.5]), (TensorRange(), [-40.0, 40.0]), (ChannelRange(), [0.3] * 4),
])
def test_a_range_that_is_too_narrow_or_too_wide_learns_a_better_one(quantiser, ends):
    rounded = of(quantiser, ends)
    optimizer = keras.optimizers.Adam(0.02)
    errors = []
    for _ in range(150):
        with tf.GradientTape() as tape:
            error = tf.reduce_mean((rounded(X) - X) ** 2)
        optimizer.apply_gradients([(tape.gradient(error, quantiser.growth), quantiser.growth)])
        errors.append(float(error))
    assert errors[-1] < 0.2 * errors[0]
    assert np.abs(np.log(quantiser.get() / np.asarray(ends, np.float32))).max() > 0.3


def test_rounding_passes_gradients_inside_the_range_and_none_beyond():
    rounded, x = of(TensorRange(), [-1.0, 1.0]), tf.constant([-1.5, -0.5, 0.0, 0.25, 1.5])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(rounded(x))
    np.testing.assert_array_equal(tape.gradient(y, x), [0, 1, 1, 1, 0])
