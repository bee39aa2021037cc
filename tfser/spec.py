"""The frozen specifications that travel with a checkpoint. Units are in the names."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, TypeVar

from tfser.errors import InputError

ARCHITECTURES = ("conformer", "convtransformer", "speechformer")
SIZES = ("small", "base")
NORMS = ("batch", "layer")
# Activations that have an int8 kernel in TensorFlow Lite Micro (swish becomes LOGISTIC and MUL).
ACTIVATIONS = ("relu", "relu6", "hard_swish", "swish", "tanh")
HRF_RATIOS = (2, 4, 8)
HRF_DEPTHS = (2, 3)
HRF_SITES = ("ffn1", "ffn2", "attention", "conv")

Spec = TypeVar("Spec")


@dataclass(frozen=True)
class FeatureSpec:
    """Log-mel features of one clip, shape ``(frames, mel_bands)``, natural logarithm.

    A frame is ``fft_size`` samples; the Hann window of ``window_samples`` sits in its middle.
    ``band_mean`` and ``band_std`` (nats, one a band) come from the training speakers; ``None``
    until they are fitted.
    """

    sample_rate_hz: int = 16000
    window_samples: int = 400
    hop_samples: int = 320
    fft_size: int = 512
    mel_bands: int = 40
    low_hz: float = 20.0
    high_hz: float = 8000.0
    frames: int = 100
    log_floor: float = 1e-10
    level_percentile: float = 99.0
    level_floor_nats: float = -9.0
    band_mean: tuple[float, ...] | None = None
    band_std: tuple[float, ...] | None = None

    @property
    def clip_samples(self) -> int:
        """Samples that one clip of ``frames`` frames covers."""
        return (self.frames - 1) * self.hop_samples + self.fft_size


@dataclass(frozen=True)
class HrfSpec:
    """Where and how wide High-Rank Factorization is in training.

    ``depth`` counts the linear layers that merge into one: 2 is one HRF layer before the dense
    layer, 3 is two. The inner width is ``ratio`` times the dense layer's output width.
    """

    ratio: int = 4
    depth: int = 2
    sites: tuple[str, ...] = ("ffn1", "ffn2")


@dataclass(frozen=True)
class ModelSpec:
    """One of the backbones, at one of its sizes, for one label set."""

    arch: str
    labels: tuple[str, ...]
    size: str = "small"
    frames: int = 100
    mel_bands: int = 40
    norm: str = "batch"
    activation: str = "relu"
    dropout: float = 0.1
    hrf: HrfSpec | None = None


@dataclass(frozen=True)
class TrainSpec:
    """The training recipe. Rates are a fraction of what they act on."""

    epochs: int = 65
    batch_size: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup_fraction: float = 0.1
    label_smoothing: float = 0.1
    mixup_alpha: float = 0.2
    frequency_warp: float = 0.08
    time_warp: float = 0.1
    shift_frames: int = 8
    frequency_masks: int = 2
    frequency_mask_bands: int = 5
    time_masks: int = 2
    time_mask_frames: int = 10
    seed: int = 0


def to_dict(spec: Any) -> dict[str, Any]:
    """A specification as plain JSON types."""
    return _plain(dataclasses.asdict(spec))


def from_dict(cls: type[Spec], values: dict[str, Any]) -> Spec:
    """Rebuild a specification, refusing fields that this version does not know.

    Raises
    ------
    InputError
        A field is unknown or a required one is missing.
    """
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise InputError("TF-SPEC-01", f"{cls.__name__} with unknown fields {unknown}",
                         expected=f"fields among {sorted(fields)}", fix="use the tfser version that wrote the file")
    converted = {name: _tuple(value) for name, value in values.items()}
    if isinstance(converted.get("hrf"), dict):
        converted["hrf"] = from_dict(HrfSpec, converted["hrf"])
    try:
        return cls(**converted)
    except TypeError as error:
        raise InputError("TF-SPEC-02", f"incomplete {cls.__name__}: {error}", expected=f"fields {sorted(fields)}",
                         fix="use the tfser version that wrote the file") from error


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
