"""Print what the whole firmware hears and takes: recordings of both corpora through the image of each core.

DATA is the folder that holds emodb/ and ravdess/. Each recording goes in one stream through the audio front end and
the model, on an emulated chip and on this machine, and is compared with 'tfser predict': the features, and the label.
The shipped checkpoint of ARCH is built for each core first. A label that differs, or a byte between the chip and this
machine, ends the run with exit code 1.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from firmware_gen.image.host import listen_on_host
from firmware_gen.image.listening import Heard, Recording
from firmware_gen.image.measure import Measured
from firmware_gen.image.simulate import listen_on_chip
from firmware_gen.report.build_folder import read_build_folder
from firmware_gen.report.real_time import listening_load
from firmware_gen.target import CORES
from tfser.cli.firmware import read_sources
from tfser.cli.int8_model import Int8Model, load_int8_model
from tfser.cli.listening_test import expected_features
from tfser.cli.main import main as tfser
from tfser.cli.main import run
from tfser.cli.run_recording import read_recording
from tfser.spec import ARCHITECTURES
from tfser.validate.accuracy import probabilities
from tfser.validate.runtimes import run_tflite_micro

CLOCK_HZ = 120_000_000
HEADER = ("core", "features equal", "most steps", "labels equal", "C here", "front end, instructions/s", "decision",
          "model", f"share of {CLOCK_HZ // 10**6} MHz", "flash B", "RAM B", "stack B")


@dataclass(frozen=True, eq=False)
class Reference:
    """What the host computes of ``clips`` recordings: ``codes`` [shape=(windows, features)], and the label of each."""

    recording: Recording
    first: tuple[int, ...]
    codes: np.ndarray
    labels: np.ndarray


@click.command(help=__doc__)
@click.argument("data", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--arch", type=click.Choice(ARCHITECTURES), default=ARCHITECTURES[0], show_default=True)
@click.option("--clips", default=200, show_default=True, help="Half of them of each corpus.")
@click.option("--core", "cores", type=click.Choice(list(CORES)), multiple=True, help="Only these.  [default: all]")
def main(data: Path, arch: str, clips: int, cores: tuple[str, ...]) -> None:
    click.echo("| " + " | ".join(HEADER) + " |\n" + "|---" * len(HEADER) + "|")
    reference, wrong = None, 0
    with tempfile.TemporaryDirectory() as name:
        for core in cores or CORES:
            folder = Path(name) / core
            build(arch, core, folder)
            model = load_int8_model(folder / "model.tflite")
            reference = reference or listen_in_python(model, chosen(data, clips))
            sources = read_sources(folder)
            heard = listen_on_chip((folder / "firmware.elf").read_bytes(), CORES[core].qemu_machine,
                                   reference.recording)
            hosted = listen_on_host(sources, reference.recording)
            same = all(np.array_equal(getattr(heard, name), getattr(hosted, name))
                       for name in ("features", "outputs", "probabilities"))
            wrong += not same
            wrong += row(core, heard, reference, takes(folder, core, heard, reference), same=same)
    raise SystemExit(int(wrong > 0))


def build(arch: str, core: str, folder: Path) -> None:
    """``tfser build``, its summary not among the table."""
    with contextlib.redirect_stdout(sys.stderr):
        if tfser(["build", "--arch", arch, "--target", core, "--out", str(folder), "--export", "none"]):
            raise SystemExit(1)


def chosen(data: Path, count: int) -> list[Path]:
    """Recordings spread over both corpora."""
    found = []
    for corpus in ("emodb", "ravdess"):
        paths = sorted(path for path in (data / corpus).rglob("*") if path.suffix in {".flac", ".wav"})
        found += [paths[index] for index in np.linspace(0, len(paths) - 1, count // 2).astype(int)]
    return found


def listen_in_python(model: Int8Model, paths: list[Path]) -> Reference:
    """What ``tfser predict`` does, window by window."""
    document, spec = model.features, model.features.spec
    one_by_one = [read_recording(path, document) for path in paths]
    parts = [expected_features(recording, document) for recording in one_by_one]
    first = np.cumsum([0, *(len(part) for part in parts[:-1])])
    codes = np.concatenate(parts)
    outputs = run_tflite_micro(model.content, codes.reshape(-1, spec.frames, spec.mel_bands))
    every = probabilities(outputs, model.output_scale, model.output_zero_point)
    whole = Recording(tuple(stretch for recording in one_by_one for stretch in recording.stretches),
                      spec.sample_rate_hz, len(document.labels))
    return Reference(whole, tuple(first.tolist()), codes, decisions(every, first))


def decisions(every: np.ndarray, first: Any) -> np.ndarray:
    """Index of the label of each recording, whose windows begin at ``first`` of ``every`` probability."""
    return np.array([windows.mean(axis=0).argmax() for windows in np.split(every, list(first)[1:])])


def takes(folder: Path, core: str, heard: Heard, reference: Reference) -> dict[str, int]:
    """The build's figures, with the instructions on these recordings."""
    counted = Measured.of_heard(heard, CORES[core], reference.recording.sample_rate_hz).figures
    return {**read_build_folder(folder).measured, **counted}


def row(core: str, heard: Heard, reference: Reference, figures: dict[str, int], *, same: bool) -> int:
    """Print a line; the number of labels that differ."""
    apart = np.abs(heard.features.astype(int) - reference.codes)
    right = decisions(heard.probabilities.astype(float), reference.first) == reference.labels
    load = listening_load(figures)
    cells = [core, f"{(apart == 0).mean():.4%}", str(apart.max()), f"{right.sum()} of {right.size}",
             "same bytes" if same else "other bytes",
             *(f"{figures[key]:,}" for key in (
                 "frontend_instructions_per_second", "decision_instructions", "instructions_per_inference")),
             *((f"{load.instructions_per_second / CLOCK_HZ:.1%}", f"{load.flash_bytes:,}", f"{load.ram_bytes:,}")
               if load else ()), f"{figures['stack_bytes']:,}"]
    click.echo("| " + " | ".join(cells) + " |")
    return int((~right).sum())


if __name__ == "__main__":
    run(main)
