"""The arithmetic of deHRF: affine maps folded into one, and the split of a chain that costs least."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfser.errors import InputError


def fold(layers: Sequence[tuple[np.ndarray, np.ndarray | None]]) -> tuple[np.ndarray, np.ndarray | None]:
    """Fold affine layers, applied first to last, into one (deHRF), in float64.

    Parameters
    ----------
    layers : sequence of (kernel, bias)
        Two or more; kernel [shape=(d_in, d_out)], bias [shape=(d_out,)] or None. A layer computes
        ``x @ kernel + bias``.

    Returns
    -------
    kernel, bias : np.ndarray [shape=(d_first, d_last)], [shape=(d_last,)] or None, float64
        ``kernel = w1 @ w2``; ``bias = b1 @ w2 + b2``, a missing bias counting as zero; None where
        no layer has one. The caller rounds once, to the type that it stores.

    Raises
    ------
    InputError
        Fewer than two layers; a kernel or bias of the wrong shape; inner sizes that differ.

    References
    ----------
    Zhang et al. 2025, doi:10.1109/JIOT.2024.3483232
    """
    if len(layers) < 2:
        raise InputError("TF-MERGE-01", f"a chain of {len(layers)} linear layers", expected="two or more")
    for position, (kernel, bias) in enumerate(layers, start=1):
        if kernel.ndim != 2 or (bias is not None and bias.shape != kernel.shape[1:]):
            raise InputError("TF-MERGE-02", f"linear layer {position} with kernel {kernel.shape} and bias "
                             f"{None if bias is None else bias.shape}", expected="shapes (d_in, d_out) and (d_out,)")
    kernel = layers[0][0].astype(np.float64)
    bias = np.zeros(kernel.shape[1]) if layers[0][1] is None else layers[0][1].astype(np.float64)
    for position, (next_kernel, next_bias) in enumerate(layers[1:], start=2):
        if kernel.shape[1] != next_kernel.shape[0]:
            raise InputError("TF-MERGE-03", f"linear layer {position} reads {next_kernel.shape[0]} values, "
                             f"the layer before it writes {kernel.shape[1]}", expected="equal inner sizes")
        kernel = kernel @ next_kernel
        bias = bias @ next_kernel + (0 if next_bias is None else next_bias)
    return kernel, None if all(bias is None for _, bias in layers) else bias


def parameter_count(widths: Sequence[int], biased: Sequence[bool]) -> int:
    """Parameters of linear layers from ``widths[0]`` to ``widths[-1]`` once folded into one."""
    return widths[0] * widths[-1] + (widths[-1] if any(biased) else 0)


def cheapest_split(widths: Sequence[int], biased: Sequence[bool]) -> list[tuple[int, int]]:
    """Split a chain into runs of layers that hold the fewest parameters when each is folded.

    An inner width of at least the output width (HRF) is never worth a cut; a low-rank bottleneck
    is, since folding it would add parameters. Of equal splits the one with fewer layers is taken.

    Parameters
    ----------
    widths : sequence of int, n + 1 long
        What the chain reads, then what each of its n layers writes.
    biased : sequence of bool, n long
        Whether each layer has a bias.

    Returns
    -------
    spans : list of (start, stop)
        Consecutive, from 0 to n.
    """
    best: list[tuple[int, list[tuple[int, int]]]] = [(0, [])]
    for stop in range(1, len(widths)):
        candidates = [(cost + parameter_count(widths[start:stop + 1], biased[start:stop]), [*spans, (start, stop)])
                      for start, (cost, spans) in enumerate(best)]
        best.append(min(candidates, key=lambda candidate: (candidate[0], len(candidate[1]))))
    return best[-1][1]
