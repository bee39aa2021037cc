"""How the scores of checkpoints fall when the recordings of their test speakers are heard elsewhere.

Each checkpoint is scored on its own test speakers: as recorded, in white and in pink noise of several
signal-to-noise ratios, and in a room. Noise and room of a recording follow from its id, so that all
checkpoints hear the same. Prints one JSON object: WF1 and UAR by condition, the mean over the checkpoints.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

from tfser.audio.augment import noisy, reverberate
from tfser.cli.evaluate import load
from tfser.cli.main import run
from tfser.cli.output import log, print_json
from tfser.cli.tested_on import corpus_for, only
from tfser.spec import CORPUS_NAMES

SNRS_DB = (20, 10, 5, 0)
SCORES = ("wf1", "uar")
RATE_HZ = 16000  # of every backbone's features
Condition = Callable[[np.ndarray, np.random.Generator], np.ndarray]

CONDITIONS: Mapping[str, Condition] = {
    "as recorded": lambda y, rng: y,
    **{f"{colour} noise, SNR {snr_db} dB":
       lambda y, rng, snr_db=snr_db, pink=colour == "pink": noisy(y, snr_db, rng, pink=pink)
       for colour in ("white", "pink") for snr_db in SNRS_DB},
    "room": lambda y, rng: reverberate(y, RATE_HZ, rng),
}


@click.command(help=__doc__)
@click.argument("models", metavar="CHECKPOINT...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--corpus", type=click.Choice(CORPUS_NAMES), required=True, help="Corpus that ROOT holds.")
@click.option("--root", type=click.Path(path_type=Path), required=True, help="Folder with the recordings.")
def main(models: tuple[Path, ...], corpus: str, root: Path) -> None:
    measured = []
    for model in models:
        measured.append(measure(model, corpus, root))
        log.print(f"{model}  " + "  ".join(f"{name} {scores['wf1']:.3f}" for name, scores in measured[-1].items()),
                  markup=False, soft_wrap=True)
    mean = {name: {score: float(np.mean([scores[name][score] for scores in measured])) for score in SCORES}
            for name in CONDITIONS}
    print_json({"checkpoints": len(models), "corpus": corpus, "conditions": mean})


def measure(model: Path, corpus_name: str, root: Path) -> dict[str, dict[str, Any]]:
    """Scores of one checkpoint by condition."""
    from tfser.features.dataset import corpus_features
    from tfser.training.data import score_clips, select_all, utterance_probabilities

    scored = load(model)
    corpus = only("test", scored.split, corpus_for(scored.labels, corpus_name, root))
    scores = {}
    for name, condition in CONDITIONS.items():
        def changed(y: np.ndarray, utterance_id: str, condition: Condition = condition) -> list[np.ndarray]:
            return [condition(y, np.random.default_rng(zlib.crc32(utterance_id.encode())))]

        data = corpus_features(corpus, scored.features, changed)
        clips = select_all(data, scored.features)
        every = score_clips(clips, utterance_probabilities(clips, scored.probabilities), corpus.labels)
        scores[name] = {score: every[score] for score in SCORES}
    return scores


if __name__ == "__main__":
    run(main)
