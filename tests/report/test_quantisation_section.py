"""The page's section about quantisation: the method, and each layer's error with the worst one named."""

from __future__ import annotations

import copy

import pytest
from documents import MANIFEST
from outlines import outline

from tfser.errors import InputError
from tfser.report.quantisation import METHODS, quantisation


@pytest.fixture
def manifest():
    return copy.deepcopy(MANIFEST)


@pytest.mark.parametrize("shown", [
    "activations int8 method ranges without the rarest values of the calibration clips percentile 99.99",
    "calibration clips 70 clips by label anger 35, fear 35 clips by speaker 11 40, 12 30",
    "16 clips against the float model. Worst layer: features . All layers together move the logits by 0.0583 RMS",
    "features 0.044 35.8", "frontend/image 0 35.8"])
def test_what_the_section_says(manifest, shown):
    assert shown in outline(manifest).text


def test_the_longest_bar_is_the_worst_layers(manifest):
    assert quantisation(manifest).count('width="100.0%"') == 1


def test_layers_that_were_not_measured(manifest):
    del manifest["layer_errors"]
    text = outline(manifest).text
    assert "not measured: tfser report DIR --against CHECKPOINT --layers does that" in text
    assert "Worst layer" not in text


def test_a_build_of_an_earlier_version(manifest):
    del manifest["layer_errors"]
    manifest["quantisation"] = {end: manifest["quantisation"][end] for end in ("input", "output")}
    assert "Not recorded in this build: manifest.json does not say how" in outline(manifest).text


@pytest.mark.parametrize("method", METHODS)
def test_methods_in_words(manifest, method):
    manifest["quantisation"] = {"activations": "int8", "method": method}
    assert METHODS[method] in outline(manifest).text


def test_figures_of_another_form_are_refused(manifest):
    manifest["layer_errors"] = {"clips": 3}
    with pytest.raises(InputError, match="TF-REP-01: the data for the page's quantisation"):
        outline(manifest)
