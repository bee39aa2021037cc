"""The head of the page: what was built, whether it passed, and the figures that people ask for first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfser.report.accuracy import test_scores, test_split, tested_speakers
from tfser.report.markup import text, tile

Document = Mapping[str, Any]

#: Figures of the size report with a tile each: their names, and what to know about them.
SIZES = {"flash_bytes": ("flash", "weights, code and tables"), "ram_bytes": ("RAM", "arena, variables and stack")}


def title(manifest: Document) -> str:
    """What was built, and for what."""
    model = manifest.get("model") or {}
    name = " ".join(str(model[key]) for key in ("arch", "size") if key in model) or "model"
    return f"{name} for {manifest['target']}"


def summary(manifest: Document, certificate: Document | None) -> str:
    """Title, verdict and tiles."""
    features, size, labels = (manifest.get(key) or {} for key in ("features", "size", "labels"))
    about = ["int8, C compiled ahead of time"]
    about += [f"board {size['board']} ({size['core']})"] if "board" in size else []
    about += [f"{len(labels)} labels"] if labels else []
    if features:
        about.append(f"{features['frames']} × {features['mel_bands']} log-mel, {features['sample_rate_hz']:,} Hz audio")
    return (f'<header><p class="soft">tfser build report</p><h1>{text(title(manifest))}</h1>'
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
    shown = _size_tiles((manifest.get("size") or {}).get("figures") or {})
    if measured.get("instructions_per_inference") is not None:
        shown.append(tile(text(measured["instructions_per_inference"]), "instructions", "per inference, not cycles"))
    shown += _real_time_tile(manifest)
    if model.get("parameters") is not None:
        before = f"{merged['parameters_before']:,} before the merge" if "parameters_before" in merged else ""
        shown.append(tile(text(model["parameters"]), "parameters", before))
    split, scores = test_split(manifest), test_scores(manifest)
    if split and scores:
        *_, (name, score) = scores.items()
        shown.append(tile(f"{score['wf1']:.3f}", f"WF1, {name} model", tested_speakers(split)))
    return f'<ul class="tiles">{"".join(shown)}</ul>' if shown else ""


def _size_tiles(figures: Document) -> list[str]:
    shown = []
    for name, (label, what) in SIZES.items():
        figure = figures.get(name)
        if figure and figure["value"] is not None:
            estimate = "estimate: " if figure["kind"] == "estimate" else ""
            shown.append(tile(f"{text(figure['value'])} <i>B</i>", label, estimate + what))
    return shown


def _real_time_tile(manifest: Document) -> list[str]:
    """The share of the board that the budget is about."""
    found, size = manifest.get("real_time") or {}, manifest.get("size") or {}
    shares = {board["board"]: board["share"] for board in found.get("boards", [])}
    share = shares.get(size.get("board"))
    if share is None:
        return []
    note = f"of {size['board']}, a decision every {found['decide_every_s']} s, {found['assumption']}"
    return [tile(f"{share:.1%}", "of real time", note)]
