"""``tfser size``: flash, RAM and instructions of a build folder against a budget."""

from __future__ import annotations

import os
from pathlib import Path

import click

from firmware_gen.report import present
from firmware_gen.report.budget import check, default_budget, read_budget
from firmware_gen.report.build_folder import read_build_folder
from firmware_gen.report.size import measure
from firmware_gen.target import target as find_target
from tfser.cli.output import json_option, print_json
from tfser.files import write_atomic

_PATH = click.Path(path_type=Path)


@click.command("size")
@click.argument("folder", metavar="DIR", type=_PATH)
@click.option("--target", "target_name", metavar="TARGET", help="Core or board; default: what DIR was built for.")
@click.option("--budget", "budget_path", metavar="FILE", type=_PATH, help="TOML file of limits; default: the board's.")
@click.option("--baseline", metavar="DIR", type=_PATH, help="Another build folder to show differences from.")
@click.option("--junit", metavar="FILE", type=_PATH, help="Write the verdicts as JUnit XML.")
@click.option("--github", is_flag=True, help="Write annotations and step summary (on by itself in GitHub Actions).")
@json_option
def command(folder: Path, target_name: str | None, budget_path: Path | None, baseline: Path | None,
            junit: Path | None, github: bool, as_json: bool) -> None:
    """Flash, RAM and instructions of a build against a budget; exit 1 where a limit is not kept."""
    build = read_build_folder(folder)
    target = find_target(target_name or build.target)
    budget = read_budget(budget_path, target) if budget_path else default_budget(target)
    sizes = measure(build)
    report = present.SizeReport(target, sizes, check(sizes, budget, target),
                                measure(read_build_folder(baseline)) if baseline else None)
    if as_json:
        print_json(present.to_dict(report))
    else:
        click.echo(present.to_text(report))
    if junit:
        write_atomic(junit, present.to_junit(report))
    if github or os.environ.get("GITHUB_ACTIONS") == "true":
        _tell_github(report)
    report.raise_if_over()


def _tell_github(report: present.SizeReport) -> None:
    """Annotations go to stderr, which GitHub reads too, so that stdout stays the result."""
    root = os.environ.get("GITHUB_WORKSPACE")
    for line in present.to_annotations(report, Path(root) if root else None):
        click.echo(line, err=True)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with open(summary, "a", encoding="utf-8") as stream:
            stream.write(present.to_markdown(report))
