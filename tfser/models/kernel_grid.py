"""The int8 values of a kernel, as TensorFlow Lite finds them: 127 steps either side of 0 for each output channel."""

from __future__ import annotations

import numpy as np

STEPS = 127.0


def largest_of(kernel: np.ndarray, axis: int) -> np.ndarray:
    """The greatest magnitude of each channel, [shape=(channels,)]; never 0."""
    channels = axis % kernel.ndim
    others = tuple(other for other in range(kernel.ndim) if other != channels)
    return np.maximum(np.abs(kernel).max(axis=others), np.finfo(np.float32).tiny)


def on_grid(kernel: np.ndarray, largest: np.ndarray, axis: int) -> np.ndarray:
    """A kernel rounded to the steps of its channels.

    Parameters
    ----------
    kernel : np.ndarray, float32
    largest : np.ndarray [shape=(channels,)], float32, above 0
        The greatest magnitude of each channel; where the channel reaches less far, that.
    axis : int
        That of the channels.

    Returns
    -------
    np.ndarray [shape=kernel.shape], float32
    """
    steps = np.maximum(np.minimum(largest, largest_of(kernel, axis)) / np.float32(STEPS), np.finfo(np.float32).tiny)
    shape = np.ones(kernel.ndim, int)
    shape[axis] = -1
    step = steps.astype(np.float32).reshape(shape)
    return np.clip(np.round(kernel / step), -STEPS, STEPS).astype(np.float32) * step
