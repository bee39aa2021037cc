"""``report.html``: one page about a build, from its manifest and its merge certificate alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfser.report.markup import bar, section, table, text, tile
from tfser.report.style import STYLE

Document = Mapping[str, Any]


def render(manifest: Document, certificate: Document | None) -> str:
    """The page. Same documents, same text; a section whose data are absent says so.

    Parameters
    ----------
    manifest, certificate : mapping
        ``manifest.json`` and ``certificate.json`` as JSON types.
    """
    model = manifest.get("model") or {}
    name = " ".join(str(model[key]) for key in ("arch", "size") if key in model) or "model"
    title = f"{name} for {manifest.get('target')}"
    sections = (_budget(manifest), _merge(certificate), _checks(manifest), _accuracy(manifest), _largest(manifest),
                _origin(manifest))
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{text(title)}</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
            f"<body><header><h1>{text(title)}</h1>{_verdict(manifest)}{_tiles(manifest)}</header>"
            f"<main>{''.join(sections)}</main></body></html>\n")


def _verdict(manifest: Document) -> str:
    checks = (manifest.get("validation") or {}).get("checks", [])
    failed = [check["name"] for check in checks if not check["passed"]]
    failed += [f"{verdict['resource']} budget" for verdict in _verdicts(manifest) if not verdict["ok"]]
    if failed:
        return f'<p class="bad">Failed: {text(", ".join(failed))}.</p>'
    return '<p class="good">Every check passed.</p>' if checks else '<p class="soft">Not validated.</p>'


def _verdicts(manifest: Document) -> list[Document]:
    return (manifest.get("size") or {}).get("budget", [])


def _tiles(manifest: Document) -> str:
    measured, scores = manifest.get("measured") or {}, (manifest.get("scores") or {}).get("test")
    parameters = (manifest.get("model") or {}).get("parameters")
    tiles = [(measured.get("model_bytes"), "bytes of model.tflite"),
             (measured.get("arena_bytes"), "bytes of arena, at most (64-bit host)"),
             (parameters, "parameters, merged")]
    shown = [tile(text(value), label) for value, label in tiles if value is not None]
    if scores:
        shown.append(tile(f"{scores['wf1']:.3f}", "WF1, float, on test speakers"))
    return f'<div class="tiles">{"".join(shown)}</div>'


def _budget(manifest: Document) -> str:
    rows = []
    for verdict in _verdicts(manifest):
        used, limit = verdict["used"], verdict["limit"]
        share = 0.0 if used is None or not limit else used / limit
        figure = "not measured" if used is None else f"{text(used)} of {text(limit)} {text(verdict['unit'])}"
        name = f'{text(verdict["resource"])} <span class="soft">({text(verdict["origin"])})</span>'
        rows.append((name, f'<div class="bar">{bar(share, over=not verdict["ok"])}</div>', figure,
                     f'<span class="mark">{text(verdict["kind"])}</span>'))
    return section("Budget", table(("", "", "used", ""), rows, numbers=(2,)) if rows else "")


def _merge(certificate: Document | None) -> str:
    if not certificate:
        return section("Merge (deHRF)")
    rows = [(f"<code>{text(' + '.join(chain['layers']))}</code>",
             text(" · ".join("×".join(map(str, shape)) for shape in chain["kernels_before"])),
             text("×".join(map(str, chain["kernel_after"])))) for chain in certificate["merged"]]
    summary = (f"<p>{text(len(rows))} chains of linear layers became one layer each: "
               f"{text(certificate['parameters_before'])} parameters before, {text(certificate['parameters_after'])} "
               f"after. Largest error on logits {certificate['max_abs_error']:.1e} (at most "
               f"{certificate['tolerance']:.0e}); {text(certificate['decisions_agree'])} of "
               f"{text(certificate['decisions_total'])} decisions agree.</p>")
    kept = "".join(f"<li><code>{text(' + '.join(record['layers']))}</code>: {text(record['reason'])}</li>"
                   for record in certificate["refused"])
    return section("Merge (deHRF)", summary, table(("layers", "kernels in training", "kernel"), rows) if rows else "",
                   f'<p class="soft">Linear layers that stay apart:</p><ul class="soft">{kept}</ul>' if kept else "")


def _checks(manifest: Document) -> str:
    checks = (manifest.get("validation") or {}).get("checks", [])
    marks = {True: '<span class="good">pass</span>', False: '<span class="bad">FAIL</span>', None: "not run"}
    rows = [(text(check["name"]), marks[check["passed"]], text(check["detail"])) for check in checks]
    return section("Validation of the int8 model", table((), rows) if rows else "")


def _accuracy(manifest: Document) -> str:
    scores, split = (manifest.get("scores") or {}).get("test"), manifest.get("split") or {}
    if not scores:
        return section("Accuracy")
    labels = list(scores["classes"])
    recalls = [(text(label), f'<div class="bar">{bar(entry["recall"] or 0.0)}</div>',
                "–" if entry["recall"] is None else f"{entry['recall']:.2f}", text(entry["support"]))
               for label, entry in scores["classes"].items()]
    confusion = [(text(label), *map(text, row)) for label, row in zip(labels, scores["confusion"], strict=True)]
    summary = (f"<p>Float model on {text(scores['utterances'])} recordings of the test speakers "
               f"{text(', '.join(split.get('test', [])))} of {text(split.get('corpus'))}, whom training never heard: "
               f"WF1 {scores['wf1']:.3f}, UAR {scores['uar']:.3f}, WA {scores['wa']:.3f}, "
               f"macro-F1 {scores['macro_f1']:.3f}.</p>")
    columns = range(1, len(labels) + 1)
    return section("Accuracy", summary, table(("label", "", "recall", "recordings"), recalls, numbers=(2, 3)),
                   '<p class="soft">Confusion: true label in rows, prediction in columns.</p>',
                   table(("", *labels), confusion, numbers=tuple(columns)))


def _largest(manifest: Document) -> str:
    size = manifest.get("size") or {}
    parts = []
    for key, title in (("largest_weights", "weights"), ("largest_activations", "activations")):
        rows = [(f"<code>{text(entry['name'])}</code>", text(entry["bytes"])) for entry in size.get(key, [])]
        parts.append(table((f"largest {title}", "bytes"), rows, numbers=(1,)) if rows else "")
    operators = manifest.get("operators") or {}
    counted = [(text(name), text(count)) for name, count in sorted(operators.items(), key=lambda item: -item[1])]
    parts.append(table(("operator", "count"), counted, numbers=(1,)) if counted else "")
    return section("Tensors and operators", *parts)


def _origin(manifest: Document) -> str:
    split = manifest.get("split") or {}
    rows = [(text(f"{role} speakers"), text(", ".join(split[role]))) for role in ("train", "validation", "test")
            if role in split]
    if "fingerprint" in split:
        rows.append(("split fingerprint", f"<code>{text(split['fingerprint'])}</code>"))
    rows += [(text(tool), text(version)) for tool, version in sorted((manifest.get("tool_versions") or {}).items())]
    rows += [(f"<code>{text(name)}</code>", f"<code>{text(digest)}</code>")
             for name, digest in sorted((manifest.get("files") or {}).items()) if name != "report.html"]
    return section("How it was built", table((), rows) if rows else "")
