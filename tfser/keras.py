"""The one place that imports TensorFlow: Keras 2 (tf_keras), quiet, deterministic.

Every module of tfser writes ``from tfser.keras import keras, tf``. TensorFlow Model Optimization
works only with tf_keras, and the choice must be made before TensorFlow is imported.
"""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # several trainings may share one GPU
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # its blocked sums differ between machines


@contextlib.contextmanager
def native_chatter_off() -> Iterator[None]:
    """Keep what TensorFlow's native code prints off stderr, unless ``TFSER_DEBUG`` is set.

    Its start-up notes and the converter's last line ignore every log level. Errors are raised,
    not printed, and are not touched.
    """
    if os.environ.get("TFSER_DEBUG"):
        yield
        return
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextlib.contextmanager
def _garbage_left() -> Iterator[None]:
    """Collect no garbage inside, and never look through what is there at the end.

    TensorFlow's import makes some 400,000 objects that stay: a fifth of its time went into looking for garbage among
    them, and a tenth of a model's building after it.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()


with native_chatter_off(), _garbage_left():
    import tensorflow as tf
    import tf_keras as keras
    from tensorflow.lite.python.convert import mlir_quantize as quantize_file

tf.get_logger().setLevel("ERROR")
# Dropout then keeps its state in a variable, which a training can set.
keras.backend.experimental.enable_tf_random_generator()


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """Layers made inside compute in ``policy``: ``float32``, ``mixed_float16`` or ``mixed_bfloat16``.

    Their variables are float32 in all three. Also a decorator of a function that makes layers.
    """
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(policy)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


__all__ = ["keras", "native_chatter_off", "precision", "quantize_file", "tf"]
