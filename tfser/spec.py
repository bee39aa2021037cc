"""The frozen specifications that travel with a checkpoint. Units are in the names."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from tfser.errors import InputError

ARCHITECTURES = ("conformer", "convtransformer", "speechformer")
# The keys of tfser.corpora.CORPORA, here for commands that must answer --help without reading any.
CORPUS_NAMES = ("emodb", "ravdess", "cremad", "iemocap", "iemocap-6", "m3ed", "daic-woz", "emobox", "csv", "audformat")
SIZES = ("small", "base")
NORMS = ("batch", "layer")
# Activations that have an int8 kernel in TensorFlow Lite Micro (swish becomes LOGISTIC and MUL).
ACTIVATIONS = ("relu", "relu6", "hard_swish", "swish", "tanh")
HRF_RATIOS = (2, 4, 8)
# The control of the HRF study: inner widths that reduce the rank of the product.
LOW_RANK_RATIOS = (0.25, 0.5)
HRF_DEPTHS = (2, 3)
HRF_SITES = ("ffn1", "ffn2", "attention", "conv")
# In which a training computes; its weights are float32 in all of them.
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
# Of the learning rate after its warm-up.
SCHEDULES = ("cosine", "linear", "constant")

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

    A ratio below 1 is not HRF but its control, a low-rank factorisation: the inner width is ``ratio``
    times the smaller of the dense layer's input and output width, so the rank is reduced.
    """

    ratio: float = 4
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


class Setting(NamedTuple):
    """What a field of a recipe may hold, and what it means: the command line has an option for each.

    ``choices`` are those of a text; a number lies in [``low``, ``high``], without its ends where ``open``.
    """

    text: str
    low: float = 0
    high: float | None = None
    open: bool = False
    choices: tuple[str, ...] = ()


def _setting(default: Any, *setting: Any, **named: Any) -> Any:
    return dataclasses.field(default=default, metadata={"setting": Setting(*setting, **named)})


@dataclass(frozen=True)
class TrainSpec:
    """The training recipe. Rates are a fraction of what they act on.

    A field that an older version did not have has the default that trains as that version did.
    """

    epochs: int = _setting(65, "Epochs.", 1)
    batch_size: int = _setting(32, "Clips in a step.", 1)
    learning_rate: float = _setting(2e-3, "Highest learning rate.", 0, 1, open=True)
    weight_decay: float = _setting(0.02, "Decay of matrices, in units of the learning rate.", 0, 10)
    warmup_fraction: float = _setting(0.1, "Share of the steps in which the learning rate rises.", 0, 1)
    label_smoothing: float = _setting(0.1, "Share of each label given to all.", 0, 0.99)
    mixup_alpha: float = _setting(0.2, "Mixup's Beta parameter; 0 mixes nothing.", 0, 100)
    frequency_warp: float = _setting(0.08, "Largest stretch of the band axis.", 0, 0.9)
    time_warp: float = _setting(0.1, "Largest stretch of the time axis.", 0, 0.9)
    shift_frames: int = _setting(8, "Largest shift in time, in frames.", 0, 10_000)
    frequency_masks: int = _setting(2, "Masks over bands.", 0, 100)
    frequency_mask_bands: int = _setting(5, "Bands of the widest of them.", 0, 10_000)
    time_masks: int = _setting(2, "Masks over time.", 0, 100)
    time_mask_frames: int = _setting(10, "Frames of the widest of them.", 0, 10_000)
    seed: int = _setting(0, "Seed of weights, order, augmentation and dropout.", 0, 2**31 - 1)
    schedule: str = _setting("cosine", "Learning rate after the warm-up.", choices=SCHEDULES)
    average_decay: float = _setting(
        0.0, "Decay, a step, of the averaged weights, which are the result; 0 averages nothing.", 0, 0.99999)
    class_balance: float = _setting(
        0.0, "Weight of rare classes in the loss: 1 makes all classes count alike, 0 all clips.", 0, 1)
    precision: str = _setting("float32", "What training computes in.", choices=PRECISIONS)
    waveform_variants: int = _setting(
        0, "Variants of each recording (speed, room, noise, gain, tilt) to draw from beside the clean one.", 0, 100)
    teacher_weight: float = _setting(0.7, "Weight of the teachers against the labels.", 0, 1)
    temperature: float = _setting(2.0, "Softens the probabilities of teachers and student.", 0, 100, open=True)
    feature_weight: float = _setting(
        0.0, "Weight of the cosine distance between the teachers' mean over time and the student's.", 0, 100)
    hint_weight: float = _setting(0.5, "Weight of the hints' probabilities against the labels.", 0, 1)
    hint_vector_weight: float = _setting(
        2.0, "Weight of the cosine distance between the hints' vectors and the mean over time.", 0, 100)


@dataclass(frozen=True)
class TuneSpec:
    """Quantisation-aware tuning: steps of Adam whose rates fall to 0 as half a cosine.

    Clips are mixed, moved and stretched in time, but no band is masked or moved: half of all feature
    values lie at the level floor, a constant of each band whose rounding error is the largest of all,
    and such augmentation would hide it.
    """

    steps: int = 300
    batch_size: int = 32
    learning_rate: float = 5e-5
    range_learning_rate: float = 2e-3
    mixup_alpha: float = 0.2
    time_warp: float = 0.1
    shift_frames: int = 8
    seed: int = 0

    def augmentation(self) -> TrainSpec:
        """The recipe that says how clips are varied."""
        return TrainSpec(mixup_alpha=self.mixup_alpha, time_warp=self.time_warp, shift_frames=self.shift_frames,
                         frequency_warp=0.0, frequency_masks=0, time_masks=0)


def settings(cls: type) -> dict[str, Setting]:
    """What each field of a recipe may hold, in their order."""
    return {field.name: field.metadata["setting"] for field in dataclasses.fields(cls)}


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
