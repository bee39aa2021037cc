"""int8 models of kinds that the compiler was not made for, through TensorFlow's converter."""

from __future__ import annotations

import functools

import numpy as np

NAMES = ("mobilenet", "autoencoder", "vision_transformer", "squeeze_excite", "temporal_convolution", "windowed")


@functools.cache
def unseen(name: str) -> bytes:
    """The file of one of ``NAMES``, with random weights."""
    from tfser.keras import keras

    keras.utils.set_random_seed(0)
    model = {"mobilenet": _mobilenet, "autoencoder": _autoencoder, "vision_transformer": _vision_transformer,
             "squeeze_excite": _squeeze_excite, "temporal_convolution": _temporal_convolution,
             "windowed": _windowed}[name](keras)
    rng = np.random.default_rng(0)
    for variable in model.trainable_weights:
        if "kernel" in variable.name:  # unit gain: the codes of the last layer vary as those of the first
            fan_in = np.prod(variable.shape[:2]) if "depthwise" in variable.name else np.prod(variable.shape[:-1])
            variable.assign(rng.normal(size=variable.shape) * np.sqrt(2 / fan_in))
    return _convert(model)


def _convert(model) -> bytes:
    from tfser.keras import tf

    shape = (1, *model.input_shape[1:])
    function = tf.function(model).get_concrete_function(tf.TensorSpec(shape, tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], model)
    converter.experimental_lower_to_saved_model = False  # a file on the way that takes most of the time
    rng = np.random.default_rng(0)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([rng.normal(size=shape).astype(np.float32)] for _ in range(20))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def _mobilenet(keras):
    """Inverted residuals with ReLU6, strides and a wide last layer."""
    layers = keras.layers
    x = inputs = keras.Input((32, 32, 1), batch_size=1)
    x = layers.ReLU(6.0)(layers.Conv2D(8, 3, 2, "same")(x))
    for channels, stride in ((8, 1), (12, 2), (12, 1), (16, 2), (16, 1)):
        y = layers.ReLU(6.0)(layers.Conv2D(4 * x.shape[-1], 1)(x))
        y = layers.ReLU(6.0)(layers.DepthwiseConv2D(3, stride, "same")(y))
        y = layers.Conv2D(channels, 1)(y)
        x = layers.Add()([x, y]) if x.shape == y.shape else y
    x = layers.ReLU(6.0)(layers.Conv2D(48, 1)(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(10)(x))


def _autoencoder(keras):
    """Dense layers only."""
    x = inputs = keras.Input((160,), batch_size=1)
    for units in (64, 64, 8, 64, 64):
        x = keras.layers.Dense(units, "relu")(x)
    return keras.Model(inputs, keras.layers.Dense(160)(x))


def _vision_transformer(keras):
    """Patches, a class token, Keras' own layer norm and attention, pre-norm."""
    from tfser.keras import tf

    layers = keras.layers
    inputs = keras.Input((16, 16, 3), batch_size=1)
    x = layers.Reshape((16, 24))(layers.Conv2D(24, 4, 4)(inputs))
    token = tf.constant(np.random.default_rng(1).normal(size=(1, 1, 24)).astype(np.float32))
    x = layers.Lambda(lambda x: tf.concat([token, x], axis=1))(x)
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(3, 8)(y, y)])
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.Dense(24)(layers.Dense(48, "relu")(y))])
    return keras.Model(inputs, layers.Dense(5)(layers.Lambda(lambda x: x[:, 0])(x)))


def _squeeze_excite(keras):
    """A gate per channel that broadcasts over the image, hard swish, maximum pool, two branches that join."""
    from tfser.keras import tf

    layers = keras.layers
    x = inputs = keras.Input((20, 14, 6), batch_size=1)
    a = layers.Conv2D(12, (3, 1), padding="same", dilation_rate=(2, 1))(x)
    b = layers.DepthwiseConv2D((5, 3), (1, 1), "same", depth_multiplier=2)(x)
    x = layers.Concatenate()([a, b])
    x = layers.Lambda(lambda x: x * tf.nn.relu6(x + 3.0) / 6.0)(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(24, 1, activation="sigmoid")(layers.Conv2D(6, 1, activation="relu")(gate))
    x = layers.MaxPooling2D(2)(layers.Multiply()([x, gate]))
    x = layers.LeakyReLU(0.1)(layers.Conv2D(9, 3, 2)(x))
    return keras.Model(inputs, layers.Dense(7, "tanh")(layers.Flatten()(x)))


def _temporal_convolution(keras):
    """Causal one-dimensional convolutions with gates and skips."""
    layers = keras.layers
    x = inputs = keras.Input((40, 8), batch_size=1)
    x = layers.Conv1D(12, 1)(x)
    skips = []
    for taps in (3, 5):
        y = layers.ZeroPadding1D((taps - 1, 0))(x)
        a = layers.Conv1D(12, taps, activation="tanh")(y)
        b = layers.Conv1D(12, taps, activation="sigmoid")(y)
        y = layers.Multiply()([a, b])
        skips.append(y)
        x = layers.Add()([x, layers.Conv1D(12, 1)(y)])
    x = layers.Maximum()([layers.Add()(skips), x])
    return keras.Model(inputs, layers.Dense(4)(layers.AveragePooling1D(40)(x)))


def _windowed(keras):
    """Attention inside windows and then between all, post-norm, averages in between."""
    layers = keras.layers
    x = inputs = keras.Input((24, 16), batch_size=1)
    for windows in (6, 1):
        rows = x.shape[1] // windows
        y = layers.Reshape((windows, rows, 16))(x)
        y = layers.MultiHeadAttention(2, 8, attention_axes=(2,))(y, y)
        x = layers.LayerNormalization()(layers.Add()([x, layers.Reshape((windows * rows, 16))(y)]))
        x = layers.LayerNormalization()(layers.Add()([x, layers.Dense(16)(layers.Dense(8, "relu")(x))]))
        x = layers.AveragePooling1D(2)(x)
    return keras.Model(inputs, layers.Dense(4)(layers.GlobalAveragePooling1D()(x)))
