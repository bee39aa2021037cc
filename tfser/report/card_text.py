"""``card.md``: a model card as Markdown, from its facts alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfser.report.card_limits import INTENDED, LAW, OUT_OF_SCOPE, limits_of, meaning, warnings_of

Document = Mapping[str, Any]

UNKNOWN = "not recorded"
METRICS = {"wf1": "WF1", "uar": "UAR", "wa": "WA", "macro_f1": "macro-F1"}
#: Of more speakers a card shows the spread alone.
MOST_SPEAKERS = 30


def render_card(facts: Document) -> str:
    """The card as Markdown, one line a paragraph."""
    parts = (_title, _model, _data, _training, _scores, _cross_validated, _int8, _use, _limits, _reproduce)
    return "\n\n".join(filter(None, (part(facts) for part in parts))) + "\n"


def _title(facts: Document) -> str:
    model, split = facts["model"], facts["split"] or {}
    name = f"# Model card: {model['arch']} {model['size']}"
    where = f", {split['corpus']} fold {split['fold']} of {split['folds']}" if split else ""
    return "\n\n".join([name + where, *(f"> **{warning}**" for warning in warnings_of(facts))])


def _model(facts: Document) -> str:
    model = facts["model"]
    hrf, parameters = model["hrf"], model["parameters"]
    return _section("Model", _facts({
        "backbone": f"{model['arch']}, {model['size']}, norm {model['norm']}, activation {model['activation']}",
        "HRF in training": f"ratio {hrf['ratio']:g}, depth {hrf['depth']}, at {', '.join(hrf['sites'])}"
        if hrf else "none",
        "parameters": f"{parameters['trained']:,} in training, {parameters['deployed']:,} deployed",
        "hears": f"{model['window_s']:.2f} s at {model['sample_rate_hz']:,} Hz as {model['frames']} x "
                 f"{model['mel_bands']} log-mel",
        "answers": ", ".join(model["labels"]),
    }))


def _data(facts: Document) -> str:
    split, data = facts["split"], facts["data"] or {}
    lines = [_facts({"corpus": entry["name"] or UNKNOWN, "speech": entry["speech"], "terms": entry["terms"],
                     "cite": entry["citation"]}) for entry in facts["corpora"]]
    if not split:
        return _section("Data", *lines, f"Split: {UNKNOWN}.")
    roles = ("train", "validation", "test")
    counts = data.get("recordings") or {}
    rows = [(role, str(len(split[role])), _number(counts.get(role)), ", ".join(split[role]) or "none")
            for role in roles]
    left_out = data.get("left_out")
    if left_out is not None:
        left_out = ", ".join(f"{count} {kind}" for kind, count in sorted(left_out.items()) if count) or "none"
    return _section("Data", *lines, _table(("role", "speakers", "recordings", "who"), rows), _facts({
        "roles that train": split.get("train_on", "train"),
        "speakers disjoint": "yes" if split.get("speaker_disjoint", True) else "NO",
        "split fingerprint": f"`{split['fingerprint']}`",
        "sentences both in training and test": _number(data.get("shared_sentences")),
        "left out": left_out or UNKNOWN,
    }))


def _training(facts: Document) -> str:
    recipe, parents, tuned = facts["recipe"], facts["parents"], facts["quantised"]
    teachers = [_parent(parent) for parent in parents.get("teachers", ())]
    return _section("Training", _facts({
        "recipe": _settings(recipe) if recipe else UNKNOWN,
        "teachers": "; ".join(teachers) or "none",
        **({"hints": f"{hints['source']}: {_parent(hints)}"} if (hints := parents.get("hints")) else {}),
        "initial weights": _parent(parents["start"]) if "start" in parents else "random",
        "int8 weights": f"tuned after the merge, quantisation in the loop: {_settings(tuned)}" if tuned
        else "quantised after training",
    }))


def _settings(values: Document) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in sorted(values.items()))


def _parent(parent: Document) -> str:
    return f"{parent['corpus'] or 'unknown corpus'} (SHA-256 `{parent['sha256'][:12]}`)"


def _scores(facts: Document) -> str:
    if not facts["scores"]:
        return _section("Scores", "None: nobody was left to test it on." if facts["split"] else f"{UNKNOWN}.")
    return "\n\n".join(_section(f"Scores on the {role} speakers", *_score(scores, facts["model"]["labels"]))
                       for role, scores in sorted(facts["scores"].items()))


def _score(scores: Document, labels: Sequence[str]) -> Iterable[str]:
    found = scores["intervals"]
    yield _table(("score", "value", "95 % interval"),
                 [(name, f"{scores[key]:.3f}", _interval(found.get(key))) for key, name in METRICS.items()])
    yield meaning(found)
    yield _table(("label", "recordings", "recall", "95 % interval", "F1", "right if 1 in 100"), [
        (label, str(entry["support"]), _share(entry["recall"]), _interval(found.get("recall", {}).get(label)),
         _share(entry["f1"]), _share(scores["right_when_rare"][label]))
        for label, entry in ((label, scores["classes"][label]) for label in labels)])
    yield _table(("true, answered", *labels),
                 [(label, *map(str, row)) for label, row in zip(labels, scores["confusion"], strict=True)])
    yield from _speakers(scores)
    if groups := scores.get("groups"):
        yield f"{groups['utterances']} groups by the mean of their clips: " + ", ".join(
            f"{name} {groups[key]:.3f}" for key, name in METRICS.items()) + "."


def _speakers(scores: Document) -> Iterable[str]:
    spread, speakers = scores["speaker_spread"], scores["speakers"]
    if len(speakers) <= MOST_SPEAKERS:
        yield _table(("speaker", "recordings", "UAR", "WA"), [
            (name, str(entry["utterances"]), f"{entry['uar']:.3f}", f"{entry['wa']:.3f}")
            for name, entry in sorted(speakers.items())])
    text = (f"UAR of the {len(speakers)} speakers from {spread['uar_min']:.3f} to {spread['uar_max']:.3f}, standard "
            f"deviation {spread['uar_std']:.3f}.")
    for sex, entry in sorted(scores["sexes"].items()):
        text += f" {entry['speakers']} {sex}: {entry['uar']:.3f}."
    yield text


def _cross_validated(facts: Document) -> str:
    found = facts["cross_validated"]
    if not found:
        return ""
    rows = [(name, f"{found['mean'][key]['mean']:.3f}", _share(found["mean"][key]["std"]),
             _interval(found["mean"][key])) for key, name in METRICS.items()]
    parts = [f"The same recipe, each speaker tested once a seed: {found['folds']} folds, {found['seeds']} seeds.",
             _table(("score", "mean", "standard deviation of the parts", "95 % interval"), rows)]
    if found["pooled"]:
        parts += ["All parts together:", *_score(found["pooled"], facts["model"]["labels"])]
    return _section("Cross-validated", *parts)


def _int8(facts: Document) -> str:
    found = facts["int8"]
    if not found:
        return _section("Deployed int8 model", "Its scores are not recorded here: `tfser report DIR --corpus CORPUS "
                        "--root ROOT` measures them for a build.")
    rows = [(name, *(_share(found[of].get(key)) for of in ("float", "int8"))) for key, name in METRICS.items()
            if key in found["int8"]]
    same = found.get("same_label")
    return _section("Deployed int8 model", found["on"], _table(("score", "float", "int8"), rows),
                    "" if same is None else f"The same label as the float model on {same:.2%} of the recordings.")


def _use(facts: Document) -> str:
    return "\n\n".join([_section("Intended use", _list(INTENDED)), _section("Out of scope", _list(OUT_OF_SCOPE))])


def _limits(facts: Document) -> str:
    return "\n\n".join([_section("Limits and risks", _list(limits_of(facts))), _section("Law", LAW)])


def _reproduce(facts: Document) -> str:
    if not facts["commands"]:
        return _section("Reproduce", f"Command: {UNKNOWN}.")
    return _section("Reproduce", "```sh\n" + "\n".join(facts["commands"]) + "\n```",
                    "ROOT is the folder of the recordings; the split fingerprint tells whether they are the same. "
                    f"SHA-256 of the checkpoint: `{facts['sha256']}`.")


def _section(title: str, *parts: str) -> str:
    return "\n\n".join([f"## {title}", *filter(None, parts)])


def _facts(pairs: Mapping[str, str]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in pairs.items())


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def _interval(found: Document | None) -> str:
    return "–" if not found or found["low"] is None else f"{found['low']:.3f} to {found['high']:.3f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _number(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:,}"


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
