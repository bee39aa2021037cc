"""Train one configuration on every fold and seed, and summarise the scores of the test speakers.

Each part is a folder ``OUT/foldF-seedS`` that ``tfser train`` could have made. A finished part is
not trained again and an interrupted one is continued, so the tool can be stopped and started at
will. ``OUT/summary.json`` holds the mean and standard deviation over all parts.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from typing import Any

import click
import numpy as np

from tfser.cli.output import log, print_json
from tfser.cli.train import FOLDS, read_features, train_into, training_of, training_options
from tfser.files import canonical_json, write_atomic

SCORES = ("wf1", "uar", "wa", "macro_f1")


@click.command(help=__doc__)
@training_options
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Seeds 0 to N - 1.")
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default=True,
              help="Trainings at once, each on one thread.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the parts and summary.json.")
def main(seeds: int, jobs: int, out: Path, **options: Any) -> None:
    # One thread each: faster in sum than sharing, and the weights do not depend on the machine's cores.
    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
    folds = options["folds"] or FOLDS[options["corpus"]] or _customary_folds(options)
    parts = list(itertools.product(range(folds), range(seeds)))
    results: dict[tuple[int, int], dict[str, Any]] = {}
    with ProcessPoolExecutor(min(jobs, len(parts)), multiprocessing.get_context("spawn")) as pool:
        running = {pool.submit(run_part, options, out, fold, seed): (fold, seed) for fold, seed in parts}
        for done in as_completed(running):
            fold, seed = running[done]
            results[fold, seed] = done.result()
            log.print(f"{len(results)}/{len(parts)}  fold {fold} seed {seed}  "
                      f"test WF1 {results[fold, seed]['test']['wf1']:.3f}")
    summary = summarise({part: results[part] for part in parts}, options)
    write_atomic(out / "summary.json", canonical_json({"schema_version": 1, **summary}).encode())
    print_json(summary)


def _customary_folds(options: dict[str, Any]) -> int:
    """What a manifest says: one split of its own, or folds by its speakers."""
    from tfser.corpora import load_corpus
    from tfser.corpora.splits import customary_folds

    return customary_folds(load_corpus(options["corpus"], options["root"]))


def run_part(options: dict[str, Any], out: Path, fold: int, seed: int) -> dict[str, Any]:
    """Train one fold with one seed, or read what was trained before: the metrics by role."""
    from tfser.training.run import METRICS, STATE

    corpus, data = _data(options["arch"], options["corpus"], options["root"])
    folder = out / f"fold{fold}-seed{seed}"
    begun = any((folder / name).is_file() for name in (STATE, METRICS))
    training = training_of(options, corpus, fold=fold, seed=seed)
    return train_into(folder, training, data, resume=begun, on_epoch=lambda entry: None).metrics


@cache
def _data(arch: str, name: str, root: Path) -> tuple[Any, Any]:
    """Corpus and features, read once a process."""
    from tfser.corpora import load_corpus
    from tfser.models.build import feature_spec_for

    corpus = load_corpus(name, root)
    return corpus, read_features(corpus, feature_spec_for(arch))


def summarise(results: dict[tuple[int, int], dict[str, Any]], options: dict[str, Any]) -> dict[str, Any]:
    """Mean and standard deviation (over folds and seeds, ddof 1) of the test speakers' scores."""
    table = {score: np.array([metrics["test"][score] for metrics in results.values()]) for score in SCORES}
    return {
        "options": {name: str(value) for name, value in options.items() if name != "root" and value is not None},
        "test": {score: {"mean": float(values.mean()), "std": float(values.std(ddof=1))}
                 for score, values in table.items()},
        "parts": [{"fold": fold, "seed": seed, **{score: metrics["test"][score] for score in SCORES}}
                  for (fold, seed), metrics in results.items()],
    }


if __name__ == "__main__":
    main()
