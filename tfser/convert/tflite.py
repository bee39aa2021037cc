"""Merged model to full-integer int8 .tflite, batch 1: calibrated by clips, or from ranges that are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from tfser.convert.calibrate import tensor_ranges, with_ranges
from tfser.convert.canonical import canonicalise, layer_of, operator_name, parse, schema
from tfser.convert.export_form import export_form
from tfser.convert.operator_form import INPUT, round_kernels
from tfser.convert.ranges import Ranges, range_of, require_all_known
from tfser.errors import CheckFailed, InputError, ToolError
from tfser.keras import keras, native_chatter_off, quantize_file, tf
from tfser.models.hrf import HighRankFactorization
from tfser.models.layers import FullyConnected, HardSwish, MatMul, Rsqrt

# One call of such a layer, one operator: a count that differs means that the converter unrolled or
# decomposed a layer, or that one of another kind brought the operator.
OPERATOR_OF_LAYER: dict[str, tuple[type, ...]] = {
    "FULLY_CONNECTED": (keras.layers.Dense, FullyConnected, HighRankFactorization),
    "BATCH_MATMUL": (MatMul,),
    "SOFTMAX": (keras.layers.Softmax,),
    "CONV_2D": (keras.layers.Conv2D,),
    "DEPTHWISE_CONV_2D": (keras.layers.DepthwiseConv2D,),
    "RSQRT": (Rsqrt,),
    "HARD_SWISH": (HardSwish,),
    "AVERAGE_POOL_2D": (keras.layers.AveragePooling2D,),
}
# Operators that the layers of the backbones make in any number, or none where they are fused.
UNCOUNTED = ("ADD", "SUB", "MUL", "MEAN", "RESHAPE", "TRANSPOSE", "LOGISTIC", "TANH", "RELU", "RELU6")

# Their results have the scale of what they read, or one that TensorFlow Lite prescribes.
_WITHOUT_RANGE = ("RESHAPE", "TRANSPOSE", "SOFTMAX", "LOGISTIC", "TANH")

INT8, INT16 = "int8", "int16"
# Types that a file's tensors may have: activations, weights, biases, shapes and axes.
_TENSOR_TYPES = {INT8: ("INT8", "INT32"), INT16: ("INT16", "INT8", "INT64", "INT32")}

_TYPES = {code: name for name, code in vars(schema.TensorType).items() if isinstance(code, int)}


def to_int8(model: keras.Model, calibration: np.ndarray, percentile: float | None = None) -> bytes:
    """Quantise a merged model to a ``.tflite`` file with int8 input, output and activations.

    Parameters
    ----------
    model : keras.Model
        Functional, of the layers that the backbones are built from; input
        ``(batch, frames, mel_bands)``, output logits ``(batch, labels)``. It is not changed.
    calibration : np.ndarray [shape=(n, frames, mel_bands)], float32
        Real features, whose ranges become the ranges of the int8 tensors.
    percentile : float, optional
        Leaves the rarest values out of the ranges: see :func:`tfser.convert.calibrate.tensor_ranges`.

    Returns
    -------
    content : bytes
        In canonical form: the same model and calibration give the same bytes. Every operator in
        it has an int8 kernel in TensorFlow Lite Micro.

    Raises
    ------
    InputError
        The calibration set is empty, has another shape or is not finite.
    CheckFailed
        The converter left a float tensor, or operators that the layers do not account for.
    ToolError
        The converter refused the model.
    """
    _check_calibration(model, calibration)
    exported = export_form(model)
    return _checked(_int8_file(exported, calibration, percentile), exported)


def to_int16(model: keras.Model, calibration: np.ndarray) -> bytes:
    """As :func:`to_int8`, with int16 input, output and activations; weights stay int8, biases are int64.

    An operator in it may lack a 16-bit kernel in TensorFlow Lite Micro. Of the layers of the backbones only
    HARD_SWISH has none in the converter itself, which raises `CheckFailed`.
    """
    _check_calibration(model, calibration)
    exported = export_form(model)
    without = [layer.name for layer in exported.layers if isinstance(layer, HardSwish)]
    if without:
        raise CheckFailed("TF-CONV-06", f"HARD_SWISH{_listed(without)} has no 16-bit form in TensorFlow's converter",
                          expected="operators with 16-bit activations",
                          fix="build with --activations int8, or train with --activation swish")
    converter = _converter(exported)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([clip[None]] for clip in calibration.astype(np.float32))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int16
    return _checked(_converted(exported, converter.convert), exported, INT16)


def to_float(model: keras.Model) -> bytes:
    """The same operators without quantisation: a float32 ``.tflite`` file in canonical form, to compare with."""
    exported = export_form(model)
    return canonicalise(_converted(exported, _converter(exported).convert), _names(exported))


def tuned_to_int8(form: keras.Model, ranges: Ranges, model: keras.Model) -> bytes:
    """As :func:`to_int8`, with the weights and the ranges that were tuned.

    Parameters
    ----------
    form : keras.Model
        :func:`tfser.convert.operator_form.operator_form` of ``model`` with the tuned weights; its kernels are
        rounded here.
    ranges : Ranges
        Of the tensors and the kernels of the quantised form; those of kernels may be missing.
    model : keras.Model
        The merged model, which says what operators there must be.

    Raises
    ------
    InputError
        A range is missing, is none, or is of nothing in the model.
    """
    kernels = round_kernels(form, ranges)
    content = _converted(form, _converter(form).convert)
    found = _known_ranges(content, form, ranges)
    require_all_known(ranges, {*kernels, *(name for name, _ in found.values())})
    stamped = with_ranges(content, {index: (float(low), float(high)) for index, (_, (low, high)) in found.items()})
    return _checked(_converted(form, lambda: _quantised(stamped)), export_form(model))


def _known_ranges(content: bytes, form: keras.Model, ranges: Ranges) -> dict[int, tuple[str, np.ndarray]]:
    """Whose range each activation of a float file has, and the range, by the tensor's index."""
    parsed = parse(content)
    graph, layers = parsed.subgraphs[0], _names(form)
    rank = {name: place for place, name in enumerate(layers)}
    names = {int(index): INPUT for index in graph.inputs}
    for operator in graph.operators:
        if operator_name(parsed, operator) not in _WITHOUT_RANGE:
            index = int(operator.outputs[0])
            names[index] = layers[-1] if index in graph.outputs else layer_of(_name(graph.tensors[index]), rank)
    return {index: (name, range_of(ranges, name)) for index, name in names.items()}


def _checked(content: bytes, exported: keras.Model, activations: str = INT8) -> bytes:
    """The file of a model in export form, in canonical form and found sound."""
    content = canonicalise(content, _names(exported))
    parsed = parse(content)
    _check_integer(parsed, activations)
    _check_operators(parsed, exported)
    return content


def _names(exported: keras.Model) -> list[str]:
    return [layer.name for layer in exported.layers]


def operator_counts(parsed: Any) -> Counter[str]:
    """How often each builtin operator occurs in a parsed model."""
    return Counter(operator_name(parsed, operator) for operator in parsed.subgraphs[0].operators)


def _converter(model: keras.Model) -> Any:
    # Without a fixed batch the graph computes its shapes at run time, in int32.
    signature = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="features")
    function = tf.function(lambda features: model(features, training=False), input_signature=[signature],
                           autograph=False)
    # Of a Keras model, the converter would first save every layer with every way to call it: most of its time.
    variables = tf.Module()
    variables.kept = model.variables
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], variables)
    converter._experimental_disable_batchmatmul_unfold = True  # or a batched matmul becomes SPLIT, FC, PACK
    converter.experimental_lower_to_saved_model = False  # a file on the way that takes a third of the time
    return converter


def _int8_file(exported: keras.Model, calibration: np.ndarray, percentile: float | None = None) -> bytes:
    """As TensorFlow's quantiser leaves it."""
    def convert() -> bytes:
        content = _converter(exported).convert()
        return _quantised(with_ranges(content, tensor_ranges(content, calibration, percentile)))
    return _converted(exported, convert)


def _quantised(ranged: bytes) -> bytes:
    return quantize_file(ranged, input_data_type=tf.int8, output_data_type=tf.int8)


def _converted(model: keras.Model, convert: Callable[[], bytes]) -> bytes:
    try:
        with native_chatter_off():
            return convert()
    except Exception as error:  # its own ConverterError, and whatever its passes and kernels raise
        cause = str(error).strip().partition("\n")[0]
        raise ToolError("TF-CONV-05", f"TensorFlow's converter refused model {model.name!r}: {cause}",
                        expected="a model of the layers that the backbones are built from (tfser/models)",
                        fix="replace the operation named above") from error


def _check_calibration(model: keras.Model, calibration: np.ndarray) -> None:
    shape = tuple(model.input_shape[1:])
    if calibration.shape[1:] != shape or len(calibration) == 0:
        raise InputError("TF-CONV-01", f"calibration features of shape {calibration.shape}",
                         expected=f"(n, {', '.join(map(str, shape))}) with n at least 1")
    if not np.isfinite(calibration).all():
        raise InputError("TF-CONV-02", "calibration features with NaN or infinite values",
                         expected="finite log-mel features", fix="check the recordings they were made from")


def _check_integer(parsed: Any, activations: str) -> None:
    tensors = parsed.subgraphs[0].tensors
    wrong = [f"{_name(tensor)} ({_TYPES[tensor.type].lower()})" for tensor in tensors
             if _TYPES[tensor.type] not in _TENSOR_TYPES[activations]]
    if wrong:
        raise CheckFailed("TF-CONV-03", f"{len(wrong)} of {len(tensors)} tensors are not integer{_listed(wrong)}",
                          expected="int8 activations and weights, int32 biases" if activations == INT8 else
                          "int16 activations, int8 weights, int64 biases",
                          fix="replace the layer by one whose operations are int8 (see tfser/models/layers.py)")


def _check_operators(parsed: Any, model: keras.Model) -> None:
    counts = operator_counts(parsed)
    for operator in sorted({*counts, *OPERATOR_OF_LAYER} - {*UNCOUNTED}):
        expected = sum(len(layer.inbound_nodes) for layer in model.layers
                       if type(layer) in OPERATOR_OF_LAYER.get(operator, ()))
        if counts[operator] != expected:
            raise CheckFailed("TF-CONV-04", f"{counts[operator]} {operator} in the converted file"
                                            f"{_listed(_results_of(parsed, operator))}",
                              expected=f"{expected}, one for each layer that stands for it",
                              fix="build the model from layers of tfser/models, with the TensorFlow of the lock file")


def _results_of(parsed: Any, kind: str) -> list[str]:
    """Names of what the operators of one kind make."""
    graph = parsed.subgraphs[0]
    return [_name(graph.tensors[operator.outputs[0]]) for operator in graph.operators
            if operator_name(parsed, operator) == kind]


def _listed(names: list[str]) -> str:
    return f" ({', '.join(names[:5])}{', ...' if len(names) > 5 else ''})" if names else ""


def _name(tensor: Any) -> str:
    return tensor.name.decode() if tensor.name else "unnamed"
