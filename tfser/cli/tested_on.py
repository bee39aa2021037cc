"""On whom a trained model is scored: the recordings of a role of its split, and who of them it has heard before."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfser.errors import InputError

if TYPE_CHECKING:
    from tfser.corpora.manifest import Corpus

ALL = "all"


def corpus_for(labels: tuple[str, ...], name: str, root: Path) -> Corpus:
    """The corpus ``name`` with the labels of a model, of which it may lack some.

    Raises
    ------
    InputError
        The corpus cannot be read, or has a label that the model has not.
    """
    from tfser.corpora import load_corpus

    corpus = load_corpus(name, root)
    if not set(corpus.labels) <= set(labels):
        raise InputError("TF-EVAL-01", f"a model with the labels {', '.join(labels)}",
                         expected=f"the labels of {corpus.name}: {', '.join(corpus.labels)}",
                         fix="choose the --corpus that the model was trained on")
    return dataclasses.replace(corpus, labels=labels)


def only(role: str, recorded: dict[str, Any] | None, corpus: Corpus) -> Corpus:
    """The corpus with the recordings of a role alone, provided that it is the one that the model was trained on.

    Parameters
    ----------
    role : str
        ``train``, ``validation``, ``test``, or ``ALL`` for any corpus as it is.
    recorded : dict, optional
        The split that the model was trained with; ``None`` where nobody knows.

    Raises
    ------
    InputError
        The model's split is not known, is of another corpus, comes out differently here, or leaves the role empty.
    """
    from tfser.corpora.splits import split_again, utterances_of

    if role == ALL:
        return corpus
    if recorded is None or recorded["corpus"] != corpus.name:
        trained = "an unknown corpus" if recorded is None else recorded["corpus"]
        raise InputError("TF-EVAL-03", f"the {role} speakers of {corpus.name}, for a model trained on {trained}",
                         expected=f"a model that records its split of {corpus.name}",
                         fix="score every speaker with --split all")
    if not recorded[role]:
        roles = ", ".join(name for name in ("train", "validation", "test") if recorded[name])
        raise InputError("TF-EVAL-05", f"the {role} speakers of {corpus.name}, for a model trained with --train-on "
                         f"{recorded['train_on']}", expected=f"--split {roles} or {ALL}",
                         fix=f"score recordings of other people with --split {ALL}")
    split = split_again(corpus, recorded)
    if split.fingerprint != recorded["fingerprint"]:
        raise InputError("TF-EVAL-04", f"a copy of {corpus.name} that is not the one trained on: its split has the "
                         f"fingerprint {split.fingerprint[:12]}", expected=recorded["fingerprint"][:12],
                         fix="point --root at the whole corpus, or score every speaker with --split all")
    return dataclasses.replace(corpus, utterances=utterances_of(corpus, split, role))  # type: ignore[arg-type]


def heard_speakers(recorded: dict[str, Any] | None, parents: dict[str, Any], corpus: Corpus) -> list[str] | None:
    """The speakers of ``corpus`` whom the model has heard, itself or through its ``parents``.

    ``None`` where nobody knows whom it, or one of them, was trained on. Speakers are the same where corpus and name
    are.
    """
    from tfser.training.lineage import ancestors

    if recorded is None:
        return None
    heard = set(recorded["train"]) if recorded["corpus"] == corpus.name else set()
    for parent in ancestors(parents):
        if parent["heard"] is None:
            return None
        heard |= set(parent["heard"]) if parent["corpus"] == corpus.name else set()
    return sorted(heard & set(corpus.speakers))
