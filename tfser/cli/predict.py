"""``tfser predict``: label and probabilities of a recording, as the device would give them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tfser.cli.output import json_option, print_json

if TYPE_CHECKING:
    import numpy as np

    from tfser.cli.int8_model import Int8Model
    from tfser.spec import FeatureSpec

_PATH = click.Path(path_type=Path)


@click.command("predict")
@click.argument("model", metavar="MODEL.tflite", type=_PATH)
@click.argument("recording", metavar="RECORDING", type=_PATH)
@json_option
def command(model: Path, recording: Path, as_json: bool) -> None:
    """Label and probabilities of a recording, computed on this machine.

    MODEL.tflite comes from 'tfser build'; its features.json must lie beside it. RECORDING is any
    sound file. One longer than the model's clip is cut into clips that overlap by half, silent
    ones left out, and their probabilities are averaged.
    """
    from tfser.cli.int8_model import load_int8_model

    probabilities, clips = predict(load_int8_model(model), recording)
    label = max(probabilities, key=lambda name: probabilities[name])
    if as_json:
        print_json({"label": label, "probabilities": probabilities, "clips": clips})
        return
    click.echo(label)
    for name, probability in sorted(probabilities.items(), key=lambda item: -item[1]):
        click.echo(f"  {name:<{max(map(len, probabilities))}}  {probability:.3f}")


def predict(model: Int8Model, recording: Path) -> tuple[dict[str, float], int]:
    """Probability of each label, in the model's order, and the number of clips that were averaged.

    Raises
    ------
    InputError
        The recording cannot be read, or is silent.
    """
    x = heard_clips(recording, model.features.spec)
    mean = model.probabilities(x).mean(axis=0)
    return {label: float(value) for label, value in zip(model.features.labels, mean, strict=True)}, len(x)


def heard_clips(recording: Path, spec: FeatureSpec) -> np.ndarray:
    """Normalised features [shape=(clips, frames, mel_bands)], float32, of a recording's clips, silent ones left out.

    Of 16-bit samples, as a device has them.

    Raises
    ------
    InputError
        The recording cannot be read, or is silent.
    """
    import numpy as np

    from tfser.audio.io import from_pcm16, read_audio, require_sound, to_pcm16
    from tfser.features.clips import heard_starts, window_at
    from tfser.features.normalise import features

    y = read_audio(recording, spec.sample_rate_hz)
    require_sound(y, recording)
    y = from_pcm16(to_pcm16(y))
    return np.stack([features(window_at(y, start, spec), spec) for start in heard_starts(y, spec)])
