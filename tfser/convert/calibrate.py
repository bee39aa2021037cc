"""Calibration clips: as many of each label as the set allows, in a fixed order."""

from __future__ import annotations

import numpy as np

from tfser.errors import InputError


def stratified(labels: np.ndarray, count: int, *, seed: int = 0) -> np.ndarray:
    """Indices of ``count`` clips, the labels as equally represented as they can be.

    Parameters
    ----------
    labels : np.ndarray [shape=(n,)], int
    count : int
        At most ``n``; more is cut to ``n``.

    Returns
    -------
    indices : np.ndarray [shape=(min(count, n),)], ascending
    """
    if count < 1 or len(labels) == 0:
        raise InputError("TF-CAL-01", f"{count} calibration clips of {len(labels)}", expected="at least one of each")
    rng = np.random.default_rng(seed)
    queues = [list(rng.permutation(np.flatnonzero(labels == label))) for label in np.unique(labels)]
    chosen: list[int] = []
    while len(chosen) < min(count, len(labels)):
        chosen += [queue.pop() for queue in queues if queue]
    return np.sort(np.array(chosen[:count]))
