"""Layers with what they cost, from plan, profile and constants; the table and its sums."""

from __future__ import annotations

import copy

import pytest
from documents import BARE, MANIFEST
from outlines import outline

from tfser.report.image import image
from tfser.report.layers import group_names, layers, read_layers
from tfser.report.listening import listening


@pytest.fixture
def manifest():
    return copy.deepcopy(MANIFEST)


@pytest.mark.parametrize(("names", "groups"), [
    (["a/x", "a/y", "a/z", "b/x", "b/y", "b/z"], ["a"] * 3 + ["b"] * 3),
    (["net/a/x", "net/a/y", "net/a/z", "net/b/x", "net/b/y", "net/b/z"], ["net/a"] * 3 + ["net/b"] * 3),
    (["a/x", "a/y", "logits"], ["a", "a", "a"]),  # no path: with the layer before
    (["logits", "a/x", "a/y", "a/z", "a/w", "a/v"], ["", "a", "a", "a", "a", "a"]),
    (["a/x", "b/x", "c/x"], [""] * 3),  # groups of one say nothing
    (["", "", ""], [""] * 3), ([], []),
])
def test_groups_follow_the_names(names, groups):
    assert group_names(names) == groups


def test_a_layer_has_its_figures(manifest):
    first, second, third = read_layers(manifest)
    assert (first.name, first.group, first.own_name, first.inputs) == ("block1/project", "block1", "project", (-1,))
    assert (second.kinds, second.numbers) == (["CONV_2D", "LOGISTIC"], "1 CONV_2D, 2 LOGISTIC")
    assert (second.instructions, second.weights_bytes, second.tables_bytes) == (600, 600, 30)
    assert (third.size, third.inputs) == ("25×40", (0, 1))


@pytest.mark.parametrize("shown", [
    "block1 4,000 100.0% 1,500 70", "project 0 CONV_2D 25×40 3,000 75.0% 900 40",
    "sigmoid 1 CONV_2D, 2 LOGISTIC 25×40 600 15.0% 600 30", "add 3 ADD 25×40 400 10.0% 0 0",
    "all layers 4,000 100.0% 1,500 70"])
def test_the_table_gives_instructions_and_bytes(manifest, shown):
    assert shown in outline(manifest).text


def test_without_a_profile_the_bytes_remain(manifest):
    manifest["profile"], manifest["reasons"] = None, {"instructions_per_inference": "nothing ran it"}
    text = outline(manifest).text
    assert "Instructions were not counted: nothing ran it." in text
    assert "project 0 CONV_2D 25×40 – – 900 40" in text


def test_a_profile_alone(manifest):
    """As builds had before plans were recorded."""
    del manifest["plan"], manifest["constants"]
    text = outline(manifest).text
    assert "1 CONV_2D, 2 LOGISTIC 600 15.0% – –" in text
    assert "no 'graph' in its 'plan'" in text


def test_a_plan_that_does_not_fit_its_parts_is_left_out(manifest):
    manifest["plan"]["graph"].pop()
    assert [layer.name for layer in read_layers(manifest)] == ["", "", ""]


def test_no_layers_say_why():
    assert "Not recorded in this build: manifest.json has no" in layers(BARE)


def test_groups_of_the_image_show_the_largest_and_the_rest(manifest):
    text = outline(manifest).text
    assert "Flash by section: 2,000 B .weights 1,500 .text 500" in text
    assert "function9 91 3 more 267" in text
    assert "function10" not in text
    manifest["size"]["groups"], manifest["reasons"] = {}, {"flash_code_bytes": "no compiler"}
    assert "Not recorded in this build: no compiler." in image(manifest)


@pytest.mark.parametrize("shown", [
    "front end 1,100,000 instructions per second of audio", "decision – nothing ran it",
    "bound 800 B the compiler's frames along the deepest calls high-water mark 600 B painted stack",
    "✓ What was seen is within the bound.", "nucleo-f767zi cortex-m7 216 MHz 3.9%",
    "slow cortex-m7 1 MHz 830%, too slow",
    "small cortex-m7 9 MHz too little memory",
    "with a decision every 0.5 s, counted on cortex-m7, assuming one instruction per cycle: instructions are not"])
def test_what_listening_takes(manifest, shown):
    assert shown in outline(manifest).text


def test_boards_of_other_cores_are_not_guessed(manifest):
    assert "pico-2" not in outline(manifest).text


def test_more_stack_than_the_bound_stands_out(manifest):
    manifest["measured"]["stack_bytes"] = 801
    assert "✗ More was seen than the bound allows." in outline(manifest).text
    manifest["measured"]["stack_bound_bytes"] = None
    manifest["reasons"]["stack_bound_bytes"] = "no compiler"
    text = outline(manifest).text
    assert "bound – no compiler high-water mark 801 B" in text
    assert "the bound." not in text


def test_a_model_without_an_application():
    assert "no application layer" in listening(BARE)
