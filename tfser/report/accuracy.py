"""The page's section about accuracy: how the model scores on speakers that training never heard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfser.report.charts import bar, confusion_matrix
from tfser.report.markup import facts, section, table, text


def accuracy(manifest: Mapping[str, Any]) -> str:
    """Scores, recall per class, confusion matrix and speakers of the test set."""
    scores = (manifest.get("scores") or {}).get("test")
    if not scores:
        return section("Accuracy", missing="manifest.json has no 'scores' of test speakers")
    intro = (f"<p>The float model on {text(scores['utterances'])} recordings of {text(tested_speakers(manifest))}, "
             f"whom training never heard. {_int8(manifest)}</p>")
    summary = facts({name: f"{scores[key]:.3f}" for key, name in
                     (("wf1", "WF1"), ("uar", "UAR"), ("wa", "WA"), ("macro_f1", "macro-F1"))})
    # A JSON object has no order: only the list of labels says which row of the matrix is whose.
    labels = manifest.get("labels") or []
    matrix = confusion_matrix(labels, scores["confusion"]) if labels else ""
    charts = f'<div class="columns">{_recalls(scores, labels or sorted(scores["classes"]))}{matrix}</div>'
    return section("Accuracy", intro, summary, charts, _speakers(scores), missing="")


def tested_speakers(manifest: Mapping[str, Any]) -> str:
    """Whom the test scores are about, as plain text."""
    split = manifest.get("split")
    if not split:
        return "test speakers (split not recorded)"
    return f"{split['corpus']} test speakers {', '.join(split['test'])} (fold {split['fold']} of {split['folds']})"


def _int8(manifest: Mapping[str, Any]) -> str:
    """How the int8 model, which is what is deployed, relates to these scores."""
    made = {check["name"]: check for check in (manifest.get("validation") or {}).get("checks", [])}
    found = made.get("agreement")
    if not found:
        return "The int8 model was not compared with it."
    return f"The int8 model gives the same label on {text(found['agree'])} of {text(found['clips'])} calibration clips."


def _recalls(scores: Mapping[str, Any], labels: Sequence[str]) -> str:
    entries = [(label, scores["classes"][label]) for label in labels]
    rows = [(text(label), bar(entry["recall"] or 0.0), "–" if entry["recall"] is None else f"{entry['recall']:.2f}",
             text(entry["support"])) for label, entry in entries]
    return table(("label", "", "recall", "clips"), rows, numbers=(2, 3), caption="Recall per class", kind="bars")


def _speakers(scores: Mapping[str, Any]) -> str:
    rows = [(text(speaker), bar(entry["uar"]), f"{entry['uar']:.3f}", f"{entry['wa']:.3f}", text(entry["utterances"]))
            for speaker, entry in sorted(scores.get("speakers", {}).items())]
    return table(("speaker", "", "UAR", "WA", "clips"), rows, numbers=(2, 3, 4), caption="Per speaker",
                 kind="bars") if rows else ""
