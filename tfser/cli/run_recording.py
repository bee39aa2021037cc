"""Puts a recording through the firmware: samples in, label out, on an emulated chip or on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from firmware_gen.frontend.features import read_features
from firmware_gen.image.host import listen_on_host
from firmware_gen.image.link import link_image
from firmware_gen.image.listening import Heard, Recording, record
from firmware_gen.image.measure import Measured
from firmware_gen.image.simulate import listen_on_chip, simulate
from firmware_gen.report.real_time import Load, listening_load, real_time
from firmware_gen.target import CORES, Core
from tfser.cli.firmware import LISTENING_FIGURES, RUN_FIGURES, compile_named, planned_figures
from tfser.cli.output import log
from tfser.cli.run_folder import FEATURES_FILE, Result, Runnable, RunOptions, image_of, profile_of
from tfser.errors import InputError
from tfser.features.document import FeatureDocument, read_features_json


def run_recording(runnable: Runnable, path: Path, options: RunOptions) -> Result:
    """Hear a recording as a device would, in one stream, and average the probabilities of its windows.

    Parameters
    ----------
    runnable : Runnable
        From :func:`tfser.cli.run_folder.open_runnable`.
    path : Path
        Any sound file.
    options : RunOptions

    Raises
    ------
    InputError
        The firmware takes no recordings, or this one cannot be read or is silent.
    ToolError
        A compiler or the emulator is missing, or fails.
    """
    document = _require_hearing(runnable, path)
    recording = read_recording(path, document)
    figures: dict[str, int | None] = {**runnable.figures, **dict.fromkeys((*RUN_FIGURES, *LISTENING_FIGURES))}
    steps: list[dict[str, str | int]] = []
    loads: dict[str, Load | None] = {}
    if options.runner == "host":
        heard = listen_on_host(runnable.sources, recording)
    else:
        core = runnable.core
        image, sizes = image_of(runnable)
        heard = listen_on_chip(image, core.qemu_machine, recording)
        figures.update({**sizes, **Measured.of_heard(heard, core, recording.sample_rate_hz).figures})
        loads = {core.name: listening_load(figures, options.decide_every_s)}
        if options.all_boards:
            loads.update(_other_loads(runnable, recording, options.decide_every_s))
        steps = profile_of(runnable, simulate(image, core.qemu_machine, heard.features), heard.features) \
            if options.profile else []
    outputs = heard.outputs.reshape(-1, *runnable.ends[1].shape)
    return Result(outputs, figures, steps, _decision(heard, document), real_time(loads, options.decide_every_s))


def read_recording(path: Path, document: FeatureDocument) -> Recording:
    """Samples of a sound file, with a decision at the end of each window in which something is heard.

    Raises
    ------
    InputError
        The recording cannot be read, or is silent.
    """
    from tfser.audio.io import from_pcm16, read_audio, require_sound, to_pcm16
    from tfser.features.clips import heard_starts

    spec = document.spec
    y = read_audio(path, spec.sample_rate_hz)
    require_sound(y, path)
    pcm = to_pcm16(y)
    padded = np.pad(pcm, (0, max(0, spec.clip_samples - len(pcm))))
    ends = [start + spec.clip_samples for start in heard_starts(from_pcm16(pcm), spec)]
    return record([(padded, ends)], spec.sample_rate_hz, len(document.labels))


def _require_hearing(runnable: Runnable, path: Path) -> FeatureDocument:
    if not path.is_file():
        raise InputError("TF-SIM-05", f"input {str(path)!r} does not exist or is not a file",
                         expected="an .npy file or a recording", fix="check the path")
    if not runnable.hears or not runnable.features_path.is_file():
        raise InputError("TF-SIM-06", f"{str(runnable.path)!r} has no {FEATURES_FILE} or no audio front end, so it "
                                      "takes no recordings",
                         expected="a folder of 'tfser build', or a model with its features.json beside it",
                         fix="give the model's int8 input as an .npy file")
    return read_features_json(runnable.features_path)


def _other_loads(runnable: Runnable, recording: Recording, decide_every_s: float) -> dict[str, Load | None]:
    """Load by name of every core but the folder's own, counted up to the first decision."""
    first = Recording(recording.stretches[:1], recording.sample_rate_hz, recording.labels)
    return {core.name: listening_load(_measure(runnable, first, core), decide_every_s)
            for core in CORES.values() if core != runnable.core}


def _measure(runnable: Runnable, recording: Recording, core: Core) -> dict[str, int | None]:
    log.print(f"compiling for {core.name}")
    features = read_features(runnable.features_path)
    compiled = compile_named(runnable.path.read_bytes(), core, str(runnable.path), features)
    image = link_image(compiled.files, core)
    heard = listen_on_chip(image, core.qemu_machine, recording)
    return {**planned_figures(compiled), **Measured.of_image(image).figures,
            **Measured.of_heard(heard, core, recording.sample_rate_hz).figures}


def _decision(heard: Heard, document: FeatureDocument) -> dict[str, Any]:
    mean = heard.probabilities.astype(float).mean(axis=0)
    by_label = {label: float(value) for label, value in zip(document.labels, mean, strict=True)}
    return {"label": max(by_label, key=lambda name: by_label[name]), "probabilities": by_label,
            "clips": len(heard.statuses)}
