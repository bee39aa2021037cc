"""The ranges of an operator form, and what is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from tfser.errors import InputError
from tfser.models.kernel_grid import largest_of

#: Ranges by the name of their tensor. Of a layer's output (``conv``): ``(low, high)`` with 0 between.
#: Of a kernel (``conv/kernel``): the largest magnitude of each channel.
Ranges = Mapping[str, np.ndarray]


def range_of(ranges: Ranges, name: str) -> np.ndarray:
    """The range of a tensor [shape=(2,)], checked."""
    ends = np.asarray(ranges.get(name, ()))
    if ends.shape != (2,) or not np.isfinite(ends).all() or not ends[0] <= 0 <= ends[1] or ends[0] == ends[1]:
        raise _no_range(name, ends, "a low and a high end, finite, with 0 between")
    return ends


def channel_ranges_of(ranges: Ranges, name: str, kernel: np.ndarray, axis: int) -> np.ndarray:
    """The largest magnitudes of a kernel's channels [shape=(channels,)], checked; if missing, what they span."""
    if name not in ranges:
        return largest_of(kernel, axis)
    ends, channels = np.asarray(ranges[name]), kernel.shape[axis]
    if ends.shape != (channels,) or not np.isfinite(ends).all() or ends.min() <= 0:
        raise _no_range(name, ends, f"the largest magnitude of each of {channels} channels, finite and above 0")
    return ends


def require_all_known(ranges: Ranges, known: Iterable[str]) -> None:
    """Refuse ranges of what is not there.

    Raises
    ------
    InputError
        A name is not ``known``.
    """
    if unknown := sorted(ranges.keys() - (names := set(known))):
        raise InputError("TF-QAT-07", f"ranges of tensors that the model has not: {', '.join(unknown[:3])}",
                         expected=f"ranges of its {len(names)} tensors and kernels",
                         fix="measure the ranges on this model")


def _no_range(name: str, ends: np.ndarray, expected: str) -> InputError:
    return InputError("TF-QAT-02", f"range {ends.tolist()} of tensor {name!r}", expected=expected,
                      fix="measure the ranges of this model on clips that are not all silent")
