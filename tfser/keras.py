"""The one place that imports TensorFlow: Keras 2 (tf_keras), quiet, deterministic.

Every module of tfser writes ``from tfser.keras import keras, tf``. TensorFlow Model Optimization
works only with tf_keras, and the choice must be made before TensorFlow is imported.
"""

from __future__ import annotations

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # its blocked sums differ between machines

import tensorflow as tf
import tf_keras as keras

tf.get_logger().setLevel("ERROR")

__all__ = ["keras", "tf"]
