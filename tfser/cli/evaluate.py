"""``tfser evaluate``: WF1, UAR, WA and macro-F1 of a checkpoint or a .tflite file on a corpus."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from tfser.cli.output import json_option, log, print_json
from tfser.cli.tested_on import ALL, corpus_for, heard_speakers, only
from tfser.cli.train import read_features
from tfser.errors import InputError
from tfser.spec import CORPUS_NAMES, FeatureSpec

_PATH = click.Path(path_type=Path)


@dataclass(frozen=True, eq=False)
class Scored:
    """A model as it is scored: ``split`` says who it was trained on, ``None`` where nobody knows.

    ``parents`` are the checkpoints that it learnt from (see ``tfser.training.lineage``); ``probabilities`` maps
    normalised features [shape=(n, frames, mel_bands)] to [shape=(n, labels)].
    """

    features: FeatureSpec
    labels: tuple[str, ...]
    split: dict[str, Any] | None
    parents: dict[str, Any]
    probabilities: Callable[[np.ndarray], np.ndarray]


@click.command("evaluate")
@click.argument("model", metavar="CHECKPOINT|MODEL.tflite", type=_PATH)
@click.option("--corpus", "corpus_name", type=click.Choice(CORPUS_NAMES), required=True, help="Corpus that ROOT holds.")
@click.option("--root", type=_PATH, required=True, help="Folder with the recordings.")
@click.option("--split", "role", type=click.Choice(("test", "validation", "train", ALL)), default="test",
              show_default=True, help="Whose recordings are scored.")
@json_option
def command(model: Path, corpus_name: str, root: Path, role: str, as_json: bool) -> None:
    """Score a checkpoint or an int8 .tflite file on a corpus.

    The speakers follow from the split that the model was trained with: by default those that it
    has never heard. A recording longer than a clip is heard as 'tfser predict' hears it.
    """
    from tfser.training.data import score_clips, select_all, utterance_probabilities

    scored = load(model)
    corpus = only(role, scored.split, corpus_for(scored.labels, corpus_name, root))
    heard = heard_speakers(scored.split, scored.parents, corpus)
    data = read_features(corpus, scored.features)
    clips = select_all(data, scored.features)
    scores = score_clips(clips, utterance_probabilities(clips, scored.probabilities), corpus.labels)
    known = "" if heard == [] else "on unknown speakers" if heard is None else \
        f"on {len(heard)} of these {len(corpus.speakers)} speakers"
    if known:
        log.print(f"[bold yellow]warning: the model was trained {known}; new speakers are recognised less well",
                  soft_wrap=True)
    if as_json:
        print_json({"model": str(model), "corpus": corpus.name, "split": role,
                    "fingerprint": scored.split and scored.split["fingerprint"], "heard_speakers": heard, **scores})
    else:
        click.echo(_text(scores, f"{corpus.name}, {role} speakers" + f" (trained {known})" * bool(known)))


def load(path: Path) -> Scored:
    """A checkpoint, or a ``.tflite`` file with what lies beside it."""
    if path.suffix == ".tflite":
        from tfser.cli.int8_model import load_int8_model

        int8 = load_int8_model(path)
        return Scored(int8.features.spec, int8.features.labels, *_manifest_origin(path), int8.probabilities)
    from tfser.models.checkpoint import load_checkpoint
    from tfser.training.loop import predictor

    checkpoint, model = load_checkpoint(path)
    return Scored(checkpoint.features, checkpoint.model.labels, checkpoint.split, checkpoint.parents, predictor(model))


def _manifest_origin(path: Path) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Split and parents that ``manifest.json`` beside a model records, if there is one."""
    from tfser.corpora.splits import complete_record

    manifest = path.with_name("manifest.json")
    if not manifest.is_file():
        return None, {}
    try:
        recorded = json.loads(manifest.read_bytes())
        split, card = recorded["split"], recorded.get("card") or {}  # the manifests of earlier versions have no card
        return split and complete_record(split), card.get("parents") or {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("TF-EVAL-02", f"{str(manifest)!r} cannot be read: {type(error).__name__} {error}",
                         expected="the manifest that tfser build wrote", fix="build again") from error


def _text(scores: dict[str, Any], title: str) -> str:
    """The scores as a page of text; the confusion matrix has a row for each true label."""
    labels = list(scores["classes"])
    width = max(map(len, labels))
    lines = [f"{title}: {scores['utterances']} recordings",
             f"WF1 {scores['wf1']:.3f}  UAR {scores['uar']:.3f}  WA {scores['wa']:.3f}  "
             f"macro-F1 {scores['macro_f1']:.3f}", "",
             f"{'label':<{width}}  {'count':>5}  recall     F1  confusion: true row, predicted column"]
    for label, row in zip(labels, scores["confusion"], strict=True):
        entry = scores["classes"][label]
        counts = " ".join(f"{count:>4}" for count in row)
        lines.append(f"{label:<{width}}  {entry['support']:>5}  {_share(entry['recall'])}  {_share(entry['f1'])}  "
                     + counts)
    lines += ["", "speaker  count    UAR     WA"]
    lines += [f"{name:<7}  {entry['utterances']:>5}  {entry['uar']:.3f}  {entry['wa']:.3f}"
              for name, entry in scores["speakers"].items()]
    if groups := scores.get("groups"):
        lines += ["", f"{groups['utterances']} groups by the mean of their clips: WF1 {groups['wf1']:.3f}  "
                  f"UAR {groups['uar']:.3f}  WA {groups['wa']:.3f}  macro-F1 {groups['macro_f1']:.3f}"]
    return "\n".join(lines)


def _share(value: float | None) -> str:
    return "     -" if value is None else f"{value:>6.3f}"
