"""Augmentation of normalised features, a whole epoch at once, in NumPy."""

from __future__ import annotations

import numpy as np

from tfser.spec import TrainSpec


def augment(
    x: np.ndarray, labels_onehot: np.ndarray, spec: TrainSpec, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A new random variant of every clip: warped, shifted, mixed with another clip, masked.

    Parameters
    ----------
    x : np.ndarray [shape=(n, frames, bands)], float32
        Normalised features, in which 0 is each band's mean.
    labels_onehot : np.ndarray [shape=(n, classes)]
        Or whatever else is learnt of a clip, [shape=(n, k)].
    rng : np.random.Generator
        The only source of randomness: an equal generator gives equal results.

    Returns
    -------
    x : np.ndarray [shape=(n, frames, bands)], float32
    soft_labels : np.ndarray [shape=(n, classes)], float32
        Mixed like the clips; each row has the sum that it had.

    References
    ----------
    Masks: Park et al. 2019, SpecAugment, arXiv 1904.08779. Mixup: Zhang et al. 2018, arXiv 1710.09412.
    """
    x = warp_time(x, spec, rng)
    x = warp_frequency(x, spec, rng)
    x, soft_labels = mix(x, labels_onehot.astype(np.float32), spec.mixup_alpha, rng)
    x = mask(x, 1, spec.time_masks, spec.time_mask_frames, rng)
    x = mask(x, 2, spec.frequency_masks, spec.frequency_mask_bands, rng)
    return x, soft_labels


def warp_time(x: np.ndarray, spec: TrainSpec, rng: np.random.Generator) -> np.ndarray:
    """Speak faster or slower by up to ``time_warp`` and start up to ``shift_frames`` earlier or later."""
    n, frames = x.shape[:2]
    rate = 1 + rng.uniform(-spec.time_warp, spec.time_warp, (n, 1))
    shift = rng.integers(-spec.shift_frames, spec.shift_frames, (n, 1), endpoint=True)
    return _sample(x, rate * np.arange(frames) + shift)


def warp_frequency(x: np.ndarray, spec: TrainSpec, rng: np.random.Generator) -> np.ndarray:
    """Stretch or squeeze the band axis by up to ``frequency_warp``: a shorter or longer vocal tract."""
    n, _, bands = x.shape
    rate = 1 + rng.uniform(-spec.frequency_warp, spec.frequency_warp, (n, 1))
    return _sample(x.swapaxes(1, 2), rate * np.arange(bands)).swapaxes(1, 2)


def mix(
    x: np.ndarray, soft_labels: np.ndarray, alpha: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Mixup: ``share * clip + (1 - share) * other clip``, share from Beta(alpha, alpha); alpha 0 mixes nothing."""
    if alpha == 0:
        return x, soft_labels
    partner = rng.permutation(len(x))
    share = rng.beta(alpha, alpha, len(x)).astype(np.float32)
    weight = share[:, None, None]
    return (weight * x + (1 - weight) * x[partner],
            share[:, None] * soft_labels + (1 - share[:, None]) * soft_labels[partner])


def mask(x: np.ndarray, axis: int, count: int, max_width: int, rng: np.random.Generator) -> np.ndarray:
    """Set ``count`` random runs along ``axis`` (1 time, 2 frequency) to 0, each 0 to ``max_width`` wide."""
    n, size = len(x), x.shape[axis]
    width = rng.integers(0, min(max_width, size), (n, count, 1), endpoint=True)
    start = rng.integers(0, size - width, endpoint=True)
    position = np.arange(size)
    hidden = ((position >= start) & (position < start + width)).any(axis=1)
    return np.where(np.expand_dims(hidden, 3 - axis), np.float32(0), x)


def _sample(x: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Linear interpolation of x [shape=(n, length, channels)] along axis 1; the ends are held.

    ``position`` [shape=(n, length)] is where each output sample lies in the input.
    """
    last = x.shape[1] - 1
    position = np.clip(position, 0, last)
    left = np.minimum(position.astype(np.int64), max(last - 1, 0))
    share = (position - left).astype(np.float32)[:, :, None]
    clip = np.arange(len(x))[:, None]
    return (1 - share) * x[clip, left] + share * x[clip, np.minimum(left + 1, last)]
