"""The front end's proof: what the firmware hears in a recording is what the features in Python are."""

from __future__ import annotations

import numpy as np

from firmware_gen.compile import Compiled
from firmware_gen.image.host import listen_on_host
from firmware_gen.image.listening import OK, Heard, Recording, record
from firmware_gen.image.toolchain import Unavailable
from firmware_gen.target import Core
from tfser.audio.io import from_pcm16
from tfser.cli.firmware import Firmware
from tfser.errors import CheckFailed
from tfser.features.clips import window_at
from tfser.features.document import FeatureDocument
from tfser.features.normalise import features
from tfser.validate.accuracy import quantize
from tfser.validate.pipeline import Check
from tfser.validate.runtimes import run_tflite_micro

#: Single precision against float64: a value at the edge between two codes may fall to either side.
EQUAL_MIN = 0.999
#: Steps of the model's input, with an FPU and in fixed point.
STEPS_MAX = {True: 1, False: 2}

_DECISIONS, _HOPS_BETWEEN = 3, 25


def make_recording(document: FeatureDocument) -> Recording:
    """Harmonics, pauses and noise, always the same."""
    spec = document.spec
    ends = [spec.clip_samples + index * _HOPS_BETWEEN * spec.hop_samples for index in range(_DECISIONS)]
    seconds = np.arange(ends[-1]) / spec.sample_rate_hz
    phase = 2 * np.pi * np.cumsum(160 + 60 * np.sin(2 * np.pi * 0.7 * seconds)) / spec.sample_rate_hz
    voiced = sum(np.sin(order * phase) / order for order in range(1, 20))
    loudness = np.maximum(np.sin(2 * np.pi * 2.5 * seconds), 0)
    noise = np.random.default_rng(0).standard_normal(len(seconds))
    pcm = np.rint(6000 * loudness * voiced + 30 * noise).astype(np.int16)
    return record([(pcm, ends)], spec.sample_rate_hz, len(document.labels))


def expected_features(recording: Recording, document: FeatureDocument) -> np.ndarray:
    """The int8 features [shape=(decisions, frames * mel_bands)] of the windows that end where decisions are, by Python.

    ``recording`` begins once, at its first stretch.
    """
    spec = document.spec
    y = from_pcm16(np.concatenate([stretch.pcm for stretch in recording.stretches]))
    ends = np.cumsum([len(stretch.pcm) for stretch in recording.stretches])
    x = np.stack([features(window_at(y, end - spec.clip_samples, spec), spec) for end in ends])
    return quantize(x, document.input_scale, document.input_zero_point).reshape(len(ends), -1)


def check_front_end(firmware: Firmware, compiled: Compiled, core: Core, content: bytes, document: FeatureDocument,
                    recording: Recording) -> Check | None:
    """Compare what was heard of a ``recording``; ``None`` where neither chip nor host can run.

    Raises
    ------
    CheckFailed
        Features are further apart than rounding explains, or a decision is not the model's.
    """
    where = core.qemu_machine
    heard = firmware.heard
    if heard is None:
        try:
            where, heard = "this machine", listen_on_host(compiled.files, recording)
        except Unavailable:
            return None
    expected = expected_features(recording, document)
    apart = np.abs(heard.features.astype(int) - expected)
    equal, most = int((apart == 0).sum()), int(apart.max())
    found = f"{equal:,} of {apart.size:,} features on {where} equal those in Python, at most {most} step(s) apart"
    decided = run_tflite_micro(content, heard.features.reshape(-1, document.spec.frames, document.spec.mel_bands))
    if equal < EQUAL_MIN * apart.size or most > STEPS_MAX[core.has_fpu] or not _decided(heard, decided):
        raise CheckFailed("TF-BUILD-03", f"the firmware hears something else: {found}",
                          expected=f"{EQUAL_MIN:.1%} of them equal, {STEPS_MAX[core.has_fpu]} apart at most, and the "
                                   "model's decisions; nothing was written",
                          fix="report this model: the audio front end in C is wrong for its features.json")
    return Check("front end", True, found, {"features_equal": equal, "features": apart.size, "features_apart": most})


def _decided(heard: Heard, outputs: np.ndarray) -> bool:
    return set(heard.statuses) == {OK} and np.array_equal(heard.outputs, outputs.reshape(len(outputs), -1))
