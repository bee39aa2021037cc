"""``tfser evaluate``: WF1, UAR, WA and macro-F1 of a checkpoint or a .tflite file on a corpus."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from tfser.cli.output import json_option, log, print_json
from tfser.cli.train import FOLDS, read_features
from tfser.errors import InputError
from tfser.spec import FeatureSpec

if TYPE_CHECKING:
    from tfser.corpora.manifest import Corpus

ALL = "all"
TRAINED_ON = ("train", ALL)
_PATH = click.Path(path_type=Path)


@dataclass(frozen=True, eq=False)
class Scored:
    """A model as it is scored: ``split`` says who it was trained on, ``None`` where nobody knows.

    ``probabilities`` maps normalised features [shape=(n, frames, mel_bands)] to [shape=(n, labels)].
    """

    features: FeatureSpec
    labels: tuple[str, ...]
    split: dict[str, Any] | None
    probabilities: Callable[[np.ndarray], np.ndarray]


@click.command("evaluate")
@click.argument("model", metavar="CHECKPOINT|MODEL.tflite", type=_PATH)
@click.option("--corpus", "corpus_name", type=click.Choice(tuple(FOLDS)), required=True, help="Corpus that ROOT holds.")
@click.option("--root", type=_PATH, required=True, help="Folder with the recordings.")
@click.option("--split", "role", type=click.Choice(("test", "validation", "train", ALL)), default="test",
              show_default=True, help="Whose recordings are scored.")
@json_option
def command(model: Path, corpus_name: str, root: Path, role: str, as_json: bool) -> None:
    """Score a checkpoint or an int8 .tflite file on a corpus.

    The speakers follow from the split that the model was trained with: by default those that it
    has never heard. Of a recording longer than a clip, the loudest clip is scored.
    """
    from tfser.corpora import load_corpus
    from tfser.training.data import score_clips, select

    scored = load(model)
    corpus = load_corpus(corpus_name, root)
    if scored.labels != corpus.labels:
        raise InputError("TF-EVAL-01", f"model {str(model)!r} with labels {', '.join(scored.labels)}",
                         expected=f"the labels of {corpus.name}: {', '.join(corpus.labels)}",
                         fix="choose the --corpus that the model was trained on")
    speakers = speakers_of(role, scored.split, corpus)
    wanted = tuple(utterance for utterance in corpus.utterances if utterance.speaker in speakers)
    data = read_features(dataclasses.replace(corpus, utterances=wanted), scored.features)
    clips = select(data, np.full(len(data.x), True), scored.features)
    scores = score_clips(clips, scored.probabilities(clips.x), corpus.labels)
    if role in TRAINED_ON:
        log.print(f"[bold yellow]warning: '{role}' holds speakers that the model was trained on; "
                  "new speakers are recognised less well", soft_wrap=True)
    if as_json:
        print_json({"model": str(model), "corpus": corpus.name, "split": role,
                    "fingerprint": scored.split and scored.split["fingerprint"], **scores})
    else:
        click.echo(_text(scores, f"{corpus.name}, {role} speakers"))


def load(path: Path) -> Scored:
    """A checkpoint, or a ``.tflite`` file with what lies beside it."""
    if path.suffix == ".tflite":
        from tfser.cli.int8_model import load_int8_model

        int8 = load_int8_model(path)
        return Scored(int8.features.spec, int8.features.labels, _manifest_split(path), int8.probabilities)
    from tfser.models.checkpoint import load_checkpoint
    from tfser.training.loop import predictor

    checkpoint, model = load_checkpoint(path)
    return Scored(checkpoint.features, checkpoint.model.labels, checkpoint.split, predictor(model))


def _manifest_split(path: Path) -> dict[str, Any] | None:
    """The split that ``manifest.json`` beside a model records, if there is one."""
    manifest = path.with_name("manifest.json")
    if not manifest.is_file():
        return None
    try:
        return json.loads(manifest.read_bytes())["split"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("TF-EVAL-02", f"{str(manifest)!r} cannot be read: {type(error).__name__} {error}",
                         expected="the manifest that tfser build wrote", fix="build again") from error


def speakers_of(role: str, recorded: dict[str, Any] | None, corpus: Corpus) -> tuple[str, ...]:
    """The speakers of a role, provided that the corpus is the one that the model was trained on.

    Raises
    ------
    InputError
        The model's split is not known, is of another corpus, or comes out differently here.
    """
    from tfser.corpora.splits import make_split

    if role == ALL:
        return corpus.speakers
    if recorded is None or recorded["corpus"] != corpus.name:
        trained = "an unknown corpus" if recorded is None else recorded["corpus"]
        raise InputError("TF-EVAL-03", f"the {role} speakers of {corpus.name}, for a model trained on {trained}",
                         expected=f"a model that records its split of {corpus.name}",
                         fix="score every speaker with --split all")
    split = make_split(corpus, folds=recorded["folds"], fold=recorded["fold"])
    if split.fingerprint != recorded["fingerprint"]:
        raise InputError("TF-EVAL-04", f"a copy of {corpus.name} that is not the one trained on: its split has the "
                         f"fingerprint {split.fingerprint[:12]}", expected=recorded["fingerprint"][:12],
                         fix="point --root at the whole corpus, or score every speaker with --split all")
    return getattr(split, role)


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
