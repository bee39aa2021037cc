"""An option of the command line for each field of a recipe."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import click

from tfser.spec import Setting, TrainSpec, settings

# Given for each training apart (see --seed of tfser train and --seeds of tools/crossvalidate.py), or with another
# default (see --precision).
_APART = ("seed", "precision")


class _Real(click.FloatRange):
    """A finite number in a range; click lets NaN through, which no comparison excludes."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


def _type_of(field: dataclasses.Field[Any], setting: Setting) -> click.ParamType:
    if setting.choices:
        return click.Choice(setting.choices)
    if isinstance(field.default, int):
        return click.IntRange(int(setting.low), None if setting.high is None else int(setting.high))
    return _Real(setting.low, setting.high, min_open=setting.open, max_open=setting.open)


#: What is not given is as the backbone's own recipe says.
RECIPE_OPTIONS = tuple(
    click.option(f"--{field.name.replace('_', '-')}", type=_type_of(field, setting), help=setting.text)
    for field, setting in zip(dataclasses.fields(TrainSpec), settings(TrainSpec).values(), strict=True)
    if field.name not in _APART)


def recipe_of(options: dict[str, Any], recipe: TrainSpec, *, seed: int) -> TrainSpec:
    """``recipe`` with the options that were given."""
    names = settings(TrainSpec).keys() - set(_APART)
    given = {name: options[name] for name in names if options.get(name) is not None}
    return dataclasses.replace(recipe, **given, seed=seed)


class TrainingCommand(click.Command):
    """A command whose help lists the options of the recipe apart."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        recipe = settings(TrainSpec).keys() - set(_APART)
        sections: dict[bool, list[tuple[str, str]]] = {False: [], True: []}
        for parameter in self.get_params(ctx):
            if record := parameter.get_help_record(ctx):
                sections[parameter.name in recipe].append(record)
        for of_recipe, title in ((False, "Options"), (True, "Recipe (what is not given is the backbone's own)")):
            with formatter.section(title):
                formatter.write_dl(sections[of_recipe])
