"""The page's section about what the model is for and how far it can be trusted: the model card in short."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfser.report.card_limits import INTENDED, LAW, OUT_OF_SCOPE, limits_of, meaning, warnings_of
from tfser.report.markup import code, facts, section, table, text

Document = Mapping[str, Any]

METRICS = {"wf1": "WF1", "uar": "UAR", "wa": "WA", "macro_f1": "macro-F1"}


def model_card(manifest: Document) -> str:
    """Scores with their intervals, the data and its terms, what the model is not for, and its limits."""
    card = manifest.get("card")
    if not card:
        return section("Model card", missing="manifest.json has no 'card'")
    warnings = "".join(f'<div class="verdict bad"><b>{text(warning)}</b></div>' for warning in warnings_of(card))
    texts = "".join(f"<h3>{text(title)}</h3>{_list(items)}" for title, items in (
        ("Intended use", INTENDED), ("Out of scope", OUT_OF_SCOPE), ("Limits and risks", limits_of(card)),
        ("Law", (LAW,))))
    return section("Model card", f"<p>In short; {code('card.md')} beside this page has all of it.</p>", warnings,
                   _scores(manifest, card), _data(card), texts, missing="")


def _scores(manifest: Document, card: Document) -> str:
    """Of the int8 model where it was scored, else of the float model; nothing without a test or without its split."""
    if not manifest.get("split"):
        return ""
    deployed = manifest.get("deployed") or {}
    name, scores, intervals = "int8", deployed.get("int8"), deployed.get("intervals", {})
    if not scores:
        tested = card["scores"].get("test") or {}
        name, scores, intervals = "float", tested, tested.get("intervals", {})
    if not scores:
        return ""
    labels = card["model"]["labels"]
    summary = [(text(title), f"{scores[key]:.3f}", _interval(intervals.get(key))) for key, title in METRICS.items()]
    recalls = [(text(label), _share(scores["classes"][label]["recall"]),
                _interval(intervals.get("recall", {}).get(label)), text(scores["classes"][label]["support"]))
               for label in labels]
    return (f"<p>{text(meaning(intervals))}</p>" + '<div class="columns">'
            + _table(("score", "value", "95 % interval"), summary, f"Test speakers, {name} model")
            + _table(("label", "recall", "95 % interval", "clips"), recalls, f"Recall, {name} model") + "</div>")


def _data(card: Document) -> str:
    return "".join(facts({"trained on": text(entry["name"] or "an unknown corpus"), "speech": text(entry["speech"]),
                          "terms": text(entry["terms"]), "cite": text(entry["citation"])}, kind="origin")
                   for entry in card["corpora"])


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    return table(header, rows, numbers=range(1, len(header)), caption=caption, kind="narrow")


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{text(item)}</li>' for item in items)}</ul>"


def _interval(found: Document | None) -> str:
    return "–" if not found or found["low"] is None else f"{found['low']:.3f} to {found['high']:.3f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
