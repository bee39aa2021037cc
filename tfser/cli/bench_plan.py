"""The parts that the options of ``tfser bench reparam`` ask for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from tfser.cli.output import log
from tfser.cli.train import training_of
from tfser.errors import InputError
from tfser.spec import HRF_SITES

if TYPE_CHECKING:
    from tfser.corpora.manifest import Corpus
    from tfser.training.study import Study
    from tfser.training.sweep import Part, Task, Variant

# Options that do not decide what a part's result is, or that the parts themselves record.
_NOT_RECIPE = ("corpora", "roots", "archs", "sites", "ratios", "depths", "seeds", "first_seed", "deploy", "jobs",
               "scheduler", "max_parts", "time_limit_s")
# Measured on one core of a 2-core x86-64 machine, without HRF: seconds for a clip in an epoch, and for a start.
_CLIP_S = {"convtransformer": 0.0007, "conformer": 0.001, "speechformer": 0.0027}
_START_S = 10.0


def plan(options: Mapping[str, Any]) -> list[Task]:
    """Every part of the grid, in the order in which they are run.

    Raises
    ------
    InputError
        Corpora and roots do not pair; no backbone has a site; nobody is left to test; what ``training_of`` refuses.
    """
    from tfser.corpora import load_corpus
    from tfser.corpora.splits import customary_folds
    from tfser.training.sweep import grid, parts_of

    names, roots = options["corpora"], options["roots"]
    if len(names) != len(roots) or len(set(names)) != len(names):
        raise InputError("TF-BENCH-12", f"{len(names)} --corpus ({', '.join(names)}) and {len(roots)} --root",
                         expected="one --root for each --corpus, and each corpus once")
    if options["train_on"] == "all":
        raise InputError("TF-BENCH-13", "--train-on all, which leaves no speakers to test", expected="train or "
                         "train+validation", fix="leave out --train-on")
    # Absolute, for the workers of a cluster have working folders of their own; not resolved, for their links may too.
    places = {name: root.absolute() for name, root in zip(names, roots, strict=True)}
    corpora = {name: load_corpus(name, root) for name, root in places.items()}
    variants = list(grid(names, options["archs"], _sites(options), [float(ratio) for ratio in options["ratios"]],
                         [int(depth) for depth in options["depths"]]))
    folds = {name: options["folds"] or customary_folds(corpus) for name, corpus in corpora.items()}
    seeds = range(options["first_seed"], options["first_seed"] + options["seeds"])
    parts = parts_of(variants, lambda name: range(folds[name]), seeds)
    return _tasks(parts, options, corpora, places, seeds[0])


def _tasks(parts: Sequence[Part], options: Mapping[str, Any], corpora: Mapping[str, Corpus],
           places: Mapping[str, Path], first_seed: int) -> list[Task]:
    from tfser.training.sweep import Task

    trainings: dict[tuple[Variant, int], Any] = {}
    tasks = []
    for part in parts:
        variant = part.variant
        if (variant, part.fold) not in trainings:
            chosen = {**options, "arch": variant.arch, "hrf_ratio": f"{variant.ratio:g}",
                      "hrf_depth": str(variant.depth), "hrf_sites": variant.sites.replace("+", ",")}
            trainings[variant, part.fold] = training_of(chosen, corpora[variant.corpus], fold=part.fold, seed=0)
        training = trainings[variant, part.fold]
        training = dataclasses.replace(training, recipe=dataclasses.replace(training.recipe, seed=part.seed))
        first = part.fold == 0 and part.seed == first_seed
        deploy = options["deploy"] == "all" or (options["deploy"] == "one" and first)
        tasks.append(Task(part, training, places[variant.corpus], deploy))
    return tasks


def _sites(options: Mapping[str, Any]) -> Any:
    """From a backbone to the names of the sites asked for that it has: sorted, and ``ffn`` for all that ``ffn`` means.

    Raises
    ------
    InputError
        No backbone of the study has a site.
    """
    from tfser.models.build import sites_of

    found: dict[str, list[str]] = {arch: [] for arch in options["archs"]}
    for asked in options["sites"]:
        names = {arch: _site(asked, sites_of(arch)) for arch in found}
        for arch, name in names.items():
            if name is not None:
                found[arch].append(name)
            else:
                log.print(f"{arch} has no {asked}: left out", markup=False)
        if not any(names.values()):
            raise InputError("TF-BENCH-14", f"--sites {asked}, which {', '.join(found)} lack",
                             expected="; ".join(f"{arch}: {', '.join(sites_of(arch))}" for arch in found))
    return lambda arch: found[arch]


def _site(asked: str, own: Sequence[str]) -> str | None:
    """One name for equal sets of sites, or None where the backbone (whose sites are ``own``) lacks one."""
    every_ffn = {site for site in own if site.startswith("ffn")}
    wanted: set[str] = set()
    for name in asked.split("+"):
        wanted |= every_ffn if name == "ffn" else {name}
    if not wanted <= set(own):
        return None
    names = (wanted - every_ffn) | {"ffn"} if every_ffn <= wanted else wanted
    return "+".join(sorted(names, key=("ffn", *HRF_SITES).index))


def recipe_of(options: Mapping[str, Any]) -> dict[str, str]:
    """What all parts of a study share, as the options say it."""
    return {name: str(value) for name, value in options.items() if name not in _NOT_RECIPE and value is not None}


def estimate_s(tasks: Sequence[Task], study: Study, jobs: int) -> float:
    """Seconds for these parts: an estimate, from finished parts of the same backbone and corpus if there are some."""
    seen: dict[tuple[str, str], list[float]] = {}
    for part, record in study.records().items():
        seen.setdefault((part.variant.corpus, part.variant.arch), []).append(record["seconds"])
    total = 0.0
    for task in tasks:
        variant = task.part.variant
        known = seen.get((variant.corpus, variant.arch))
        clips = sum(role == "train" for role in task.training.split.roles.values())
        total += fmean(known) if known else _START_S + _CLIP_S[variant.arch] * clips * task.training.recipe.epochs
    return total / jobs
