"""The application layer built for the host or an emulated chip, and the Python features beside it."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import struct
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tflite_builder import Graph, options

from firmware_gen.compile import compile_application
from firmware_gen.frontend.features import Features, read_features
from firmware_gen.frontend.tflite import read_tflite
from firmware_gen.target import CORES
from tfser.audio.io import read_audio
from tfser.features.clips import window_at
from tfser.features.document import write_features_json
from tfser.features.normalise import features
from tfser.spec import FeatureSpec
from tfser.validate.accuracy import quantize

HERE = Path(__file__).parent
STRICT = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wcast-align", "-pedantic", "-Werror")
PLAIN = ("-O2",)
SANITIZE = ("-g", "-O1", "-fsanitize=address,undefined,float-cast-overflow,float-divide-by-zero",
            "-fno-sanitize-recover=all")
#: As trained on EMO-DB, rounded: the loudest and least steady bands are the low ones.
SPEC = dataclasses.replace(FeatureSpec(), band_mean=tuple(np.linspace(-5, -8.75, 40).tolist()),
                           band_std=tuple(np.linspace(3, 0.75, 40).tolist()))
LABELS = ("anger", 'ne"utral', "happin\u00e9ss", "sadness?")
#: Statuses of tfser.h.
OK, NOT_READY, QUIET, NULL, NOT_INITIALISED, BAD_OPTIONS = 0, 1, 2, -1, -4, -5
#: A core with an FPU, whose front end is in single precision, and one without.
FLOAT_CORE, FIXED_CORE = "cortex-m4", "cortex-m3"
#: Steps between a code in C and in Python: float32 and Q22 logarithms against float64, at the edge between two codes.
MOST_STEPS = {FLOAT_CORE: 1, FIXED_CORE: 2}
EQUAL = 0.999
SEED = 7
_SCALE, _ZERO_POINT = 0.0365723, -2


def fitted(**changes: object) -> FeatureSpec:
    """A specification with these fields, and bands normalised as in ``SPEC``."""
    spec = dataclasses.replace(FeatureSpec(), **changes)
    return dataclasses.replace(spec, band_mean=tuple(np.linspace(-5, -8.75, spec.mel_bands).tolist()),
                               band_std=tuple(np.linspace(3, 0.75, spec.mel_bands).tolist()))


def input_of(content: bytes) -> tuple[float, int]:
    """Scale and zero point of a model's input."""
    graph = read_tflite(content).subgraphs[0]
    given = graph.tensors[graph.inputs[0]]
    return float(given.scale[0]), int(given.zero_point[0])


@functools.cache
def small_classifier(values: int = SPEC.frames * SPEC.mel_bands, scale: float = _SCALE) -> bytes:
    """A model of one dense layer, which compiles and runs in no time."""
    graph, rng = Graph(), np.random.default_rng(SEED)
    x = graph.tensor("int8", (1, values), scale=scale, zero_point=_ZERO_POINT)
    weights = graph.tensor("int8", (4, values), data=rng.integers(-127, 128, (4, values)), scale=0.01 / values**0.5)
    bias = graph.tensor("int32", (4,), data=[0] * 4, scale=0.01 / values**0.5 * scale)
    y = graph.tensor("int8", (1, 4), scale=0.02, zero_point=3)
    graph.operator("FULLY_CONNECTED", [x, weights, bias], [y], options=options("FullyConnectedOptions"))
    return graph.finish([x], [y])


def classifier_of(spec: FeatureSpec) -> bytes:
    """A small model for features of this specification."""
    return small_classifier(spec.frames * spec.mel_bands)


def describe(content: bytes, spec: FeatureSpec = SPEC) -> Features:
    """What firmware_gen reads of the features.json that tfser writes for a model of four labels."""
    scale, zero_point = input_of(content)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "features.json"
        write_features_json(path, spec, input_scale=scale, input_zero_point=zero_point, labels=LABELS)
        return read_features(path)


def reference(clips: Iterable[np.ndarray], content: bytes, spec: FeatureSpec = SPEC) -> np.ndarray:
    """Codes [shape=(n, frames * mel_bands)], int8, of the Python features of int16 clips."""
    scale, zero_point = input_of(content)
    x = np.stack([features(clip.astype(np.float32) / 32768, spec) for clip in clips])
    return quantize(x, scale, zero_point).reshape(len(x), -1)


def share_equal(codes: np.ndarray, expected: np.ndarray, core: str) -> float:
    """Share of equal codes; none may be further apart than the core's form allows."""
    apart = np.abs(codes.astype(int) - expected)
    assert apart.max() <= MOST_STEPS[core], f"codes {apart.max()} steps apart"
    return float((apart == 0).mean())


@functools.cache
def real_clips(data: Path, count: int) -> np.ndarray:
    """The first window of recordings spread over both corpora, int16 [shape=(count, clip_samples)]."""
    found = []
    for corpus in ("emodb", "ravdess"):
        paths = sorted(path for path in (data / corpus).rglob("*") if path.suffix in (".flac", ".wav"))
        found += [paths[i] for i in np.linspace(0, len(paths) - 1, count // 2).astype(int)]
    clips = [window_at(read_audio(path, SPEC.sample_rate_hz), 0, SPEC) for path in found]
    return np.clip(np.rint(np.stack(clips) * 32768), -32768, 32767).astype(np.int16)


def odd_clips(samples: int = SPEC.clip_samples) -> np.ndarray:
    """Signals that recordings do not show: silence, one step, clipping, an offset, tones, noise."""
    rng, time = np.random.default_rng(SEED), np.arange(samples)
    return np.clip(np.rint(np.stack([
        np.zeros(samples), np.full(samples, -1), np.full(samples, 32767), np.full(samples, -32768),
        time == samples * 5 // 8, 32767 * np.sign(np.sin(time * 0.3)), np.where(time % 2, 32767, -32768),
        30000 * np.sin(time * 0.7), rng.integers(-32768, 32768, samples), rng.integers(-1, 2, samples),
        5000 + 3 * rng.standard_normal(samples), 90000 * np.sin(time * 0.05) * np.sin(time * 0.0003),
        np.where(time < samples // 2, 0, 1000 * rng.standard_normal(samples))])), -32768, 32767).astype(np.int16)


def write_application(folder: Path, content: bytes, core: str, described: Features) -> list[str]:
    """Put the generated C of a model into a folder; the names of its sources."""
    files = compile_application(content, described, CORES[core]).files
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return sorted(name for name in files if name.endswith(".c"))


class Objects:
    """Object files of the host's compiler; equal sources with equal flags are compiled once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def program(self, folder: Path, main: str, sources: Sequence[str], flags: Sequence[str]) -> str:
        """Link a C program of this folder's tests with an application."""
        objects = [self._object(folder, folder / name, flags) for name in sources]
        program = str(folder / Path(main).stem)
        subprocess.run(["gcc", *flags, str(self._object(folder, HERE / main, flags)), *map(str, objects), "-lm", "-o",
                        program], check=True)
        return program

    def _object(self, folder: Path, source: Path, flags: Sequence[str]) -> Path:
        is_kernel = (resources.files("firmware_gen.kernels") / source.name).is_file()  # includes nothing generated
        headers = [] if is_kernel else sorted(folder.glob("*.h"))
        text = b"\0".join([" ".join(flags).encode(), *(path.read_bytes() for path in (source, *headers))])
        target = self._folder / f"{source.stem}-{hashlib.sha256(text).hexdigest()}.o"
        if not target.exists():
            subprocess.run(["gcc", *STRICT, *flags, f"-I{folder}", "-c", str(source), "-o", str(target)], check=True)
        return target


class Answer(NamedTuple):
    """What a call returned, and the bytes of its result (int8 codes or float32 probabilities) if it has one."""

    status: int
    result: np.ndarray | None


def init(state: int = 0) -> bytes:
    return struct.pack("<3I", ord("i"), state, 0)


def feed(pcm: np.ndarray, state: int = 0) -> bytes:
    return struct.pack("<3I", ord("f"), state, len(pcm)) + np.ascontiguousarray(pcm, "<i2").tobytes()


def set_options(gate_db: float = 0.0, smoothing: float = 0.0, state: int = 0) -> bytes:
    return struct.pack("<3I2f", ord("o"), state, 0, gate_db, smoothing)


def classify(state: int = 0) -> bytes:
    return struct.pack("<3I", ord("c"), state, 0)


def read(state: int = 0) -> bytes:
    return struct.pack("<3I", ord("r"), state, 0)


def cut(pcm: np.ndarray, sizes: Iterable[int], state: int = 0) -> list[bytes]:
    """The samples fed in chunks; the last size counts for what is left."""
    calls, at = [], 0
    for size in sizes:
        calls.append(feed(pcm[at:at + size], state))
        at += size
        if at >= len(pcm):
            return calls
    return [*calls, feed(pcm[at:], state)]


class HostProgram:
    """``calls_main.c`` around the application layer for a core, in its portable form."""

    def __init__(self, folder: Path, content: bytes, core: str, objects: Objects, *, spec: FeatureSpec = SPEC,
                 described: Features | None = None, flags: Sequence[str] = PLAIN) -> None:
        self.core, self.folder, self.spec = core, folder, spec
        self.sources = write_application(folder, content, core, described or describe(content, spec))
        self._program = objects.program(folder, "calls_main.c", self.sources, flags)

    def play(self, calls: Sequence[bytes]) -> list[Answer]:
        """Carry out calls; the program must end well, and say nothing on stderr."""
        done = subprocess.run([self._program], input=b"".join(calls), capture_output=True, check=False, timeout=300)
        assert (done.returncode, done.stderr) == (0, b""), done.stderr[-3000:].decode()
        kinds = {ord("c"): ("<f4", len(LABELS)), ord("r"): ("i1", self.spec.frames * self.spec.mel_bands)}
        answers, at = [], 0
        for call in calls:
            kind, count = kinds.get(call[0], ("i1", 0))
            size = np.dtype(kind).itemsize * count
            result = np.frombuffer(done.stdout, kind, count, at + 4) if count else None
            answers.append(Answer(struct.unpack_from("<i", done.stdout, at)[0], result))
            at += 4 + size
        assert at == len(done.stdout)
        return answers

    def results(self, calls: Sequence[bytes]) -> list[np.ndarray]:
        """The results of calls that must all succeed."""
        answers = self.play(calls)
        assert all(answer.status == OK for answer in answers), [answer.status for answer in answers]
        return [answer.result for answer in answers if answer.result is not None]

    def run(self, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Codes [shape=(n, values)] and probabilities [shape=(n, labels)] of clips, each fed in one call."""
        found = self.results([call for clip in clips for call in (init(), feed(clip), read(), classify())])
        return np.stack(found[::2]), np.stack(found[1::2])
