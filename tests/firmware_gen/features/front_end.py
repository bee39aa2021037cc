"""The application layer built for the host or an emulated chip, and the Python features beside it."""

from __future__ import annotations

import dataclasses
import functools
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from firmware_gen.compile import compile_application
from firmware_gen.frontend.features import Features, read_features
from firmware_gen.frontend.tflite import read_tflite
from firmware_gen.target import CORES
from tfser.audio.io import read_audio
from tfser.features.document import write_features_json
from tfser.features.normalise import features, windows
from tfser.spec import FeatureSpec
from tfser.validate.accuracy import quantize

HERE = Path(__file__).parent
STRICT = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wcast-align", "-pedantic", "-Werror")
SANITIZE = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
#: As trained on EMO-DB, rounded: the loudest and least steady bands are the low ones.
SPEC = dataclasses.replace(FeatureSpec(), band_mean=tuple(np.linspace(-5, -8.75, 40).tolist()),
                           band_std=tuple(np.linspace(3, 0.75, 40).tolist()))
SEED = 7


def input_of(content: bytes) -> tuple[float, int]:
    """Scale and zero point of a model's input."""
    graph = read_tflite(content).subgraphs[0]
    given = graph.tensors[graph.inputs[0]]
    return float(given.scale[0]), int(given.zero_point[0])


def describe(content: bytes, spec: FeatureSpec = SPEC) -> Features:
    """What firmware_gen reads of the features.json that tfser writes for a model of four labels."""
    scale, zero_point = input_of(content)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "features.json"
        write_features_json(path, spec, input_scale=scale, input_zero_point=zero_point,
                            labels=("anger", 'ne"utral', "happin\u00e9ss", "sadness?"))
        return read_features(path)


def reference(clips: np.ndarray, content: bytes, spec: FeatureSpec = SPEC) -> np.ndarray:
    """Codes [shape=(n, frames * mel_bands)], int8, of the Python features of int16 clips."""
    scale, zero_point = input_of(content)
    x = np.stack([features(clip.astype(np.float32) / 32768, spec) for clip in clips])
    return quantize(x, scale, zero_point).reshape(len(clips), -1)


@functools.cache
def real_clips(data: Path, count: int) -> np.ndarray:
    """The first window of recordings spread over both corpora, int16 [shape=(count, clip_samples)]."""
    found = []
    for corpus in ("emodb", "ravdess"):
        paths = sorted(path for path in (data / corpus).rglob("*") if path.suffix in (".flac", ".wav"))
        found += [paths[i] for i in np.linspace(0, len(paths) - 1, count // 2).astype(int)]
    clips = [windows(read_audio(path, SPEC.sample_rate_hz), SPEC)[0] for path in found]
    return np.clip(np.rint(np.stack(clips) * 32768), -32768, 32767).astype(np.int16)


def odd_clips() -> np.ndarray:
    """Signals that recordings do not show: silence, one step, clipping, an offset, tones, noise."""
    rng, samples = np.random.default_rng(SEED), SPEC.clip_samples
    time = np.arange(samples)
    return np.clip(np.rint(np.stack([
        np.zeros(samples), np.full(samples, -1), np.full(samples, 32767), np.full(samples, -32768), time == 20000,
        32767 * np.sign(np.sin(time * 0.3)), np.where(time % 2, 32767, -32768), 30000 * np.sin(time * 0.7),
        rng.integers(-32768, 32768, samples), rng.integers(-1, 2, samples), 5000 + 3 * rng.standard_normal(samples),
        np.where(time < 16000, 0, 1000 * rng.standard_normal(samples))])), -32768, 32767).astype(np.int16)


def write_application(folder: Path, content: bytes, core: str, spec: FeatureSpec = SPEC) -> list[str]:
    """Put the generated C of a model into a folder; the names of its sources."""
    files = compile_application(content, describe(content, spec), CORES[core]).files
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return sorted(name for name in files if name.endswith(".c"))


class HostProgram:
    """``feed_main.c`` around the application layer for a core, in its portable form."""

    def __init__(self, folder: Path, content: bytes, core: str, *flags: str) -> None:
        self.core, self.folder = core, folder
        self.sources = write_application(folder, content, core)
        self._program = str(folder / "feed")
        subprocess.run(["gcc", *STRICT, *(flags or ("-O2",)), "-I.", str(HERE / "feed_main.c"), *self.sources, "-o",
                        self._program], cwd=folder, check=True)

    def run(self, clips: np.ndarray, chunks: str = "all") -> tuple[np.ndarray, np.ndarray]:
        """Codes [shape=(n, values)] and probabilities [shape=(n, labels)] of clips, fed in chunks."""
        given = np.ascontiguousarray(clips, "<i2").tobytes()
        done = subprocess.run([self._program, chunks], input=given, capture_output=True, check=False, timeout=300)
        assert (done.returncode, done.stderr) == (0, b"")
        records = np.frombuffer(done.stdout, np.uint8).reshape(len(clips), -1)
        values = SPEC.frames * SPEC.mel_bands
        return records[:, :values].view(np.int8), np.ascontiguousarray(records[:, values:]).view("<f4")
