"""The page's section about accuracy: how float and int8 model score on the speakers of the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfser.report.charts import bar, confusion_matrix
from tfser.report.markup import code, facts, section, table, text

Document = Mapping[str, Any]

METRICS = {"wf1": "WF1", "uar": "UAR", "wa": "WA", "macro_f1": "macro-F1"}
TRUTH = "true label in rows, decision in columns, shaded by share of the row"


def accuracy(manifest: Document) -> str:
    """Scores, recall per class, confusion matrices and speakers of the test set; what int8 changed."""
    split, labels = test_split(manifest), manifest.get("labels") or []
    scores = split and test_scores(manifest)
    parts = [_test(manifest, split, scores, labels)] if split and scores else []
    parts.append(_decisions(manifest, labels))
    return section("Accuracy", *filter(None, parts),
                   missing="manifest.json has no 'scores' of test speakers with the 'split' that says who they are")


def test_split(manifest: Document) -> Document | None:
    """The split that scores are about, with those tested as ``speakers``. No score is shown without one."""
    deployed, split = manifest.get("deployed"), manifest.get("split")
    disjoint = (split or {}).get("speaker_disjoint", True)  # absent in manifests that know no other split
    if deployed:
        return {**deployed, "fingerprint": deployed["split_fingerprint"], "speaker_disjoint": disjoint}
    return {**split, "speakers": split["test"], "speaker_disjoint": disjoint} if split else None


def test_scores(manifest: Document) -> dict[str, Document]:
    """Scores on test speakers by the model's name, float and int8, as far as the build has them."""
    deployed = manifest.get("deployed")
    found = deployed or {"float": (manifest.get("scores") or {}).get("test")}
    return {name: found[name] for name in ("float", "int8") if found.get(name)}


def tested_speakers(split: Document) -> str:
    """Whom the test scores are about, as plain text."""
    heard = "" if split["speaker_disjoint"] else ", heard in training"
    return (f"{split['corpus']} test speakers {', '.join(split['speakers'])} (fold {split['fold']} of "
            f"{split['folds']}{heard})")


def _test(manifest: Document, split: Document, scores: Mapping[str, Document], labels: Sequence[str]) -> str:
    clips = max(entry["utterances"] for entry in scores.values())
    who = "whom training never heard" if split["speaker_disjoint"] else \
        "<strong>split by utterances: these scores say nothing about new speakers</strong>"
    intro = (f"<p>{text(clips)} recordings of {text(tested_speakers(split))}, {who}; split "
             f"{code(split['fingerprint'][:12])}. ")
    if "int8" in scores:
        intro += ("The int8 model is the deployed file, run by TensorFlow Lite Micro's kernels; float is "
                  f"{text(manifest['deployed']['float_is'])}.</p>")
    else:
        asked = f"tfser report DIR --corpus {split['corpus']} --root PATH"
        intro += f"The float model; the int8 model was not scored on them: {code(asked)} does that.</p>"
    matrices = [confusion_matrix(labels, entry["confusion"], f"{name} model: {TRUTH}")
                for name, entry in scores.items()] if labels else []
    return (intro + _summary(scores)
            + f'<div class="columns">{"".join(matrices)}{_recalls(scores, labels)}{_speakers(scores)}</div>')


def _summary(scores: Mapping[str, Document]) -> str:
    if len(scores) == 1:
        (only,) = scores.values()
        return facts({name: f"{only[key]:.3f}" for key, name in METRICS.items()})
    rows = [(name, *(f"{scores[of][key]:.3f}" for of in ("float", "int8")),
             f"{scores['int8'][key] - scores['float'][key]:+.3f}") for key, name in METRICS.items()]
    return table(("score", "float", "int8", "difference"), rows, numbers=(1, 2, 3), kind="narrow")


def _recalls(scores: Mapping[str, Document], labels: Sequence[str]) -> str:
    """Of the last model, which is the deployed one where that was scored; the float model's figure beside it."""
    *others, shown = scores
    names = labels or sorted(scores[shown]["classes"])
    rows = []
    for label in names:
        entries = [scores[name]["classes"][label] for name in (shown, *others)]
        rows.append((text(label), bar(entries[0]["recall"] or 0.0), *(_share(entry["recall"]) for entry in entries),
                     text(entries[0]["support"])))
    head = (shown, *others) if others else ("recall",)
    return table(("label", "", *head, "clips"), rows, numbers=range(2, 3 + len(head)),
                 caption=f"Recall per class, {shown} model", kind="bars")


def _speakers(scores: Mapping[str, Document]) -> str:
    shown = list(scores)[-1]
    rows = [(text(speaker), bar(entry["uar"]), f"{entry['uar']:.3f}", f"{entry['wa']:.3f}", text(entry["utterances"]))
            for speaker, entry in sorted(scores[shown].get("speakers", {}).items())]
    return table(("speaker", "", "UAR", "WA", "clips"), rows, numbers=(2, 3, 4),
                 caption=f"Per speaker, {shown} model", kind="bars") if rows else ""


def _decisions(manifest: Document, labels: Sequence[str]) -> str:
    """What int8 made of the float model's decisions: on the calibration clips, and on the test speakers."""
    made = {check["name"]: check for check in (manifest.get("validation") or {}).get("checks", [])}
    found, deployed = made.get("agreement"), manifest.get("deployed") or {}
    parts = []
    if found:
        parts.append(_agreement("calibration clips", found["agree"], found["clips"], labels, found.get("confusion")))
    if deployed.get("decisions"):
        counts = deployed["decisions"]
        agree = sum(row[at] for at, row in enumerate(counts))
        parts.append(_agreement("test clips", agree, sum(map(sum, counts)), labels, counts))
    return f'<h3>Float against int8</h3><div class="columns">{"".join(parts)}</div>' if parts else ""


def _agreement(what: str, agree: int, clips: int, labels: Sequence[str], counts: Any) -> str:
    said = f"The int8 model gives the same label as the float model on {text(agree)} of {text(clips)} {what}."
    matrix = confusion_matrix(labels, counts, f"{what}: float model's label in rows, int8 model's in columns") \
        if labels and counts else ""
    return f"<div><p>{said}</p>{matrix}</div>"


def _share(recall: float | None) -> str:
    return "–" if recall is None else f"{recall:.2f}"
