"""Which layer quantisation costs most: the error of every tensor, and what it does to the logits."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tfser.convert.canonical import operator_name, parse, schema
from tfser.errors import InputError
from tfser.validate.runtimes import layer_figures

#: More clips change the figures little; each costs as much as an inference for every layer.
CLIPS = 16
# Eight bits a channel are off by less than 0.02, and training with quantisation moves weights a little.
# Those of another training have nothing in common: about 1.4.
_WEIGHTS_APART = 0.25
_INPUT = "INPUT"
_CODES = (schema.TensorType.INT8, schema.TensorType.INT16)


@dataclass(frozen=True)
class LayerError:
    """One quantised tensor: the input (``operator`` is ``None``) or what an operator computes.

    ``scale`` is a step; ``range_used``: the span of the float values over that of the codes; ``clipped``: the share of
    values beyond the codes' range. ``rms_steps`` and ``sqnr_db`` (``None`` without an error) are of the model as it
    runs, ``alone_rms_steps`` and ``alone_sqnr_db`` of what this operator adds itself. ``logit_rms`` is the error of the
    logits where everything else is float, ``logit_share`` its part of the sum of squares over all layers.
    """

    operator: int | None
    kind: str
    layer: str
    scale: float
    range_used: float
    clipped: float
    sqnr_db: float | None
    rms_steps: float
    alone_sqnr_db: float | None
    alone_rms_steps: float
    logit_rms: float
    logit_share: float


@dataclass(frozen=True)
class LayerErrors:
    """All quantised tensors in the order in which they are computed; ``logit_rms`` of the whole model as it runs."""

    clips: int
    logit_rms: float
    layers: tuple[LayerError, ...]

    @property
    def worst(self) -> LayerError:
        """The layer that alone moves the logits most."""
        return max(self.layers, key=lambda layer: layer.logit_rms)

    @property
    def verdict(self) -> str:
        """The worst layer in words."""
        worst = self.worst
        where = "the model's input" if worst.operator is None else f"{worst.kind}, operator {worst.operator}"
        return (f"worst layer: {worst.layer} ({where}): alone it moves the logits by {worst.logit_rms:.3g} RMS, "
                f"{worst.logit_share:.0%} of what all layers do")

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {"clips": self.clips, "logit_rms": self.logit_rms, "worst": self.worst.layer,
                "layers": [asdict(layer) for layer in self.layers]}


def layer_errors(content: bytes, reference: bytes, clips: np.ndarray) -> LayerErrors:
    """Compare a quantised file with the float file of its checkpoint, operator by operator.

    Parameters
    ----------
    content, reference : bytes
        The ``.tflite`` file, and what :func:`tfser.convert.tflite.to_float` makes of the merged checkpoint.
    clips : np.ndarray [shape=(n, frames, mel_bands)], float32
        Normalised features, of which ``CLIPS`` are used, evenly chosen.

    Raises
    ------
    InputError
        The operators of the two do not correspond, or the weights are of another model.
    CheckFailed
        An interpreter refuses the model or crashes on it.
    """
    quantised, exact = parse(content), parse(reference)
    _require_same_operators(quantised, exact)
    _require_same_weights(quantised, exact)
    chosen = np.unique(np.linspace(0, len(clips) - 1, CLIPS).round().astype(int))
    figures = layer_figures(content, reference, clips[chosen].astype(np.float32))
    graph = exact.subgraphs[0]
    kinds = [_INPUT, *(operator_name(exact, operator) for operator in graph.operators)]
    names = [graph.tensors[index].name.decode() for index in _made(exact)]
    total = figures["logits"].sum() or 1.0
    layers = [_layer(place, kinds[place], names[place], quantised.subgraphs[0].tensors[index],
                     {name: float(values[place]) for name, values in figures.items()}, float(total))
              for place, index in enumerate(_made(quantised))]
    return LayerErrors(len(chosen), math.sqrt(figures["running"][-1]), tuple(layers))


def _layer(place: int, kind: str, name: str, tensor: Any, figures: dict[str, float], total: float) -> LayerError:
    scale = float(tensor.quantization.scale[0])
    codes = 2 ** (16 if tensor.type == schema.TensorType.INT16 else 8) - 1
    return LayerError(
        place - 1 if place else None, kind, name, scale,
        (figures["greatest"] - figures["least"]) / (scale * codes), figures["clipped"],
        _decibels(figures["signal"], figures["running"]), math.sqrt(figures["running"]) / scale,
        _decibels(figures["signal"], figures["alone"]), math.sqrt(figures["alone"]) / scale,
        math.sqrt(figures["logits"]), figures["logits"] / total)


def _decibels(signal: float, noise: float) -> float | None:
    return 10 * math.log10(signal / noise) if signal and noise else None


def _made(model: Any) -> list[int]:
    """The input and what each operator computes."""
    graph = model.subgraphs[0]
    return [int(graph.inputs[0]), *(int(operator.outputs[0]) for operator in graph.operators)]


def _require_same_operators(quantised: Any, exact: Any) -> None:
    """One for one: kind, shape, and which results they read."""
    expected, found = _operators(exact), _operators(quantised)
    pairs = zip(found, expected, strict=False)
    first = next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(found), len(expected)))
    if found != expected:
        here, there = (shown[first] if first < len(shown) else "nothing" for shown in (found, expected))
        raise InputError("TF-LAY-01", f"operator {first} of the file is {here} and of the checkpoint {there}",
                         expected=f"the {len(expected)} operators of the checkpoint's float model in their order, "
                                  "each with one quantised result",
                         fix="name the checkpoint that the file was built from, with this version of tfser")


def _operators(model: Any) -> list[str]:
    graph = model.subgraphs[0]
    place = {index: at for at, index in enumerate(_made(model))}
    shown = []
    for operator in graph.operators:
        shape = "x".join(map(str, graph.tensors[operator.outputs[0]].shape))
        read = ", ".join(str(place[int(index)] - 1) for index in operator.inputs if int(index) in place)
        odd = len(operator.outputs) != 1 or graph.tensors[operator.outputs[0]].type not in (
            *_CODES, schema.TensorType.FLOAT32)
        shown.append(f"{operator_name(model, operator)} to {shape} from {read}" + (" (not quantised)" if odd else ""))
    return shown


def _require_same_weights(quantised: Any, exact: Any) -> None:
    for at, (operator, partner) in enumerate(zip(quantised.subgraphs[0].operators, exact.subgraphs[0].operators,
                                                 strict=True)):
        for index, other in zip(operator.inputs, partner.inputs, strict=True):
            values, expected = _constant(quantised, int(index)), _constant(exact, int(other))
            if values is None or expected is None or values.size != expected.size:
                continue
            apart = np.linalg.norm(values - expected) / (np.linalg.norm(expected) or 1.0)
            if apart > _WEIGHTS_APART:
                name = exact.subgraphs[0].tensors[partner.outputs[0]].name.decode()
                raise InputError("TF-LAY-02", f"the weights of operator {at} ({name}) are {apart:.2f} of their size "
                                              "away from the checkpoint's", expected=f"at most {_WEIGHTS_APART}",
                                 fix="name the checkpoint that the file was built from")


def _constant(model: Any, index: int) -> np.ndarray | None:
    """Values [shape=(n,)] of a float32 or int8 constant; ``None`` for activations, biases and shapes."""
    if index < 0:
        return None
    tensor = model.subgraphs[0].tensors[index]
    data = model.buffers[tensor.buffer].data
    if data is None or not len(data):
        return None
    raw = np.asarray(data, np.uint8).tobytes()
    if tensor.type == schema.TensorType.FLOAT32:
        return np.frombuffer(raw, "<f4").astype(np.float64)
    if tensor.type != schema.TensorType.INT8:
        return None
    codes = np.frombuffer(raw, np.int8).reshape(tensor.shape).astype(np.float64)
    scale, zero_point = np.asarray(tensor.quantization.scale), np.asarray(tensor.quantization.zeroPoint)
    if scale.size > 1:
        along = [1] * codes.ndim
        along[tensor.quantization.quantizedDimension] = scale.size
        scale, zero_point = scale.reshape(along), zero_point.reshape(along)
    return (scale * (codes - zero_point)).ravel()
