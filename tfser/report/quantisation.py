"""The page's section about quantisation: how it was made, and what each layer loses by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfser.report.charts import bar
from tfser.report.markup import code, facts, listed, section, table, text

Document = Mapping[str, Any]

METHODS = {"minmax": "ranges of all values of the calibration clips",
           "percentile": "ranges without the rarest values of the calibration clips",
           "qat": "weights and ranges tuned for int8 after the merge"}


def quantisation(manifest: Document) -> str:
    """The method and its clips; the error of each layer and its effect on the logits."""
    how, errors = manifest.get("quantisation") or {}, manifest.get("layer_errors")
    parts = [facts(_method(how))] if "method" in how else []
    parts.append(_layers(errors) if errors else "")
    command = code("tfser report DIR --against CHECKPOINT --layers")
    asked = "" if errors or not any(parts) else (
        f'<p class="soft">What each layer loses was not measured: {command} does that.</p>')
    return section("Quantisation", *filter(None, (*parts, asked)), missing="manifest.json does not say how")


def _method(how: Document) -> dict[str, str]:
    counts = {name: how.get(f"clips_by_{name}") or {} for name in ("label", "speaker")}
    made = {"activations": text(how.get("activations", "")), "method": text(METHODS.get(how["method"], how["method"])),
            "percentile": text(how["percentile"]) if how.get("percentile") is not None else "",
            "calibration clips": text(how["clips"]) if "clips" in how else "",
            **{f"clips by {name}": listed(f"{key} {count}" for key, count in sorted(values.items()))
               for name, values in counts.items()}}
    return {name: value for name, value in made.items() if value}


def _layers(errors: Document) -> str:
    layers = errors["layers"]
    most = max((layer["logit_share"] for layer in layers), default=0.0) or 1.0
    rows = [(code(layer["layer"]), bar(layer["logit_share"] / most), f"{layer['logit_rms']:.2g}",
             _decibels(layer["sqnr_db"])) for layer in layers]
    intro = (f"<p>{text(errors['clips'])} clips against the float model. Worst layer: {code(errors['worst'])}. "
             f"All layers together move the logits by {errors['logit_rms']:.3g} RMS; the bar is what a layer alone "
             "does to them.</p>")
    return intro + table(("layer", "", "logits, RMS", "SQNR, dB"), rows, numbers=(2, 3), kind="bars",
                         caption="Quantised tensors in the order of the operators")


def _decibels(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
