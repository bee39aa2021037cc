"""High-Rank Factorization (HRF): linear layers in training that merge into one for the device."""

from __future__ import annotations

from typing import Any

from tfser.errors import InputError
from tfser.keras import keras
from tfser.models.layers import FullyConnected
from tfser.spec import HrfSpec


@keras.saving.register_keras_serializable(package="tfser")
class HighRankFactorization(FullyConnected):
    """A dense layer without activation, placed before another dense layer.

    Together they compute ``y = W2 (W1 x + b1) + b2``. The inner width is at least the output
    width, so the rank of ``W2 W1`` is not reduced, and ``tfser.reparam`` folds the pair into
    ``W = W2 W1``, ``b = W2 b1 + b2`` exactly. The kernel starts orthogonal: the pair then starts
    as an isometry followed by the dense layer's own start.

    References
    ----------
    Zhang et al. 2025, doi:10.1109/JIOT.2024.3483232
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        kwargs.setdefault("kernel_initializer", "orthogonal")
        super().__init__(units, **kwargs)
        if self.activation is not keras.activations.linear:
            raise InputError("TF-HRF-01", f"HRF layer {self.name!r} with activation {kwargs['activation']!r}",
                             expected="no activation, or the layer could not be merged",
                             fix="put the activation after the dense layer that follows")


def inner_width(ratio: float, d_in: int, d_out: int) -> int:
    """Of the layers before a dense layer: ``ratio d_out``, or the rank of the low-rank control (``HrfSpec``)."""
    return int(ratio * d_out) if ratio >= 1 else max(1, int(ratio * min(d_in, d_out)))


def dense(x: Any, units: int, name: str, hrf: HrfSpec | None, *, use_bias: bool = True, **kwargs: Any) -> Any:
    """A dense layer ``name``, behind ``hrf.depth - 1`` HRF layers ``name/hrf1``, ... where given.

    The dense layer itself is the same with and without HRF, so is the deployed graph; of the low-rank
    control the deployed graph keeps a pair of layers where that holds fewer parameters than one.
    """
    if hrf is not None:
        inner = inner_width(hrf.ratio, x.shape[-1], units)
        for index in range(1, hrf.depth):
            x = HighRankFactorization(inner, use_bias=use_bias, name=f"{name}/hrf{index}")(x)
    return FullyConnected(units, use_bias=use_bias, name=name, **kwargs)(x)
