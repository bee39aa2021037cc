"""Write the results page, tools/results/README.md, from the measurements that lie beside it.

=============================  =====================================================================
``crossvalidate/NAME.json``    ``summary.json`` of a run of tools/crossvalidate.py
``study*/summary.json``        of a run of ``tfser bench reparam``, with its results.csv and plots, and in
                               commands.txt the command lines that made it
=============================  =====================================================================

The page has what is there: same files, same page. Every table names the command that measured it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from tfser.cli.main import run
from tfser.corpora.licences import licence_of
from tfser.files import write_atomic
from tfser.report import study_tables as tables
from tfser.training.intervals import Interval, bootstrap_mean, score_intervals

Document = Mapping[str, Any]

ROOT = Path(__file__).resolve().parent / "results"
PAGE = "README.md"
SCORES = {"wf1": "WF1", "uar": "UAR", "wa": "WA", "macro_f1": "macro-F1"}
INTRO = """# Results

Written by `python tools/results_page.py` from the files in this folder; do not edit.

Speakers are disjoint: nobody who is tested was heard in training or in validation, and test speakers are scored once,
after the last epoch. The recipe was chosen on validation speakers; a run on `train+validation`, with the recipe
settled, trains on them too. `ROOT` is the folder of the recordings. The interval of a mean over folds and seeds is a
bootstrap over folds, and seeds in them, at 95 %; that of scores over speakers draws whole speakers (see
`tfser/training/intervals.py`). It says what the same recipe would score on other speakers of the same corpus, not in
another place."""


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), default=ROOT)
def main(folder: Path) -> None:
    write_atomic(folder / PAGE, page(folder).encode())
    click.echo(folder / PAGE)


def page(folder: Path) -> str:
    """The page of what lies in a folder."""
    found = {path.stem: json.loads(path.read_bytes()) for path in sorted((folder / "crossvalidate").glob("*.json"))}
    by_corpus: dict[str, dict[str, Document]] = {}
    for name, summary in found.items():
        by_corpus.setdefault(summary["options"]["corpus"], {})[name] = summary
    parts = [INTRO, *(_corpus(corpus, runs) for corpus, runs in sorted(by_corpus.items())),
             *(_study(path.parent) for path in sorted(folder.glob("study*/summary.json")))]
    return "\n\n".join(parts) + "\n"


def _corpus(corpus: str, runs: Mapping[str, Document]) -> str:
    """Float and int8 scores of every run on a corpus, then each run's labels and speakers, then the commands."""
    licence = licence_of(corpus)
    parts = [f"## {corpus}", f"{licence.speech}. {licence.citation}. Terms: {licence.terms}.",
             tables.table(("run", "backbone", "HRF", "parameters deployed", "trained on", "folds x seeds",
                           *SCORES.values(), "95 % interval of WF1", "standard deviation of WF1"),
                          [_float_row(name, run) for name, run in runs.items()])]
    if int8 := {name: run for name, run in runs.items() if run.get("int8")}:
        parts += ["The deployed int8 model, by TensorFlow Lite Micro's kernels, on the same test recordings: what it "
                  "loses against the float model, part by part, and the share of recordings with the same label.",
                  tables.table(("run", "WF1 of int8", "WF1 lost", "95 % interval", "UAR lost", "same label",
                                "same label, lowest part"), [_int8_row(name, run) for name, run in int8.items()])]
    parts += [_pooled(name, run) for name, run in runs.items() if run.get("pooled")]
    return "\n\n".join([*parts, "Commands:", _commands(_of_runs(runs))])


def _of_runs(runs: Mapping[str, Document]) -> list[str]:
    """Every command once, those of a run's parents before its own, which is marked with the run's name."""
    own = {run["commands"][-1]: name for name, run in runs.items()}
    every = dict.fromkeys(command for run in runs.values() for command in run["commands"])
    return [f"{command}  # {own[command]}" if command in own else command for command in every]


def _float_row(name: str, run: Document) -> Sequence[str]:
    options, folds = run["options"], [part["fold"] for part in run["parts"]]
    interval = bootstrap_mean([part["wf1"] for part in run["parts"]], folds)
    means = (bootstrap_mean([part[score] for part in run["parts"]], folds).mean for score in SCORES)
    ratio = options["hrf_ratio"]
    return (name, f"{options['arch']} {options['size']}",
            "none" if ratio == "0" else f"x{ratio} at {options['hrf_sites']}",
            f"{run['parameters']['deployed']:,}" if "parameters" in run else "–", options.get("train_on", "train"),
            f"{len(set(folds))} x {len({part['seed'] for part in run['parts']})}",
            *(f"{mean:.3f}" for mean in means), _between(interval), _deviation([part["wf1"] for part in run["parts"]]))


def _int8_row(name: str, run: Document) -> Sequence[str]:
    int8 = run["int8"]
    wf1, uar = int8["test"]["wf1"], int8["test"]["uar"]
    return (name, f"{wf1['mean']:.3f}", f"{wf1['drop']['mean']:+.4f}", tables.interval(wf1["drop"], "+.4f"),
            f"{uar['drop']['mean']:+.4f}", f"{int8['same_label']:.2%} of {int8['utterances']:,}",
            f"{min(int8['same_label_of_parts']):.2%}")


def _pooled(name: str, run: Document) -> str:
    """Each label's recall over all speakers, and how far speakers differ."""
    pooled, spread = run["pooled"], run["pooled"]["speaker_spread"]
    recall = score_intervals(pooled)["recall"]
    seeds = len({part["seed"] for part in run["parts"]})
    rows = [(label, str(pooled["classes"][label]["support"] // seeds), _number(pooled["classes"][label]["recall"]),
             tables.interval(recall[label], ".3f")) for label in pooled["labels"]]
    return (f"{name}, all {len(pooled['speakers'])} speakers, each tested once a seed; their UAR runs from "
            f"{spread['uar_min']:.3f} to {spread['uar_max']:.3f}:\n\n"
            + tables.table(("label", "recordings", "recall", "95 % interval over speakers"), rows))


def _study(folder: Path) -> str:
    """The paired comparison of HRF with none, as ``tfser bench reparam`` found it."""
    summary = json.loads((folder / "summary.json").read_bytes())
    parts = [f"## HRF against none: {folder.name}", tables.run_sentence(summary["run"]),
             " ".join(tables.ABOUT.splitlines()), tables.differences(summary)]
    if best := tables.best(summary):
        parts += [" ".join(tables.BEST.splitlines()), best]
    parts += [f"![{path.stem}]({folder.name}/plots/{path.name})" for path in sorted((folder / "plots").glob("*.svg"))]
    if (folder / "results.csv").is_file():
        parts.append(f"Every part: [results.csv]({folder.name}/results.csv).")
    parts.append("Recipe: " + ", ".join(f"{name} {value}" for name, value in sorted(summary["recipe"].items())) + ".")
    if (folder / "commands.txt").is_file():
        parts += ["Commands:", _commands((folder / "commands.txt").read_text(encoding="utf-8").splitlines())]
    return "\n\n".join(parts)


def _commands(lines: Iterable[str]) -> str:
    return "```sh\n" + "\n".join(lines) + "\n```"


def _between(interval: Interval) -> str:
    return "–" if interval.low is None else f"{interval.low:.3f} to {interval.high:.3f}"


def _deviation(values: Sequence[float]) -> str:
    return f"{np.std(values, ddof=1):.3f}" if len(values) > 1 else "–"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    run(main)
