"""The page's sections about the build. Each takes the documents and gives HTML."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from tfser.report.charts import bar, budget_bar, ranked
from tfser.report.markup import code, facts, listed, pill, section, table, text
from tfser.report.picture import inline
from tfser.report.quantisation import METHODS

Document = Mapping[str, Any]

# A certificate's reason names layers in brackets; without them equal reasons are equal texts.
_LAYERS_IN_REASON = re.compile(r" \('[^']*'(, '[^']*')*\)")
_MARKS = {True: '<span class="good">✓ pass</span>', False: '<span class="bad">✗ fail</span>',
          None: '<span class="bad">– not run</span>'}

#: How figures were found that the size report leaves out.
HOW = {"application_bytes": "feature window and state, beside the model's arena",
       "decision_instructions": "a decision beside the model, counted on an emulated chip; not cycles",
       "firmware_elf_bytes": "the file with its symbols and test harness, not what is flashed",
       "frontend_instructions_per_second": "a second of audio, counted on an emulated chip; not cycles",
       "stack_bound_bytes": "the compiler's frames along the deepest calls"}


def budget(manifest: Document) -> str:
    """Used against the limits, then every figure with how it was found."""
    size = manifest.get("size") or {}
    meters = "".join(map(_meter, size.get("budget", [])))
    known = size.get("figures", {})
    others = {name: _measured(name, value, manifest) for name, value in manifest["measured"].items()
              if name not in known}
    figures = [(code(name), _amount(figure["value"], figure["unit"]), pill(figure["kind"]), text(figure["how"]))
               for name, figure in sorted({**known, **others}.items())]
    return section("Budget", f'<ul class="meters">{meters}</ul>' if meters else "",
                   table(("figure", "value", "kind", "how"), figures, numbers=(1,)) if figures else "",
                   missing="manifest.json has no 'size'")


def _measured(name: str, value: int | None, manifest: Document) -> Document:
    """A figure that the size report has nothing to say about."""
    return {"value": value, "unit": "B" if name.endswith("_bytes") else "instructions",
            "kind": "not measured" if value is None else "measured",
            "how": (manifest.get("reasons") or {}).get(name) or HOW.get(name, "")}


def _meter(verdict: Document) -> str:
    used, limit, estimate = verdict["used"], verdict["limit"], verdict["kind"] == "estimate"
    share = f"{used / limit:.1%} of " if used is not None and limit else ""
    over = "" if verdict["ok"] or used is None else '<strong class="bad">over the limit</strong> '
    return (f"<li><span><b>{text(verdict['resource'])}</b> {pill(verdict['kind'])}</span>"
            f"<span>{over}{_amount(used, '')} of {_amount(limit, verdict['unit'])}</span>"
            f"{budget_bar(used, limit, estimate=estimate)}"
            f'<small class="soft">{share}{text(verdict["origin"])}</small></li>')


def _amount(value: int | None, unit: str) -> str:
    return "–" if value is None else f"{text(value)} {text(unit)}".rstrip()


def merge(certificate: Document | None) -> str:
    """The certificate of deHRF; chains of one shape, and refusals of one reason, share a row."""
    if not certificate:
        return section("Merge", missing="the folder has no certificate.json")
    before, after = certificate["parameters_before"], certificate["parameters_after"]
    most = max(before, after, 1)
    parameters = table((), [("in training", bar(before / most, kind="soft-fill"), text(before)),
                            ("deployed", bar(after / most), text(after))], numbers=(2,), caption="Parameters",
                       kind="bars")
    agree = f"{text(certificate['decisions_agree'])} of {text(certificate['decisions_total'])}"
    proof = facts({"largest error on logits": f"{certificate['max_abs_error']:.1e}, at most "
                                              f"{certificate['tolerance']:.0e}",
                   "decisions that agree": agree,
                   "saved": f"{text(certificate['float32_bytes_saved'])} B of float32"})
    intro = ("<p>The linear layers that High-Rank Factorization adds in training are folded into their neighbours, "
             "and the result is compared on real inputs.</p>")
    return section("Merge", intro, f'<div class="columns">{parameters}{proof}</div>', _merged(certificate),
                   _refused(certificate), missing="")


def _merged(certificate: Document) -> str:
    by_shape: dict[str, list[str]] = defaultdict(list)
    for chain in certificate["merged"]:
        kernels = " · ".join("×".join(map(str, shape)) for shape in chain["kernels_before"])
        by_shape[f"{kernels} → {'×'.join(map(str, chain['kernel_after']))}"].append(chain["layers"][-1])
    rows = [(text(shape), text(len(layers)), " ".join(map(code, layers))) for shape, layers in by_shape.items()]
    return table(("kernels", "chains", "merged into"), rows, numbers=(1,), caption="Folded") if rows else ""


def _refused(certificate: Document) -> str:
    by_reason: dict[str, list[str]] = defaultdict(list)
    for record in certificate["refused"]:
        by_reason[_LAYERS_IN_REASON.sub("", record["reason"])].append(" → ".join(record["layers"]))
    rows = [(text(reason), text(len(pairs)), " ".join(map(code, pairs))) for reason, pairs in by_reason.items()]
    return table(("what stands between", "pairs", "layers"), rows, numbers=(1,),
                 caption="Left apart, because folding would not be exact") if rows else ""


def checks(manifest: Document) -> str:
    """What was checked of the int8 model, and what is worth knowing about it."""
    validation = manifest.get("validation") or {}
    rows = [(text(check["name"]), _MARKS[check["passed"]], text(check["detail"]))
            for check in validation.get("checks", [])]
    found = [(f"{text(finding['severity'])} {text(finding['code'])}", text(finding["text"]), text(finding["fix"]))
             for finding in validation.get("findings", [])]
    return section("Validation", table(("check", "result", "found"), rows) if rows else "",
                   table(("finding", "what", "fix"), found) if found else "",
                   missing="manifest.json has no 'validation'")


def memory(manifest: Document, picture: str | None) -> str:
    """What lies where in the arena, step by step."""
    plan = manifest.get("plan") or {}
    intro = ""
    if picture and "arena_bytes" in plan:
        intro = (f"<p>{text(plan['arena_bytes'])} B of arena for input, output and everything between; "
                 f"no plan of these steps needs less than {text(plan['lower_bound_bytes'])} B.</p>")
    return section("Memory", *((intro, f'<div class="scroll">{inline(picture)}</div>') if picture else ()),
                   missing="the folder has no memory.svg")


def operators(manifest: Document) -> str:
    """How often each operator occurs."""
    counts = manifest.get("operators") or {}
    intro = f"<p>{text(sum(counts.values()))} operators of {text(len(counts))} kinds.</p>"
    rows = ranked(counts)
    return section("Operators", *((intro, table((), rows, numbers=(2,), kind="bars")) if counts else ()),
                   missing="manifest.json has no 'operators'")


def tensors(manifest: Document) -> str:
    """The largest constants and activations, in bytes."""
    size = manifest.get("size") or {}
    parts = [table((), ranked({entry["name"]: entry["bytes"] for entry in size[key]}), numbers=(2,), caption=caption,
                   kind="bars")
             for key, caption in (("largest_weights", "Weights, bytes of flash"),
                                  ("largest_activations", "Arena, bytes at its fullest step")) if size.get(key)]
    return section("Largest tensors", f'<div class="columns">{"".join(parts)}</div>' if parts else "",
                   missing="manifest.json has no 'size'")


def origin(manifest: Document) -> str:
    """What the build was made from and with: enough to repeat it."""
    files = [(code(name), f'<code class="hash">{text(digest)}</code>')
             for name, digest in sorted(manifest["files"].items()) if name != "report.html"]
    tools = sorted((manifest.get("tool_versions") or {}).items())
    made = {**_made_from(manifest), **_trained_on(manifest.get("split") or {}),
            "tools": listed(f"{tool} {version}" for tool, version in tools)}
    made = {name: value for name, value in made.items() if value}
    return section("How it was built", facts(made, kind="origin") if made else "",
                   table(("file", "SHA-256"), files) if files else "", missing="manifest.json lists no file")


def _made_from(manifest: Document) -> dict[str, str]:
    model, features, train, quantisation = (manifest.get(key) or {}
                                            for key in ("model", "features", "train", "quantisation"))
    return {
        "model": _values(model, arch="{}", size="{}", norm="norm {}", activation="activation {}"),
        "HRF in training": _values(model.get("hrf") or {}, ratio="ratio {}", depth="depth {}", sites="at {}"),
        "labels": listed(manifest.get("labels") or []),
        "features": _values(features, sample_rate_hz="{} Hz", window_samples="window {}", hop_samples="hop {}",
                            fft_size="FFT {} samples", mel_bands="{} mel bands", frames="{} frames"),
        **{f"{end} quantisation": _values(quantisation[end], scale="scale {}", zero_point="zero point {}")
           for end in ("input", "output") if end in quantisation},
        "quantised": text(METHODS.get(str(quantisation.get("method")), "")),
        "training": _values(train, epochs="{} epochs", batch_size="batch {}", learning_rate="learning rate {}",
                            seed="seed {}"),
    }


def _trained_on(split: Document) -> dict[str, str]:
    speakers = {f"{role} speakers": listed(split.get(role, [])) for role in ("train", "validation", "test")}
    ways = {"trained on": text(split["train_on"])} if split.get("train_on", "train") != "train" else {}
    if not split.get("speaker_disjoint", True):
        ways["speakers"] = "<strong>of the test heard in training</strong>"
    return {"corpus": _values(split, corpus="{}", fold="fold {}", folds="{} folds"), **ways, **speakers,
            "split fingerprint": _values(split, fingerprint='<code class="hash">{}</code>')}


def _values(document: Document, **forms: str) -> str:
    """Entries of a document, each in its form (HTML)."""
    return ", ".join(form.format(_value(document[key])) for key, form in forms.items() if key in document)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return listed(value)
    return f"{value:.6g}" if isinstance(value, float) else text(value)
