"""Merged model to full-integer int8 .tflite: post-training quantisation, batch 1."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from tfser.convert.canonical import canonicalise, operator_name, parse, schema
from tfser.convert.export_form import export_form
from tfser.errors import CheckFailed, InputError, ToolError
from tfser.keras import keras, native_chatter_off, tf
from tfser.models.hrf import HighRankFactorization
from tfser.models.layers import HardSwish, MatMul, Rsqrt

# One call of such a layer, one operator: a count that differs means that the converter unrolled or
# decomposed a layer, or that one of another kind brought the operator.
OPERATOR_OF_LAYER: dict[str, tuple[type, ...]] = {
    "FULLY_CONNECTED": (keras.layers.Dense, HighRankFactorization),
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

_TYPES = {code: name for name, code in vars(schema.TensorType).items() if isinstance(code, int)}


def to_int8(model: keras.Model, calibration: np.ndarray) -> bytes:
    """Quantise a merged model to a ``.tflite`` file with int8 input, output and activations.

    Parameters
    ----------
    model : keras.Model
        Functional, of the layers that the backbones are built from; input
        ``(batch, frames, mel_bands)``, output logits ``(batch, labels)``. It is not changed.
    calibration : np.ndarray [shape=(n, frames, mel_bands)], float32
        Real features, whose ranges become the ranges of the int8 tensors.

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
    model = export_form(model)
    content = canonicalise(_convert(model, calibration), [layer.name for layer in model.layers])
    parsed = parse(content)
    _check_integer(parsed)
    _check_operators(parsed, model)
    return content


def operator_counts(parsed: Any) -> Counter[str]:
    """How often each builtin operator occurs in a parsed model."""
    return Counter(operator_name(parsed, operator) for operator in parsed.subgraphs[0].operators)


def _convert(model: keras.Model, calibration: np.ndarray) -> bytes:
    # Without a fixed batch the graph computes its shapes at run time, in int32.
    signature = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="features")
    function = tf.function(lambda features: model(features, training=False), input_signature=[signature])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([clip[None]] for clip in calibration.astype(np.float32))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    converter._experimental_disable_batchmatmul_unfold = True  # or a batched matmul becomes SPLIT, FC, PACK
    try:
        with native_chatter_off():
            return converter.convert()
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


def _check_integer(parsed: Any) -> None:
    tensors = parsed.subgraphs[0].tensors
    wrong = [f"{_name(tensor)} ({_TYPES[tensor.type].lower()})" for tensor in tensors
             if _TYPES[tensor.type] not in ("INT8", "INT32")]
    if wrong:
        raise CheckFailed("TF-CONV-03", f"{len(wrong)} of {len(tensors)} tensors are not integer{_listed(wrong)}",
                          expected="int8 activations and weights, int32 biases",
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
