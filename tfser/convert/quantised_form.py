"""The form of a model that feels its own quantisation, made with TensorFlow Model Optimization.

Every operator has a quantiser of its own: behind it one with a range of the whole tensor, on its
kernel one with a range for each channel. It computes in float what the int8 file computes in
integers: weights and ranges that were tuned in it are those of the file
(:func:`tfser.convert.tflite.tuned_to_int8`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tfser.convert.calibrate import low_on_grid
from tfser.convert.export_form import CONVOLUTIONS
from tfser.convert.operator_form import INPUT, MOVES, channel_axis, kernel_name
from tfser.convert.ranges import Ranges, channel_ranges_of, range_of, require_all_known
from tfser.keras import keras, tf
from tfser.models.layers import Scale, Shift
from tfser.models.quantisers import ChannelRange, LearnedRange, Span, TensorRange, tfmot

layers = keras.layers
tfmot_keras = tfmot.quantization.keras

LEARNED, MEASURED = "learned", "measured"
# TensorFlow Lite prescribes the output ranges of these, whatever values they take.
SOFTMAX_RANGE = SIGMOID_RANGE = (0.0, 255 / 256)
TANH_RANGE = (-1.0, 127 / 128)
_ACTIVATION_RANGES = {keras.activations.sigmoid: SIGMOID_RANGE, keras.activations.tanh: TANH_RANGE}
MEASURED_AT_ONCE = 64  # clips whose tensors are all in memory at a time


class OperatorConfig(tfmot.quantization.keras.QuantizeConfig):
    """How one operator is quantised.

    Parameters
    ----------
    weight : str, optional
        The attribute of the layer that holds its kernel or constant.
    channel_axis : int, optional
        The axis of the weight's channels; without it the whole weight has one range, which its values span.
    output : ``"learned"``, ``"measured"``, (low, high) or None
        Range of the result; a measured one is not learned; ``None`` where the result has its input's
        scale, or the next layer's.
    """

    def __init__(self, weight: str | None = None, channel_axis: int | None = None, output: Any = LEARNED) -> None:
        self.weight, self.channel_axis, self.output = weight, channel_axis, output
        self.of_weight = Span() if channel_axis is None else ChannelRange(channel_axis)
        fixed = tfmot_keras.quantizers.FixedQuantizer
        self.of_output = (TensorRange(output == LEARNED) if output in (LEARNED, MEASURED) else
                          output and fixed(8, *output, narrow_range=False))

    def get_weights_and_quantizers(self, layer: keras.layers.Layer) -> list[tuple[Any, Any]]:
        self.variable = getattr(layer, self.weight) if self.weight else None  # later the attribute is its rounded value
        return [(self.variable, self.of_weight)] if self.weight else []

    def set_quantize_weights(self, layer: keras.layers.Layer, quantize_weights: list[Any]) -> None:
        if self.weight:
            setattr(layer, self.weight, quantize_weights[0])

    def get_activations_and_quantizers(self, layer: keras.layers.Layer) -> list[tuple[Any, Any]]:
        return []  # an activation inside a layer is fused: the output's quantiser stands behind it

    def set_quantize_activations(self, layer: keras.layers.Layer, quantize_activations: list[Any]) -> None:
        """Nothing to set: see ``get_activations_and_quantizers``."""

    def get_output_quantizers(self, layer: keras.layers.Layer) -> list[Any]:
        return [self.of_output] if self.of_output else []

    def get_config(self) -> dict[str, Any]:
        return {"weight": self.weight, "channel_axis": self.channel_axis, "output": self.output}


class _NoRegistry(tfmot.quantization.keras.QuantizeRegistry):
    """No layer has a configuration but its annotation."""

    def supports(self, layer: keras.layers.Layer) -> bool:
        return False

    def get_quantize_config(self, layer: keras.layers.Layer) -> Any:
        raise NotImplementedError


class _SameLayout(tfmot.quantization.keras.QuantizeLayoutTransform):
    """The operator form is laid out as the converter does it already."""

    def apply(self, model: keras.Model, layer_quantize_map: dict[str, Any]) -> tuple[keras.Model, dict[str, Any]]:
        return model, layer_quantize_map


class _Scheme(tfmot.quantization.keras.QuantizeScheme):
    def get_layout_transformer(self) -> _SameLayout:
        return _SameLayout()

    def get_quantize_registry(self) -> _NoRegistry:
        return _NoRegistry()


def config_of(layer: keras.layers.Layer) -> OperatorConfig:
    """How a layer of an operator form is quantised."""
    if layer.name == INPUT:
        return OperatorConfig(output=MEASURED)  # see low_on_grid
    if isinstance(layer, MOVES):
        return OperatorConfig(output=None)
    if isinstance(layer, CONVOLUTIONS):
        readers = [node.layer for node in layer.outbound_nodes]
        fused = len(readers) == 1 and isinstance(readers[0], layers.ReLU)  # and rounded behind it
        return OperatorConfig(kernel_name(layer), channel_axis(layer), None if fused else LEARNED)
    if isinstance(layer, (Scale, Shift)):
        return OperatorConfig("gamma" if isinstance(layer, Scale) else "beta")
    if isinstance(layer, layers.Softmax):
        return OperatorConfig(output=SOFTMAX_RANGE)
    return OperatorConfig(output=_ACTIVATION_RANGES.get(getattr(layer, "activation", None), LEARNED))


def measured_tensors(form: keras.Model) -> list[str]:
    """Names of the layers of an operator form whose outputs need a range, in their order."""
    return [layer.name for layer in form.layers[1:] if config_of(layer).output in (LEARNED, MEASURED)]


def extremes(form: keras.Model, x: np.ndarray) -> dict[str, np.ndarray]:
    """The least and the greatest value of each of :func:`measured_tensors`, and 0, over clips.

    That of the input has its low end on the grid: see :func:`low_on_grid`.

    Parameters
    ----------
    form : keras.Model
    x : np.ndarray [shape=(n, frames, mel_bands)], float32
    """
    names = measured_tensors(form)
    probe = tf.function(keras.Model(form.input, [form.get_layer(name).output for name in names]), autograph=False)
    ranges = {name: np.zeros(2, np.float32) for name in names}
    for start in range(0, len(x), MEASURED_AT_ONCE):
        for name, value in zip(names, probe(tf.constant(x[start : start + MEASURED_AT_ONCE])), strict=True):
            low, high = ranges[name]
            ranges[name] = np.array([min(low, value.numpy().min()), max(high, value.numpy().max())], np.float32)
    return {**ranges, INPUT: np.array(low_on_grid(*map(float, ranges[INPUT])), np.float32)}


def quantised_form(form: keras.Model, ranges: Ranges) -> keras.Model:
    """Put a quantiser behind every operator and on every weight; ``form`` is not changed.

    Parameters
    ----------
    form : keras.Model
        Of :func:`tfser.convert.operator_form.operator_form`.
    ranges : Ranges
        One for each of :func:`measured_tensors`. Those of kernels may be missing: they are then what
        the values span.

    Returns
    -------
    keras.Model
        To tune; its layers have the names of ``form``'s.

    Raises
    ------
    InputError
        A range is missing, or is none: of another shape, empty, without 0, not finite.
    """
    def annotated(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = config_of(layer)
        return tfmot_keras.quantize_annotate_layer(layer.__class__.from_config(layer.get_config()), config)

    with tfmot_keras.quantize_scope({"OperatorConfig": OperatorConfig}):
        to_quantise = keras.models.clone_model(form, clone_function=annotated)
        to_quantise.set_weights(form.get_weights())
        quantised = tfmot_keras.quantize_apply(to_quantise, scheme=_Scheme(), quantized_layer_name_prefix="")
    quantisers = list(_quantisers(quantised))
    require_all_known(ranges, (name for name, *_ in quantisers))
    for name, quantiser, kernel in quantisers:
        quantiser.set(range_of(ranges, name) if kernel is None else
                      channel_ranges_of(ranges, name, kernel.numpy(), quantiser.axis))
    return quantised


def weights_of(quantised: keras.Model) -> dict[str, np.ndarray]:
    """The weights as they are now, before rounding, named as those of the operator form are."""
    weights = {f"{name}/{variable}": value for name, variable, value in _weights(quantised)}
    return {name: value.numpy() for name, value in weights.items()}


def _weights(quantised: keras.Model) -> Iterator[tuple[str, str, Any]]:
    for wrapper in quantised.layers[1:]:
        if wrapper.quantize_config.weight:
            yield wrapper.name, wrapper.quantize_config.weight, wrapper.quantize_config.variable
        if getattr(wrapper.layer, "bias", None) is not None:
            yield wrapper.name, "bias", wrapper.layer.bias


def ranges_of(quantised: keras.Model) -> dict[str, np.ndarray]:
    """The ranges as they are now: of :func:`measured_tensors` and kernels."""
    return {name: quantiser.get() for name, quantiser, _ in _quantisers(quantised)}


def range_variables(quantised: keras.Model) -> list[Any]:
    """What is trained of the ranges."""
    return [quantiser.growth for _, quantiser, _ in _quantisers(quantised) if quantiser.is_learned]


def _quantisers(quantised: keras.Model) -> Iterator[tuple[str, LearnedRange, Any]]:
    """Tensor, quantiser and, of a kernel, the variable that it rounds; constants have no range of their own."""
    for wrapper in quantised.layers[1:]:
        config = wrapper.quantize_config
        if isinstance(config.of_weight, ChannelRange):
            yield f"{wrapper.name}/{config.weight}", config.of_weight, config.variable
        if config.output in (LEARNED, MEASURED):
            yield wrapper.name, config.of_output, None
