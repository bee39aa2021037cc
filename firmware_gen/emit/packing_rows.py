"""Weights in the order in which the Helium kernels read them, and the bias with the input's zero point in it."""

from __future__ import annotations

import numpy as np

from firmware_gen.plan.scratch_rows import TILE

CHUNK = 16  # of the depth in one vector: TFSER_ROWS_CHUNK


def pack_rows(weights: np.ndarray) -> np.ndarray:
    """A matrix in rows form: tiles of outputs, in each the depth in chunks, in each the outputs in turn.

    Parameters
    ----------
    weights : np.ndarray [shape=(N, K)], int8
        A convolution's kernel reshaped to ``(N, kh * kw * C)``.

    Returns
    -------
    np.ndarray [shape=(N * K,)], int8
    """
    outputs, depth = weights.shape
    return np.concatenate([
        weights[n:n + TILE, k:k + CHUNK].reshape(-1) for n in range(0, outputs, TILE) for k in range(0, depth, CHUNK)
    ])


def fold_bias(
    weights: np.ndarray, bias: np.ndarray | None, input_zero_point: int, weights_zero_point: int = 0
) -> np.ndarray:
    """``b[n] - input_zero_point * sum_k (w[n][k] - weights_zero_point)``, which lets the kernels multiply codes.

    Parameters
    ----------
    weights : np.ndarray [shape=(N, K)], int8
        Of a depthwise layer: its kernel as ``(kh, kw, N)``, reshaped to ``(kh * kw, N)`` and transposed.
    bias : np.ndarray [shape=(N,)], int32, or None

    Returns
    -------
    np.ndarray [shape=(N,)], int32
        Modulo 2^32, as the kernels add; the sum of a legal layer fits.
    """
    sums = (weights.astype(np.int64) - weights_zero_point).sum(axis=1)
    folded = (0 if bias is None else bias.astype(np.int64)) - input_zero_point * sums
    return folded.astype(np.int32)
