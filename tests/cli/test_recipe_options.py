"""Every field of a recipe is an option, and what it may not be is refused."""

from __future__ import annotations

import dataclasses

import click
import pytest
from click.testing import CliRunner

from tfser.cli.recipe_options import RECIPE_OPTIONS, recipe_of
from tfser.cli.train import command
from tfser.spec import TrainSpec, settings

BASE = TrainSpec(epochs=80, mixup_alpha=0.0)


def recipe(*arguments: str) -> TrainSpec | str:
    """What the options make of ``BASE``, or what is wrong with them."""
    found: list[TrainSpec] = []

    def collect(**options: object) -> None:
        found.append(recipe_of(options, BASE, seed=7))

    for option in RECIPE_OPTIONS:
        collect = option(collect)
    result = CliRunner().invoke(click.command()(collect), arguments)
    return found[0] if found else result.output


def test_what_is_not_given_stays():
    assert recipe() == dataclasses.replace(BASE, seed=7)


def test_every_field_has_an_option_of_tfser_train():
    names = {parameter.name for parameter in command.params}
    assert {field.name for field in dataclasses.fields(TrainSpec)} <= names


def test_help_lists_the_recipe_apart(tfser):
    own, recipe_options = tfser("train", "--help").out.split("Recipe (")
    assert "--mixup-alpha" in recipe_options and "--mixup-alpha" not in own
    assert "--arch" in own and "--seed" in own and "--arch" not in recipe_options


def test_every_default_is_allowed_and_every_field_can_be_set():
    for field, setting in zip(dataclasses.fields(TrainSpec), settings(TrainSpec).values(), strict=True):
        if field.name in ("seed", "precision"):  # whose options mean more than the field
            continue
        option = f"--{field.name.replace('_', '-')}"
        assert getattr(recipe(option, str(field.default)), field.name) == field.default
        other = setting.choices[-1] if setting.choices else type(field.default)(
            setting.low + 1 if setting.high is None else (setting.low + setting.high) / 2)
        changed = recipe(option, str(other))
        assert isinstance(changed, TrainSpec), changed
        assert dataclasses.replace(BASE, seed=7, **{field.name: other}) == changed
        assert type(getattr(changed, field.name)) is type(field.default)


@pytest.mark.parametrize(("option", "value"), [
    ("--batch-size", "0"), ("--batch-size", "1.5"), ("--epochs", "many"), ("--learning-rate", "0"),
    ("--learning-rate", "nan"), ("--mixup-alpha", "-0.1"), ("--mixup-alpha", "inf"), ("--average-decay", "1"),
    ("--class-balance", "1.01"), ("--schedule", "exponential"), ("--time-masks", "-1"), ("--label-smoothing", "1"),
])
def test_what_is_refused(option, value):
    message = recipe(option, value)
    assert isinstance(message, str) and option in message and value.split(".")[0] in message


def test_a_refused_option_has_a_code(tfser, train_arguments, tmp_path):
    for given in (["--average-decay", "nan"], ["--time-warps", "0.1"]):
        result = tfser(*train_arguments, "--out", tmp_path / "run", *given)
        assert result.code == 2 and "error TF-USE-01" in result.err and given[0] in result.err
        assert not (tmp_path / "run").exists()


def test_the_recipe_reaches_the_checkpoint(tfser, train_arguments, tmp_path):
    from tfser.models.checkpoint import read_checkpoint

    given = {"epochs": 1, "average_decay": 0.9, "class_balance": 0.5, "schedule": "linear", "mixup_alpha": 0.3,
             "time_masks": 1, "batch_size": 8, "learning_rate": 1e-3}
    arguments = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", value)]
    assert tfser(*train_arguments, *arguments, "--dropout", 0.25, "--out", tmp_path / "run").code == 0
    checkpoint, _ = read_checkpoint(tmp_path / "run" / "checkpoint.npz")
    assert checkpoint.train == TrainSpec(**given) and checkpoint.model.dropout == 0.25
