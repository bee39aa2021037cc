"""The example of a build folder: real recordings, wrong ones, and every board says what the host program says."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from exported import needs
from features.front_end import (
    LABELS,
    QUIET,
    SANITIZE,
    SPEC,
    STRICT,
    HostProgram,
    Objects,
    classify,
    describe,
    feed,
    init,
    set_options,
    small_classifier,
)

from firmware_gen.compile import compile_application, compile_model
from firmware_gen.errors import InputError
from firmware_gen.export.examples import write_examples
from firmware_gen.target import CORES
from tfser.audio.io import read_audio

pytestmark = needs("gcc", "make")

CORE = "cortex-m4"
RATE, WINDOW, STEP = SPEC.sample_rate_hz, SPEC.clip_samples, SPEC.sample_rate_hz // 2
WARNINGS = " ".join(STRICT[1:])
SEED = 11
#: The board of a core, and the core whose files it is tested with: three cores share theirs.
BOARDS = {core.qemu_machine: CORE if core.dsp and not core.helium else name for name, core in CORES.items()}


class Said(NamedTuple):
    code: int
    results: str
    errors: str


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def form(*, tag: int = 1, channels: int = 1, rate: int = RATE, bits: int = 16, more: bytes = b"") -> bytes:
    frame = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits) + more)


def wav(pcm: np.ndarray, before: bytes | None = None) -> bytes:
    """A WAV file with these chunks before its samples."""
    chunks = (form() if before is None else before) + chunk(b"data", np.ascontiguousarray(pcm, "<i2").tobytes())
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks


def noise(samples: int, level: float = 800) -> np.ndarray:
    return np.random.default_rng(SEED).normal(0, level, samples).astype(np.int16)


def build(folder: Path, content: bytes, core: str, target: str = "host", **variables: str) -> Path:
    """Write the generated C with its example, and make a program; the example's folder."""
    files = compile_application(content, describe(content), CORES[core]).files
    for name, text in files.items():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    write_examples(files, folder / "examples", CORES[core])
    make(folder / "examples", target, **variables)
    return folder / "examples"


def environment() -> dict[str, str]:
    """Without what make hands on: the suite itself is run by one, and a make below another says so in its messages."""
    return {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}


def make(examples: Path, target: str, **variables: str) -> Said:
    done = subprocess.run(["make", "-s", "-j2", target, *(f"{name}={value}" for name, value in variables.items())],
                          cwd=examples, env=environment(), capture_output=True, text=True, check=False, timeout=120)
    assert target.startswith("run-") or done.returncode == 0, done.stderr
    errors = [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]
    return Said(done.returncode, done.stdout, "\n".join(errors))


def listen(examples: Path, *arguments: str | Path) -> Said:
    done = subprocess.run([examples / "build/host/classify", *arguments], capture_output=True, text=True, check=False,
                          timeout=60)
    return Said(done.returncode, done.stdout, done.stderr.rstrip("\n"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("plain"), small_classifier(), CORE, CC="gcc", CFLAGS=f"-O2 {WARNINGS}")


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("checked"), small_classifier(), CORE, CC="gcc", CFLAGS=" ".join(SANITIZE))


@pytest.fixture(scope="module")
def other_path(tmp_path_factory: pytest.TempPathFactory) -> HostProgram:
    """The same application layer, called by a program of its own."""
    folder = tmp_path_factory.mktemp("other")
    return HostProgram(folder / "program", small_classifier(), CORE, Objects(folder / "objects"))


@pytest.fixture(scope="module")
def speech(shared_data: Path) -> list[np.ndarray]:
    """Whole recordings of both corpora, int16."""
    found = []
    for corpus in ("emodb", "ravdess"):
        paths = sorted((shared_data / corpus).rglob("*.flac"))
        found += [read_audio(paths[i], RATE) for i in np.linspace(0, len(paths) - 1, 8).astype(int)]
    return [np.clip(np.rint(y * 32768), -32768, 32767).astype(np.int16) for y in found]


def line(samples: int, probability: np.ndarray | None) -> str:
    if probability is None:
        return f"{samples / RATE:.3f} s  (quiet)\n"
    thousandths = int(probability.max() * np.float32(1000) + np.float32(0.5))
    return f"{samples / RATE:.3f} s  {LABELS[int(probability.argmax())]}  {thousandths / 1000:.3f}\n"


def window_by_window(program: HostProgram, pcm: np.ndarray) -> str:
    """Every window as a clip of its own; what is missing of the first is silence."""
    pcm = np.pad(pcm, (0, max(0, WINDOW - len(pcm))))
    ends = range(WINDOW, len(pcm) + 1, STEP)
    _, found = program.run(np.stack([pcm[end - WINDOW:end] for end in ends]))
    return "".join(line(end, probability) for end, probability in zip(ends, found, strict=True))


def in_one_stream(program: HostProgram, pcm: np.ndarray, gate_db: float, smoothing: float) -> str:
    calls, ends = [init(), set_options(gate_db, smoothing)], range(WINDOW, len(pcm) + 1, STEP)
    for start, end in zip([0, *ends], ends, strict=False):
        calls += [feed(pcm[start:end]), classify()]
    answers = program.play(calls)[3::2]
    return "".join(line(end, None if answer.status == QUIET else answer.result)
                   for end, answer in zip(ends, answers, strict=True))


def test_real_recordings(speech: list[np.ndarray], plain: Path, other_path: HostProgram, tmp_path: Path) -> None:
    labels = set()
    for i, pcm in enumerate(speech):
        (tmp_path / f"{i}.wav").write_bytes(wav(pcm))
        said = listen(plain, tmp_path / f"{i}.wav")
        assert (said.code, said.results) == (0, window_by_window(other_path, pcm))
        assert ("silence is added up to" in said.errors) == (len(pcm) < WINDOW)
        labels |= set(re.findall(r" s  (.+)  ", said.results))
    assert labels == set(LABELS)
    assert {len(pcm) < WINDOW for pcm in speech} == {True, False}


def test_gate_and_smoothing(plain: Path, other_path: HostProgram, tmp_path: Path) -> None:
    pcm = np.concatenate([noise(WINDOW + STEP), noise(WINDOW, 1) // 2, noise(2 * WINDOW, 300)])
    (tmp_path / "clip.wav").write_bytes(wav(pcm))
    without = listen(plain, tmp_path / "clip.wav").results
    assert without == window_by_window(other_path, pcm) == in_one_stream(other_path, pcm, 0, 0)
    said = listen(plain, "--smoothing", ".75", "--gate", "40.0", tmp_path / "clip.wav")
    assert (said.code, said.results) == (0, in_one_stream(other_path, pcm, 40, 0.75))
    assert 0 < said.results.count("(quiet)") < said.results.count("\n") - 2
    assert said.results.splitlines()[0] == without.splitlines()[0]
    assert not set(said.results.splitlines()[1:]) & set(without.splitlines())


def test_forms_of_the_same_file(checked: Path, tmp_path: Path) -> None:
    """Chunks that are not for us, of odd sizes too, and the long form of the format; the rest is not heard."""
    pcm, extensible = noise(WINDOW + STEP), struct.pack("<HHIH", 22, 16, 4, 1) + bytes.fromhex(
        "000000001000800000aa00389b71")
    said = set()
    for content in (wav(pcm), wav(pcm, chunk(b"LIST", b"odd") + form() + chunk(b"fact", bytes(400))),
                    wav(pcm, form(tag=0xFFFE, more=extensible)), wav(pcm, form(more=b"\0\0")), wav(pcm) + b"junk"):
        (tmp_path / "clip.wav").write_bytes(content)
        said.add(listen(checked, tmp_path / "clip.wav"))
    assert [one.code for one in said] == [0]


GOOD = wav(noise(WINDOW + STEP))
FORMAT = r"expected format 1 \(PCM\), channels 1, Hz 16000, bits 16; convert it:\n  ffmpeg .* -ac 1 -ar 16000 "
WRONG = {
    "stereo": (wav(noise(9), form(channels=2)), rf"format 1, channels 2, Hz 16000, bits 16\n.*{FORMAT}"),
    "rate": (wav(noise(9), form(rate=44100)), rf"format 1, channels 1, Hz 44100, bits 16\n.*{FORMAT}"),
    "24 bits": (wav(noise(9), form(bits=24)), rf"format 1, channels 1, Hz 16000, bits 24\n.*{FORMAT}"),
    "float": (wav(noise(9), form(tag=3, bits=32)), rf"format 3, channels 1, Hz 16000, bits 32\n.*{FORMAT}"),
    "extensible float": (wav(noise(9), form(tag=0xFFFE, more=struct.pack("<HHIH", 22, 16, 4, 3))), "format 3, "),
    "extensible cut": (wav(noise(9), form(tag=0xFFFE)), "format 65534, "),
    "no samples": (wav(noise(0)), "holds no samples$"),
    "half a sample": (wav(noise(0))[:-4] + b"\1\0\0\0x", "holds no samples$"),
    "empty": (b"", "is not a WAV file$"),
    "flac": (b"fLaC" + bytes(50), "is not a WAV file$"),
    "riff": (GOOD.replace(b"WAVE", b"AVI "), "is not a WAV file$"),
    "before its format": (wav(noise(WINDOW), b""), "is cut or damaged: no samples follow its format$"),
    "format too small": (wav(noise(9), chunk(b"fmt ", bytes(14))), "is cut or damaged: "),
    "format cut": (GOOD[:30], "is cut or damaged: "),
    "chunk cut": (GOOD[:36] + b"LIST\xff\xff\xff\xff" + bytes(999), "is cut or damaged: "),
    "no samples' chunk": (GOOD[:36], "is cut or damaged: "),
    "cut after the header": (GOOD[:44], r"is cut: it ends after 0\.000 s, and its header promises 2\.512 s$"),
    "cut": (GOOD[:44 + 2 * 24000 + 1], r"is cut: it ends after 1\.500 s, and its header promises 2\.512 s$"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_file_is_refused(checked: Path, tmp_path: Path, kind: str) -> None:
    content, message = WRONG[kind]
    (tmp_path / "clip.wav").write_bytes(content)
    said = listen(checked, tmp_path / "clip.wav")
    assert (said.code, said.results) == (2, "")
    assert said.errors.startswith(f"classify: {tmp_path / 'clip.wav'}")
    assert re.search(message, said.errors)


def test_a_cut_file_is_heard_as_far_as_it_goes(checked: Path, tmp_path: Path) -> None:
    for name, content in (("good", GOOD), ("cut", GOOD[:-2])):
        (tmp_path / f"{name}.wav").write_bytes(content)
    good, cut = (listen(checked, tmp_path / f"{name}.wav") for name in ("good", "cut"))
    assert (good.code, cut.code) == (0, 2)
    assert good.results.splitlines(keepends=True)[:1] == [cut.results]
    assert "it ends after 2.511 s" in cut.errors


def test_damaged_files_do_no_harm(checked: Path, tmp_path: Path) -> None:
    rng, codes = np.random.default_rng(SEED), set()
    start = wav(noise(40), chunk(b"LIST", b"odd") + form(tag=0xFFFE, more=bytes(24)))
    for _ in range(100):
        content = bytearray(start[:int(rng.integers(len(start)))] if rng.random() < 0.3 else start)
        for at in rng.integers(0, max(len(content), 1), int(rng.integers(1, 5))) if content else ():
            content[at] = int(rng.choice([0, 1, 2, 127, 128, 255, int(rng.integers(256))]))
        (tmp_path / "clip.wav").write_bytes(bytes(content))
        said = listen(checked, tmp_path / "clip.wav")
        codes.add(said.code)
        assert said.errors.startswith("classify: "), said.errors
    assert codes <= {0, 2}


@pytest.mark.parametrize("arguments", [
    (), ("",), ("--help",), ("--gate", "20"), ("clip.wav", "other.wav"), ("--gate", "clip.wav"),
    *((name, value, "clip.wav") for name in ("--gate", "--smoothing", "--loud")
      for value in ("-1", "", ".", "1e0", "1.0.0", "nan", "inf", "1001", "9" * 60, "1." + "0" * 60))])
def test_wrong_arguments(checked: Path, tmp_path: Path, arguments: Sequence[str]) -> None:
    (tmp_path / "clip.wav").write_bytes(GOOD)
    said = listen(checked, *(tmp_path / part if part.endswith(".wav") else part for part in arguments))
    assert (said.code, said.results) == (2, "")
    expected = "cannot be opened" if arguments == ("",) else "expected [--gate DB, 0 to 1000] [--smoothing SHARE, 0 to"
    assert expected in said.errors


def test_missing_files_and_a_full_disk(checked: Path, tmp_path: Path) -> None:
    assert listen(checked, tmp_path / "none.wav") == (2, "", f"classify: {tmp_path / 'none.wav'} cannot be opened")
    assert listen(checked, tmp_path) == (2, "", f"classify: {tmp_path} is not a WAV file")
    (tmp_path / "clip.wav").write_bytes(GOOD)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([checked / "build/host/classify", tmp_path / "clip.wav"], stdout=full,
                              stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (2, b"classify: the results cannot be written\n")


@pytest.fixture(scope="module")
def boards_host(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of a Conformer by core, with the host program."""
    content, folder = (shared_models / "conformer_bn.tflite").read_bytes(), tmp_path_factory.mktemp("boards")
    return {core: build(folder / core, content, core) for core in sorted(set(BOARDS.values()))}


@needs("arm-none-eabi-gcc", "qemu-system-arm")
@pytest.mark.parametrize("board", BOARDS)
def test_a_board_says_what_the_host_says(boards_host: dict[str, Path], board: str, tmp_path: Path) -> None:
    examples = boards_host[BOARDS[board]]
    make(examples, board, ARM_CFLAGS=f"-O2 {WARNINGS}")
    sounds = {"two words.wav": wav(np.concatenate([noise(WINDOW, 1) // 2, noise(WINDOW), 20 * noise(WINDOW)])),
              "short.wav": wav(noise(RATE)), "cut.wav": GOOD[:-999], "stereo.wav": WRONG["stereo"][0]}
    for name, content in sounds.items():
        (tmp_path / name).write_bytes(content)
    codes = []
    for name, options in (*((name, "") for name in (*sounds, "none.wav")),
                          ("two words.wav", "--gate 40 --smoothing 0.5"), ("short.wav", "--gate")):
        given = {"WAV": str(tmp_path / name), "OPTIONS": options}
        on_board = make(examples, f"run-{board}", **given)
        assert on_board == make(examples, "run-host", **given)
        codes.append((on_board.code, on_board.results.count("\n")))
    assert codes == [(0, 9), (0, 1), (2, 1), (2, 0), (2, 0), (0, 9), (2, 0)]


@needs("arm-none-eabi-gcc")
def test_a_core_that_the_arena_was_not_planned_for_is_refused(boards_host: dict[str, Path]) -> None:
    done = subprocess.run(["make", "-s", "mps2-an385"], cwd=boards_host[CORE], env=environment(),
                          capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "compile the model again for this core" in done.stderr


def test_the_readmes_commands_are_ones_that_make_takes(plain: Path) -> None:
    text = (plain / "README.md").read_text()
    commands = re.findall(r"^make .*$", text, re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        subprocess.run(["bash", "-c", command.replace("make", "make -n", 1)], cwd=plain, check=True,
                       stdout=subprocess.DEVNULL)
    assert "`mps2-an386`. It gives" in text
    assert set(re.findall(r"`([\w.]+\.[ch])`", text)) == {path.name for path in plain.glob("*.c")} | {"recording.h"}


def test_same_files_same_bytes_and_only_with_an_application(tmp_path: Path) -> None:
    content = small_classifier()
    files = compile_application(content, describe(content), CORES[CORE]).files
    for name in ("one", "two"):
        write_examples(dict(sorted(files.items(), reverse=name == "two")), tmp_path / name, CORES[CORE])
    texts = [{path.relative_to(tmp_path / name).as_posix(): path.read_bytes() for path in (tmp_path / name).rglob("*")
              if path.is_file()} for name in ("one", "two")]
    assert texts[0] == texts[1]
    assert max(len(text) for content in texts[0].values() for text in content.decode().splitlines()) <= 120
    with pytest.raises(InputError, match=r"generated files without tfser\.h") as caught:
        write_examples(compile_model(content, CORES[CORE]).files, tmp_path / "three", CORES[CORE])
    assert caught.value.code == "FG-EXPORT-09"
    assert not (tmp_path / "three").exists()


@pytest.mark.skipif(shutil.which("clang") is None, reason="needs clang")
def test_clang_takes_it(plain: Path, tmp_path: Path) -> None:
    for source in ("classify.c", "wav.c", "recording_host.c"):
        subprocess.run(["clang", *STRICT, "-I.", "-I..", "-c", source, "-o", os.fspath(tmp_path / "a.o")], cwd=plain,
                       check=True)
