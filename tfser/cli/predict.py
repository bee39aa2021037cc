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
    import numpy as np

    from tfser.training.data import mean_of

    x = heard_clips(recording, model.features.spec)
    mean = mean_of(np.zeros(len(x), int), model.probabilities(x))[0]
    return {label: float(value) for label, value in zip(model.features.labels, mean, strict=True)}, len(x)


def heard_clips(recording: Path, spec: FeatureSpec) -> np.ndarray:
    """Normalised features [shape=(clips, frames, mel_bands)], float32, of a recording's clips, silent ones left out.

    Raises
    ------
    InputError
        The recording cannot be read, or is silent.
    """
    from tfser.audio.io import read_audio, require_sound
    from tfser.features.clips import heard_features
    from tfser.features.normalise import band_normalise

    y = read_audio(recording, spec.sample_rate_hz)
    require_sound(y, recording)
    return band_normalise(heard_features(y, spec), spec)
