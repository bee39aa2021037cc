"""Merged model to full-integer int8 .tflite: post-training quantisation, batch 1."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from tfser.convert.canonical import canonicalise, schema
from tfser.convert.export_form import export_form
from tfser.errors import CheckFailed, InputError
from tfser.keras import keras, tf
from tfser.models.layers import HardSwish, MatMul, Rsqrt

# One layer, one operator: a count that differs means that the converter unrolled or decomposed it.
OPERATOR_OF_LAYER: dict[str, tuple[type, ...]] = {
    "FULLY_CONNECTED": (keras.layers.Dense,),
    "BATCH_MATMUL": (MatMul,),
    "SOFTMAX": (keras.layers.Softmax,),
    "CONV_2D": (keras.layers.Conv2D,),
    "DEPTHWISE_CONV_2D": (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D),
    "RSQRT": (Rsqrt,),
    "HARD_SWISH": (HardSwish,),
    "AVERAGE_POOL_2D": (keras.layers.AveragePooling1D, keras.layers.AveragePooling2D),
}
_OPERATORS = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
_TYPES = {code: name for name, code in vars(schema.TensorType).items() if isinstance(code, int)}


def to_int8(model: keras.Model, calibration: np.ndarray) -> bytes:
    """Quantise a merged model to a ``.tflite`` file with int8 input, output and activations.

    Parameters
    ----------
    model : keras.Model
        Input ``(batch, frames, mel_bands)``, output logits.
    calibration : np.ndarray [shape=(n, frames, mel_bands)], float32
        Real features, whose ranges become the ranges of the int8 tensors.

    Returns
    -------
    content : bytes
        In canonical form: the same model and calibration give the same bytes.

    Raises
    ------
    InputError
        The calibration set is empty, has another shape or is not finite.
    CheckFailed
        The converter left a float tensor, or operators that the layers do not account for.
    """
    _check_calibration(model, calibration)
    model = export_form(model)
    content = canonicalise(_convert(model, calibration), [layer.name for layer in model.layers])
    parsed = schema.ModelT.InitFromPackedBuf(content, 0)
    _check_integer(parsed)
    _check_operators(parsed, model)
    return content


def operator_counts(parsed: Any) -> Counter[str]:
    """How often each builtin operator occurs in a parsed model."""
    codes = parsed.operatorCodes
    return Counter(_OPERATORS[codes[operator.opcodeIndex].builtinCode] for operator in parsed.subgraphs[0].operators)


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
    return converter.convert()


def _check_calibration(model: keras.Model, calibration: np.ndarray) -> None:
    shape = tuple(model.input_shape[1:])
    if calibration.ndim != 3 or calibration.shape[1:] != shape or len(calibration) == 0:
        raise InputError("TF-CONV-01", f"calibration features of shape {calibration.shape}",
                         expected=f"(n, {shape[0]}, {shape[1]}) with n at least 1")
    if not np.isfinite(calibration).all():
        raise InputError("TF-CONV-02", "calibration features with NaN or infinite values",
                         expected="finite log-mel features", fix="check the recordings they were made from")


def _check_integer(parsed: Any) -> None:
    graph = parsed.subgraphs[0]
    integer = {"INT8", "INT32"}
    wrong = [(tensor.name or b"").decode() + ":" + _TYPES[tensor.type] for tensor in graph.tensors
             if _TYPES[tensor.type] not in integer]
    if wrong:
        raise CheckFailed("TF-CONV-03", f"{len(wrong)} tensors that are not integer: {', '.join(wrong[:5])}",
                          expected="int8 activations and weights, int32 biases",
                          fix="replace the layer by one whose operations are int8 (see tfser/models/layers.py)")


def _check_operators(parsed: Any, model: keras.Model) -> None:
    counts = operator_counts(parsed)
    for operator, layers in OPERATOR_OF_LAYER.items():
        expected = sum(type(layer) in layers for layer in model.layers)
        if counts[operator] != expected:
            raise CheckFailed("TF-CONV-04", f"{counts[operator]} {operator} in the converted file",
                              expected=f"{expected}, one for each such layer of the model",
                              fix="use the TensorFlow version of the lock file")
