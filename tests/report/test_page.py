"""The report page: whole, escaped, the same for the same build, and honest about what is missing."""

from __future__ import annotations

import copy
from html.parser import HTMLParser

import pytest

from tfser.report.page import render

VOID = {"meta", "rect"}
SECTIONS = ["Budget", "Merge (deHRF)", "Validation of the int8 model", "Accuracy", "Tensors and operators",
            "How it was built"]
MANIFEST = {
    "schema_version": 1, "target": "cortex-m7", "tool_versions": {"tfser": "0.1.0"},
    "files": {"model.tflite": "ab" * 32}, "model": {"arch": "conformer", "size": "small", "parameters": 65767},
    "operators": {"CONV_2D": 26}, "measured": {"model_bytes": 95760, "arena_bytes": 48800}, "reasons": {},
    "split": {"corpus": "emodb", "fold": 0, "folds": 5, "train": ["11"], "validation": ["09"], "test": ["03", "08"],
              "fingerprint": "cd" * 32},
    "scores": {"test": {"utterances": 3, "wf1": 0.5, "uar": 0.25, "wa": 0.75, "macro_f1": 0.125,
                        "classes": {"anger": {"recall": 0.5, "support": 2}, "fear": {"recall": None, "support": 0}},
                        "confusion": [[1, 1], [0, 0]]}},
    "validation": {"passed": True, "checks": [{"name": "int8", "passed": True, "detail": "no float"}]},
    "size": {"budget": [{"resource": "flash", "used": 300, "limit": 200, "unit": "B", "kind": "estimate",
                         "origin": "what the board has", "ok": False}],
             "largest_weights": [{"name": "frontend/w", "bytes": 9600}], "largest_activations": []},
}
CERTIFICATE = {
    "merged": [{"layers": ["a/hrf1", "a"], "kernels_before": [[40, 160], [160, 80]], "kernel_after": [40, 80]}],
    "refused": [{"layers": ["b", "c"], "reason": "activation 'relu' between them"}],
    "parameters_before": 100, "parameters_after": 50, "max_abs_error": 1.4e-6, "tolerance": 1e-5,
    "decisions_agree": 70, "decisions_total": 70,
}


class Outline(HTMLParser):
    """Tags that are left open, headings, and all visible text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.headings: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


def test_every_section_is_there_and_every_tag_is_closed():
    outline = Outline(render(MANIFEST, CERTIFICATE))
    assert outline.open == []
    assert outline.headings == SECTIONS


@pytest.mark.parametrize("shown", ["95,760", "48,800", "65,767", "0.500", "1.4e-06", "40×160 · 160×80", "300 of 200 B",
                                   "estimate", "03, 08", "activation 'relu' between them", "frontend/w", "cd" * 32])
def test_a_figure_of_the_build_is_shown(shown):
    assert shown in "".join(Outline(render(MANIFEST, CERTIFICATE)).texts)


def test_the_verdict_names_what_failed():
    manifest = copy.deepcopy(MANIFEST)
    assert "Failed: flash budget." in render(manifest, CERTIFICATE)
    manifest["size"]["budget"][0]["ok"] = True
    assert "Every check passed." in render(manifest, CERTIFICATE)
    manifest["validation"]["checks"][0]["passed"] = None
    assert "Failed: int8." in render(manifest, CERTIFICATE)


def test_nothing_in_a_build_becomes_markup():
    manifest = copy.deepcopy(MANIFEST)
    manifest["scores"]["test"]["classes"] = {"<script>alert('&')</script>": {"recall": 1.0, "support": 1}}
    manifest["scores"]["test"]["confusion"] = [[1]]
    manifest["target"] = "<img src=x>"
    outline = Outline(render(manifest, CERTIFICATE))
    assert outline.tags.isdisjoint({"script", "img"})
    assert "<script>alert('&')</script>" in "".join(outline.texts)


def test_missing_sections_say_so():
    bare = {"schema_version": 1, "target": "cortex-m4", "files": {}, "measured": {}, "reasons": {}}
    outline = Outline(render(bare, None))
    assert outline.headings == SECTIONS
    assert "".join(outline.texts).count("Not recorded in this build.") == len(SECTIONS)


def test_the_page_needs_no_network():
    page = render(MANIFEST, CERTIFICATE)
    assert "http" not in page and "url(" not in page and "@import" not in page
    assert page == render(copy.deepcopy(MANIFEST), copy.deepcopy(CERTIFICATE))
