"""Small Keras models through TensorFlow's converter, for tests: float, hybrid, dynamic and int8 files."""

from __future__ import annotations

import functools

import numpy as np


@functools.cache
def converted() -> dict[str, bytes]:
    """Files by kind. Made once a process: TensorFlow takes seconds to start."""
    from tfser.keras import keras, tf

    keras.utils.set_random_seed(0)
    x = keras.Input((12, 8), batch_size=1)
    # 1,024 weights are the least that the converter's dynamic-range quantisation touches.
    dense = keras.Model(x, keras.layers.Dense(3)(keras.layers.Flatten()(keras.layers.Dense(128, "relu")(x))))
    gelu = keras.Model(x, keras.layers.Dense(3, tf.nn.gelu)(keras.layers.Flatten()(x)))
    lstm = keras.Model(x, keras.layers.Dense(3)(keras.layers.LSTM(4)(x)))
    open_batch = keras.Input((None, 8))
    dynamic = keras.Model(open_batch, keras.layers.Dense(3)(open_batch))

    def convert(model, *, quantize: bool, representative: bool, shape=(1, 12, 8)):
        function = tf.function(model, autograph=False).get_concrete_function(tf.TensorSpec(shape, tf.float32))
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function], model)
        if quantize:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if representative:
            rng = np.random.default_rng(0)
            converter.representative_dataset = lambda: ([rng.normal(size=(1, 12, 8)).astype("f")] for _ in range(20))
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int8
        return converter.convert()

    return {
        "float": convert(dense, quantize=False, representative=False),
        "hybrid": convert(dense, quantize=True, representative=False),
        "int8": convert(dense, quantize=True, representative=True),
        "gelu": convert(gelu, quantize=True, representative=True),
        "lstm": convert(lstm, quantize=True, representative=True),
        "dynamic": convert(dynamic, quantize=False, representative=False, shape=(1, None, 8)),
    }
