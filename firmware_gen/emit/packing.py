"""Weights as the kernels read them: the pairs form (SMLAD, scalar cores), and depthwise kernels in both forms."""

from __future__ import annotations

import numpy as np


def pack_pairs(weights: np.ndarray, *, joined: bool = False) -> np.ndarray:
    """A matrix in pairs form: outputs by twos, in each the depth by pairs of :func:`pair_order`.

    A pair (p, q) of outputs (a, b) is the four bytes ``a[p], b[p], a[q], b[q]``: a word's even bytes
    and its odd bytes, widened, are factors of SMLAD. A last output without a partner has the word
    ``a[p], a[r], a[q], a[s]`` for every two pairs (p, q), (r, s) and a half word for a last one. An
    odd depth takes one byte more an output. ``joined``: every two bytes ``a, b`` are the int16
    ``256 * b + a``, where :func:`can_join` allows it.

    Parameters
    ----------
    weights : np.ndarray [shape=(N, K)], int8
        A convolution's kernel reshaped to ``(N, kh * kw * C)``.

    Returns
    -------
    np.ndarray [shape=(N * (K + K % 2),)], int8
    """
    outputs, depth = weights.shape
    padded = np.concatenate([weights, np.zeros((outputs, 1), np.int8)], axis=1)
    paired = padded[:, pair_order(depth)]
    twos = outputs // 2 * 2
    if joined:
        paired[1:twos:2] -= paired[:twos:2] < 0
    words = paired[:twos].reshape(twos // 2, 2, paired.shape[1] // 2, 2).transpose(0, 2, 3, 1).reshape(-1)
    if twos == outputs:
        return words
    last = paired[-1]
    whole = last.size // 4 * 4
    return np.concatenate([words, last[:whole].reshape(-1, 2, 2).transpose(0, 2, 1).reshape(-1), last[whole:]])


def can_join(weights: np.ndarray) -> bool:
    """Whether ``256 * b + a`` is an int16 for all that stand in rows ``2 i`` and ``2 i + 1`` of ``[N, K]``."""
    twos = weights.shape[0] // 2 * 2
    return not bool(np.any((weights[1:twos:2] == -128) & (weights[:twos:2] < 0)))


def pair_order(depth: int) -> np.ndarray:
    """Which elements of a row make a pair; ``depth`` stands for the zero after an odd depth.

    Pairs are (0, 2), (1, 3) of every whole four, which SXTB16 takes from a word of a row; of the
    rest (0, 1), or (0, 2), (1, zero), or (0, zero).

    Returns
    -------
    np.ndarray [shape=(K + K % 2,)], intp
        Pair after pair.
    """
    whole = depth // 4 * 4
    order = np.arange(whole).reshape(-1, 4)[:, [0, 2, 1, 3]].reshape(-1)
    rest = {0: [], 1: [0, 1], 2: [0, 1], 3: [0, 2, 1, 3]}[depth % 4]
    return np.concatenate([order, whole + np.array(rest, np.intp)]).astype(np.intp)


def pack_depthwise(weights: np.ndarray) -> np.ndarray:
    """A depthwise kernel channel by channel.

    Parameters
    ----------
    weights : np.ndarray [shape=(kh, kw, N)], int8

    Returns
    -------
    np.ndarray [shape=(N * kh * kw,)], int8
    """
    return np.ascontiguousarray(np.moveaxis(weights, -1, 0)).reshape(-1)
