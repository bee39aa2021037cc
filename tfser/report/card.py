"""The facts of a model card: what a checkpoint says of itself, and what those facts mean.

A card is these facts (``card.json``) and a text drawn from them alone (``card.md``, see ``card_text``). Same
checkpoint and same record, same bytes: no time, no path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tfser.corpora.licences import UNKNOWN_SEX, licence_of
from tfser.models.checkpoint import Checkpoint
from tfser.spec import to_dict
from tfser.training.intervals import score_intervals
from tfser.training.lineage import ancestors
from tfser.training.metrics import uar

Document = Mapping[str, Any]

CARD_JSON, CARD_TEXT = "card.json", "card.md"
SCHEMA_VERSION = 1
#: How often a label occurs in the example of ``right_when_rare``.
RARE = 0.01
#: What a training knows and its checkpoint does not: see :func:`card_facts`.
RECORDED = ("commands", "data", "quantised", "cross_validated", "int8")


def card_facts(checkpoint: Checkpoint, *, sha256: str, parameters: Mapping[str, int],
               recorded: Document | None = None) -> dict[str, Any]:
    """Everything that a card says, in JSON types.

    Parameters
    ----------
    checkpoint : Checkpoint
    sha256 : str
        Of the checkpoint's file: which one the card is about.
    parameters : mapping
        How many are ``trained`` and, after the merge, ``deployed``.
    recorded : mapping, optional
        ``commands`` (list of str that make the checkpoint), ``data`` (``recordings`` by role, ``shared_sentences``,
        ``left_out`` by kind), ``quantised`` (how int8 weights were tuned, a
        ``TuneSpec``), ``cross_validated`` (scores of the recipe
        over folds and seeds), ``int8`` (scores of the deployed model). What is not given is ``None``: not known.
    """
    given, split = recorded or {}, checkpoint.split
    model, features = checkpoint.model, checkpoint.features
    corpus = split["corpus"] if split else None
    return {
        "schema_version": SCHEMA_VERSION,
        "sha256": sha256,
        "model": {**to_dict(model), "parameters": dict(parameters), "sample_rate_hz": features.sample_rate_hz,
                  "window_s": features.clip_samples / features.sample_rate_hz},
        "corpora": list(corpora_of(checkpoint)),
        "split": split,
        "recipe": to_dict(checkpoint.train) if checkpoint.train else None,
        "parents": checkpoint.parents,
        "scores": {role: judged(scores, model.labels, corpus)
                   for role, scores in checkpoint.metrics.items()},
        **{name: given.get(name) for name in RECORDED},
    }


def judged(scores: Document, labels: tuple[str, ...], corpus: str | None) -> dict[str, Any]:
    """Scores with what they mean: their intervals, both sexes apart, and how alarms fare where a label is rare."""
    return {**scores, "intervals": score_intervals(scores), "sexes": _sexes(scores, corpus),
            "right_when_rare": right_when_rare(np.array(scores["confusion"]), labels)}


def right_when_rare(confusion: np.ndarray, labels: tuple[str, ...], share: float = RARE) -> dict[str, float | None]:
    """The share of a label's answers that would be right if it were the truth ``share`` of the time.

    Bayes' rule with the recall of the label and the rate at which the others' recordings are taken for it:
    ``r p / (r p + f (1 - p))``. To these is added half a false alarm in one recording more (Jeffreys' prior), because
    none in a few is not never. ``None`` where no recording tells one of the two.
    """
    found: dict[str, float | None] = {}
    for index, label in enumerate(labels):
        own, rest = confusion[index].sum(), np.delete(confusion, index, axis=0)
        if not own or not rest.sum():
            found[label] = None
            continue
        right = confusion[index, index] / own * share
        wrong = (rest[:, index].sum() + 0.5) / (rest.sum() + 1) * (1 - share)
        found[label] = float(right / (right + wrong))
    return found


def _sexes(scores: Document, corpus: str | None) -> dict[str, Any]:
    """UAR of women and of men, where the corpus says who is which; empty where it does not."""
    sex_of, matrices = licence_of(corpus).sex_of, dict[str, list[np.ndarray]]()
    for speaker, entry in scores["speakers"].items():
        if "confusion" in entry and sex_of(speaker) != UNKNOWN_SEX:
            matrices.setdefault(sex_of(speaker), []).append(np.array(entry["confusion"]))
    return {sex: {"speakers": len(own), "utterances": int(np.sum(own)), "uar": float(uar(np.sum(own, axis=0)))}
            for sex, own in sorted(matrices.items())}


def corpora_of(checkpoint: Checkpoint) -> Iterator[dict[str, Any]]:
    """Every corpus that the weights learnt from, once, with its terms; the training's own comes first."""
    names = [(checkpoint.split or {}).get("corpus"), *(parent["corpus"] for parent in ancestors(checkpoint.parents))]
    for name in dict.fromkeys(names):
        licence = licence_of(name)
        yield {"name": name, "terms": licence.terms, "commercial": licence.commercial, "citation": licence.citation,
               "speech": licence.speech, "acted": licence.acted}
