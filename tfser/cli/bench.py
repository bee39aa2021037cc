"""``tfser bench reparam``: what HRF brings, as paired comparisons over folds and seeds."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfser.cli.output import json_option, log, print_json
from tfser.cli.train import RATIOS, TRAINING_OPTIONS
from tfser.spec import ARCHITECTURES, CORPUS_NAMES, HRF_DEPTHS, HRF_SITES

if TYPE_CHECKING:
    from tfser.training.study import Study
    from tfser.training.sweep import Part, Pool, Task

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130
#: Of the training's options, those that the grid varies; the others are its recipe.
VARIED = ("arch", "corpus", "root", "hrf_ratio", "hrf_depth", "hrf_sites")
SITES = ("ffn", *HRF_SITES)


class Listed(click.ParamType):
    """Values with commas between them, each one of the choices, or several with ``+`` where ``joined``."""

    name = "list"

    def __init__(self, choices: Sequence[str], *, joined: bool = False) -> None:
        self.choices, self.joined = choices, joined

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        names = list(dict.fromkeys(name.strip() for name in value.split(",")))
        for name in names:
            for single in name.split("+") if self.joined else (name,):
                if single not in self.choices:
                    self.fail(f"{single!r} is not one of {', '.join(self.choices)}", param, ctx)
        return tuple(names)


def _recipe_options(function: Any) -> Any:
    """The options of ``tfser train`` that say how is trained."""
    def every() -> None:
        """Click keeps on a function what its decorators add."""

    for option in reversed(TRAINING_OPTIONS):
        option(every)
    recipe = [param for param in every.__click_params__ if param.name not in VARIED]  # type: ignore[attr-defined]
    function.__click_params__ = [*recipe, *getattr(function, "__click_params__", [])]
    return function


@click.group("bench")
def command() -> None:
    """Studies that train many models."""


@command.command("reparam")
@json_option
@click.option("--dry-run", is_flag=True, help="Say how many parts there are and about how long they take, and end.")
@click.option("--time-limit-s", type=click.FloatRange(0), help="Begin no part after so many seconds.")
@click.option("--max-parts", type=click.IntRange(0), help="Run at most so many parts; 0 writes the results again.")
@click.option("--scheduler", metavar="ADDRESS", help="Run on the Dask cluster of this scheduler, such as "
              "tcp://HOST:8786, whose workers find the recordings at the same --root.")
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default=True,
              help="Trainings at once on this machine, each on one thread.")
@_recipe_options
@click.option("--deploy", type=click.Choice(("one", "all", "none")), default="one", show_default=True,
              help="Parts whose int8 model is made and scored too: the first of each variant, all, none.")
@click.option("--first-seed", type=click.IntRange(0, 2**30), default=0, show_default=True,
              help="The first seed: fresh ones confirm what others suggested.")
@click.option("--seeds", type=click.IntRange(1, 1000), default=3, show_default=True, help="How many seeds.")
@click.option("--depths", type=Listed(tuple(map(str, HRF_DEPTHS))), default=str(HRF_DEPTHS[0]), show_default=True,
              help="Linear layers that merge into one.")
@click.option("--ratios", type=Listed(RATIOS), default=",".join(RATIOS[:1] + RATIOS[2:]), show_default=True,
              help="Inner over output width; 0 is without HRF, below 1 a low-rank control.")
@click.option("--sites", type=Listed(SITES, joined=True), default="ffn,attention,conv", show_default=True,
              help="Where HRF is; sites that are widened together have a + between them.")
@click.option("--arch", "archs", type=Listed(ARCHITECTURES), required=True, help="Backbones.")
@click.option("--root", "roots", type=click.Path(path_type=Path), multiple=True, required=True,
              help="Folder with the recordings; once for each --corpus.")
@click.option("--corpus", "corpora", type=click.Choice(CORPUS_NAMES), multiple=True, required=True,
              help="Corpus; several times for several.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the study.")
def reparam_command(out: Path, as_json: bool, dry_run: bool, **options: Any) -> int:
    """Train every combination of backbones, sites, ratios, depths, seeds and folds, and compare in pairs.

    What differs within a pair is HRF alone: corpus, fold, seed and recipe are the same. A finished
    part is a file below OUT/parts and is never run again; the same command continues, and one with
    a larger grid of the same recipe adds to the study. Lists have commas: --ratios 0,2,4.
    """
    from tfser.cli.bench_plan import estimate_s, plan, recipe_of
    from tfser.training.study import locked, open_study, save_study

    tasks = plan(options)
    study = open_study(out, recipe_of(options), tasks)
    waiting = [task for task in tasks if study.record(task.part) is None][: options["max_parts"]]
    if dry_run:
        return _say_plan(study, tasks, waiting, estimate_s(waiting, study, options["jobs"]), as_json)
    with locked(out):
        save_study(study)
        try:
            _run(study, waiting, _pool(options), options["time_limit_s"])
        except KeyboardInterrupt:
            log.print(f"tfser: interrupted; {len(study.records())} of {len(study.keys)} parts are finished in {out}, "
                      "the same command continues", soft_wrap=True, markup=False)
            return EXIT_INTERRUPTED
        return _conclude(study, as_json)


def _pool(options: dict[str, Any]) -> AbstractContextManager[Pool]:
    from tfser.training.workers import dask_pool, local_pool

    return dask_pool(options["scheduler"]) if options["scheduler"] else local_pool(options["jobs"])


def _run(study: Study, tasks: Sequence[Task], pool: AbstractContextManager[Pool], time_limit_s: float | None) -> None:
    from tfser.cli.bench_part import run_part
    from tfser.training.sweep import run_tasks

    if not tasks:
        return
    keep = _keeper(study, {task.key: task.part for task in tasks})
    with pool as places:
        run_tasks(tasks, places, run_part, keep, time_limit_s)


def _keeper(study: Study, parts: dict[str, Part]) -> Callable[[dict[str, Any]], None]:
    """Writes each record as it comes, with a line on stderr."""
    from tfser.training.study import FAILED

    total = len(parts)

    def keep(record: dict[str, Any]) -> None:
        part = parts.pop(record["key"])
        study.write(part, record)
        said = "failed: " + record["error"].splitlines()[0] if record["status"] == FAILED else \
            f"test WF1 {record['result']['test']['wf1']:.3f}"
        log.print(f"{total - len(parts)}/{total}  {part}  {said}  ({record['seconds']:.0f} s)", soft_wrap=True,
                  markup=False)

    return keep


def _say_plan(study: Study, tasks: Sequence[Task], waiting: Sequence[Task], seconds: float, as_json: bool) -> int:
    plan = {"parts": len(tasks), "to_run": len(waiting), "estimated_s": round(seconds), "study_parts": len(study.keys)}
    if as_json:
        print_json(plan)
    else:
        click.echo(f"{len(tasks)} parts, {len(waiting)} to run; about {seconds / 3600:.1f} hours (an estimate)")
        for variant, count in Counter(task.part.variant for task in tasks).items():
            click.echo(f"{count:>5}  {variant}")
    return 0


def _conclude(study: Study, as_json: bool) -> int:
    """Write and print the results; exit 1 where a part failed."""
    from tfser.report.study import write_results

    summary = write_results(study)
    if as_json:
        print_json(summary)
    else:
        click.echo((study.folder / "results.md").read_text(), nl=False)
    for failure in summary["failed"]:
        log.print(f"failed: {failure['part']}: {failure['error']}", soft_wrap=True, markup=False)
    return EXIT_FAILED if summary["failed"] else 0
