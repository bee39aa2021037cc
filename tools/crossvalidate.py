"""Train one configuration on every fold and seed, and summarise the scores of the test speakers.

Each part is a folder ``OUT/foldF-seedS`` that ``tfser train`` could have made. A finished part is
not trained again and an interrupted one is continued, so the tool can be stopped and started at
will. ``OUT/summary.json`` holds the mean and standard deviation over all parts. What would be
deployed is scored too, by TensorFlow Lite Micro: ``int8.json`` in each part, ``int8`` in the summary.
"""

from __future__ import annotations

import itertools
import json
import os
import shlex
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import click
import numpy as np

from tfser.cli.card import data_facts, write_card
from tfser.cli.int8_scores import score_int8
from tfser.cli.main import EXIT_INTERRUPTED, run
from tfser.cli.output import log, print_json
from tfser.cli.recipe_options import TrainingCommand
from tfser.cli.train import (
    features_of,
    hear_variants,
    read_features,
    train_into,
    training_of,
    training_options,
    warn_of_overlap,
)
from tfser.cli.training_command import shown_path
from tfser.cli.tuning import qat_options, tune_into, tuning_of
from tfser.errors import InputError
from tfser.files import canonical_json, write_atomic
from tfser.report.card import CARD_JSON
from tfser.spec import FeatureSpec
from tfser.training.hints import FOLD_FILE
from tfser.training.study import locked
from tfser.training.sweep import run_tasks
from tfser.training.workers import local_pool

# Faster kernels, whose sums are another machine's in the last bits: off unless asked for (see tfser/keras.py).
KERNELS = "TF_ENABLE_ONEDNN_OPTS"
SCORES = ("wf1", "uar", "wa", "macro_f1")
SUMMARY = "summary.json"
#: Fold and seed.
Part = tuple[int, int]


@click.command(help=__doc__, cls=TrainingCommand)
@training_options
@qat_options
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Seeds 0 to N - 1.")
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default=True,
              help="Trainings at once, each on one thread.")
@click.option("--teachers", type=click.Path(path_type=Path), metavar="DIR",
              help="Teachers: those of the same fold that an earlier run of this tool left in DIR, all seeds.")
@click.option("--hints", type=click.Path(path_type=Path), metavar="DIR",
              help="Hints: those of the same fold that tools/hints.py left in DIR.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the parts and summary.json.")
def main(seeds: int, jobs: int, out: Path, **options: Any) -> int:
    warn_of_overlap(options)
    parts = list(itertools.product(range(_folds(options)), range(seeds)))
    with locked(out):
        try:
            results = _run(parts, options, out, min(jobs, len(parts)))
        except KeyboardInterrupt:
            log.print(f"interrupted; what is finished is in {out}, the same command continues", soft_wrap=True)
            return EXIT_INTERRUPTED
        card = json.loads((out / "fold0-seed0" / CARD_JSON).read_bytes())
        summary = {"commands": commands_of(options, seeds, out), "parameters": card["model"]["parameters"],
                   **summarise({part: results[part] for part in parts}, options)}
        write_atomic(out / SUMMARY, canonical_json({"schema_version": 1, **summary}).encode())
    print_json(summary)
    return 0


def _run(parts: Sequence[Part], options: dict[str, Any], out: Path, jobs: int) -> dict[Part, dict[str, Any]]:
    """What :func:`run_part` says of each fold and seed, with a line on stderr as it comes."""
    results: dict[Part, dict[str, Any]] = {}

    def keep(record: tuple[Part, dict[str, Any]]) -> None:
        (fold, seed), results[fold, seed] = record
        tested = results[fold, seed].get("test")
        log.print(f"{len(results)}/{len(parts)}  fold {fold} seed {seed}"
                  + (f"  test WF1 {tested['wf1']:.3f}" if tested else ""))

    # One thread each: faster in sum than sharing, and the weights do not depend on the machine's cores.
    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
    with local_pool(jobs) as pool:
        run_tasks(parts, pool, partial(_record_of, options, out), keep)
    return results


def _record_of(options: dict[str, Any], out: Path, part: Part) -> tuple[Part, dict[str, Any]]:
    return part, run_part(options, out, *part)


def _folds(options: dict[str, Any]) -> int:
    """As many as asked for or customary; one where all are trained on, because every fold is the same then."""
    from tfser.corpora import load_corpus
    from tfser.corpora.splits import customary_folds

    if options["train_on"] == "all":
        return 1
    return options["folds"] or customary_folds(load_corpus(options["corpus"], options["root"]),
                                              speaker_overlap=options["speaker_overlap"])


def run_part(options: dict[str, Any], out: Path, fold: int, seed: int) -> dict[str, Any]:
    """Train one fold with one seed, or read what was trained before: the metrics by role.

    ``int8`` has those of the deployed file on the test speakers: see :func:`tfser.cli.int8_scores.score_int8`.
    """
    from tfser.training.run import METRICS, STATE

    corpus, data = _data(options["corpus"], options["root"], features_of(options))
    folder = out / f"fold{fold}-seed{seed}"
    begun = any((folder / name).is_file() for name in (STATE, METRICS))
    hints = options["hints"] and options["hints"] / FOLD_FILE.format(fold)
    training = training_of(options, corpus, fold=fold, seed=seed, teachers=_teachers(options["teachers"], fold),
                           hints=hints)
    heard = hear_variants(data, corpus, training)
    checkpoint = train_into(folder, training, heard, resume=begun, on_epoch=lambda entry: None)
    if spec := tuning_of(options, seed=seed):
        tune_into(folder, training, data, spec)
    int8 = score_int8(folder, training, data)["roles"].get("test")
    write_card(folder, data=data_facts(corpus, data, training.split))
    return {**checkpoint.metrics, "int8": int8}


def _teachers(folder: Path | None, fold: int) -> list[Path]:
    """The checkpoints of a fold in an earlier run's folder; the training itself refuses those of another split.

    Raises
    ------
    InputError
        There is none.
    """
    if folder is None:
        return []
    if not (found := sorted(folder.glob(f"fold{fold}-seed*/checkpoint.npz"))):
        raise InputError("TF-TEACH-06", f"no teacher of fold {fold} in {str(folder)!r}",
                         expected=f"fold{fold}-seed*/checkpoint.npz, as this tool writes them",
                         fix="check --teachers, or finish that run")
    return found


@cache
def _data(name: str, root: Path, features: FeatureSpec) -> tuple[Any, Any]:
    """Corpus and features, read once a process."""
    from tfser.corpora import load_corpus

    corpus = load_corpus(name, root)
    return corpus, read_features(corpus, features)


def commands_of(options: dict[str, Any], seeds: int, out: Path) -> list[str]:
    """The commands that made its teachers and what it begins with, as far as they left them, and its own."""
    start = options.get("init")
    earlier = [start and start.with_name(CARD_JSON),
               *(options[name] / SUMMARY for name in ("hints", "teachers") if options.get(name))]
    found = [command for path in earlier if path and path.is_file()
             for command in json.loads(path.read_bytes())["commands"] or ()]
    return [*dict.fromkeys(found), command_of(options, seeds, out)]


def command_of(options: dict[str, Any], seeds: int, out: Path) -> str:
    """The command line of this tool, with paths as :func:`shown_path` names them."""
    kernels = os.environ.get(KERNELS, "0")
    words = [*([f"{KERNELS}={kernels}"] if kernels != "0" else []), "python", "tools/crossvalidate.py"]
    for name, value in sorted({**options, "seeds": seeds, "root": "ROOT"}.items()):
        if value is None or value is False or (name == "qat_steps" and not options.get("qat")):
            continue
        words += [f"--{name.replace('_', '-')}", *([] if value is True else [_shown(value)])]
    return shlex.join([*words, "--out", shown_path(out)])


def _shown(value: Any) -> str:
    return shown_path(value) if isinstance(value, Path) else str(value)


def summarise(results: dict[Part, dict[str, Any]], options: dict[str, Any]) -> dict[str, Any]:
    """The test speakers' scores, if there are any: over folds and seeds, and all of them pooled.

    ``test`` has the mean over the folds' means with its interval, and the deviation over all parts (ddof 1), which
    one part alone has not (``None``).
    """
    from tfser.training.intervals import bootstrap_mean, to_json
    from tfser.training.metrics import pool

    folds, int8 = [fold for fold, _ in results], [metrics.get("int8") for metrics in results.values()]
    scored = SCORES if all("test" in metrics for metrics in results.values()) else ()
    table = {score: np.array([metrics["test"][score] for metrics in results.values()]) for score in scored}
    return {
        "options": {name: _shown(value) for name, value in options.items()
                    if name != "root" and value is not None and value is not False},
        "test": {score: {**to_json(bootstrap_mean(values, folds)),
                         "std": float(values.std(ddof=1)) if values.size > 1 else None}
                 for score, values in table.items()},
        "pooled": pool([metrics["test"] for metrics in results.values()]) if scored else None,
        "int8": summarise_int8(int8, folds) if scored and all(int8) else None,
        "parts": [{"fold": fold, "seed": seed, **{score: metrics["test"][score] for score in scored}}
                  for (fold, seed), metrics in results.items()],
    }


def summarise_int8(parts: Sequence[dict[str, Any]], folds: Sequence[int]) -> dict[str, Any]:
    """What int8 changes on the test speakers, by TensorFlow Lite Micro.

    ``same_label`` is the share of all parts' utterances that got the float model's label; ``drop`` of a score is
    the mean of the float model's less the int8 model's, part by part, with its interval.
    """
    from tfser.training.intervals import paired_bootstrap, to_json
    from tfser.training.metrics import pool

    utterances = sum(part["utterances"] for part in parts)
    table = {score: np.array([[part[kind][score] for kind in ("float", "int8")] for part in parts])
             for score in ("wf1", "uar")}
    return {
        "utterances": utterances,
        "same_label": sum(part["same_label"] for part in parts) / utterances,
        "test": {score: {"mean": float(values[:, 1].mean()),
                         "drop": to_json(paired_bootstrap(values[:, 0] - values[:, 1], folds))}
                 for score, values in table.items()},
        "pooled": pool([part["int8"] for part in parts]),
        "pooled_float": pool([part["float"] for part in parts]),
        "same_label_of_parts": [part["same_label"] / part["utterances"] for part in parts],
    }


if __name__ == "__main__":
    run(main)
