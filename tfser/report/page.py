"""``report.html``: one page about a build, from its manifest and its merge certificate alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfser.errors import InputError
from tfser.report.accuracy import accuracy, tested_speakers
from tfser.report.charts import HATCH
from tfser.report.markup import text, tile
from tfser.report.sections import Document, budget, checks, memory, merge, operators, origin, profile, tensors
from tfser.report.style import STYLE


def render(manifest: Document, certificate: Document | None, picture: str | None = None) -> str:
    """The page. Same documents, same text; a section whose data are absent says so.

    Parameters
    ----------
    manifest, certificate : mapping
        ``manifest.json`` and ``certificate.json`` as JSON types.
    picture : str, optional
        ``memory.svg``.

    Raises
    ------
    InputError
        A document holds something of another form than ``tfser build`` writes.
    """
    parts = (_draw("summary", _summary, manifest, certificate), _draw("budget", budget, manifest),
             _draw("memory", memory, manifest, picture), _draw("instructions", profile, manifest),
             _draw("merge", merge, certificate), _draw("validation", checks, manifest),
             _draw("accuracy", accuracy, manifest), _draw("operators", operators, manifest),
             _draw("largest tensors", tensors, manifest), _draw("how it was built", origin, manifest))
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{text(_title(manifest))}</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
            f"<body>{HATCH}{parts[0]}<main>{''.join(parts[1:])}</main></body></html>\n")


def _draw(name: str, part: Callable[..., str], *documents: Any) -> str:
    try:
        return part(*documents)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError("TF-REP-01", f"the data for the page's {name} are not as a build writes them "
                                      f"({type(error).__name__}: {error})",
                         expected="manifest.json and certificate.json of this tfser version",
                         fix="build again with 'tfser build'") from error


def _title(manifest: Document) -> str:
    model = manifest.get("model") or {}
    name = " ".join(str(model[key]) for key in ("arch", "size") if key in model) or "model"
    return f"{name} for {manifest['target']}"


def _summary(manifest: Document, certificate: Document | None) -> str:
    features, size, labels = (manifest.get(key) or {} for key in ("features", "size", "labels"))
    about = ["int8, C compiled ahead of time"]
    about += [f"board {size['board']} ({size['core']})"] if "board" in size else []
    about += [f"{len(labels)} labels"] if labels else []
    if features:
        about.append(f"{features['frames']} × {features['mel_bands']} log-mel, {features['sample_rate_hz']:,} Hz audio")
    return (f'<header><p class="soft">tfser build report</p><h1>{text(_title(manifest))}</h1>'
            f'<p class="soft">{text(" · ".join(about))}</p>{_verdict(manifest)}'
            f"{_tiles(manifest, certificate)}</header>")


def _verdict(manifest: Document) -> str:
    made, limits = (manifest.get("validation") or {}).get("checks", []), (manifest.get("size") or {}).get("budget", [])
    failed = [f"{check['name']}: {check['detail']}" for check in made if not check["passed"]]
    failed += [verdict["text"] for verdict in limits if not verdict["ok"]]
    if failed:
        reasons = "".join(f"<li>{text(reason)}</li>" for reason in failed)
        return f'<div class="verdict bad"><b>✗ Failed</b><ul>{reasons}</ul></div>'
    kept = f"{len(limits)} budget limits kept" if limits else "no size was checked"
    if not made:
        return f'<div class="verdict"><b>– Not validated</b><span>{text(kept)}</span></div>'
    return f'<div class="verdict good"><b>✓ Passed</b><span>{text(len(made))} checks, {text(kept)}</span></div>'


def _tiles(manifest: Document, certificate: Document | None) -> str:
    measured, model, merged = manifest["measured"], manifest.get("model") or {}, certificate or {}
    scores = (manifest.get("scores") or {}).get("test")
    shown = []
    if measured.get("model_bytes") is not None:
        shown.append(tile(f"{text(measured['model_bytes'])} <i>B</i>", "model.tflite", "stays on the host"))
    if measured.get("arena_bytes") is not None:
        shown.append(tile(f"{text(measured['arena_bytes'])} <i>B</i>", "arena", "input, output and scratch"))
    if measured.get("flash_code_bytes") is not None:
        shown.append(tile(f"{text(measured['flash_code_bytes'])} <i>B</i>", "code", "beside weights and tables"))
    if measured.get("instructions_per_inference") is not None:
        shown.append(tile(text(measured["instructions_per_inference"]), "instructions", "per inference, not cycles"))
    if model.get("parameters") is not None:
        before = f"{merged['parameters_before']:,} before the merge" if "parameters_before" in merged else ""
        shown.append(tile(text(model["parameters"]), "parameters", before))
    if scores:
        shown.append(tile(f"{scores['wf1']:.3f}", "WF1, float model", tested_speakers(manifest)))
    return f'<ul class="tiles">{"".join(shown)}</ul>' if shown else ""
