"""Put one part of a cross-validation into the zoo, with a card that says how it was made.

Always fold 0, seed 0: a checkpoint that is chosen by its test score would make that score worthless.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import click

import tfser.zoo
from tfser.cli.card import write_card
from tfser.cli.main import run
from tfser.cli.training_command import shown_path
from tfser.convert.quantised_file import FILE_NAME as TUNED
from tfser.errors import InputError
from tfser.models.checkpoint import Checkpoint, read_checkpoint
from tfser.report.card import CARD_JSON, corpora_of, judged

PART, SUMMARY = "fold0-seed0", "summary.json"
# Files of the package have limits: a checkpoint and its tuned form 1 MB, its calibration clips 300 KB.
MAX_BYTES = {"checkpoint.npz": 1_000_000, "calibration.npz": 300_000, "quantised.npz": 1_000_000}


@click.command(help=__doc__)
@click.argument("crossvalidation", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--zoo", type=click.Path(path_type=Path, file_okay=False), default=Path(tfser.zoo.__file__).parent,
              help="Folder with a folder for each backbone.  [default: the package's]")
def main(crossvalidation: Path, zoo: Path) -> None:
    summary = _summary_of(crossvalidation)
    if "speaker_overlap" in summary["options"]:
        raise InputError("TF-SHIP-02", f"{crossvalidation} was split with --speaker-overlap",
                         expected="scores on speakers that training never heard", fix="run it again without")
    part, checkpoint = crossvalidation / PART, read_checkpoint(crossvalidation / PART / "checkpoint.npz")[0]
    _require_free(checkpoint)
    folder = zoo / checkpoint.model.arch
    folder.mkdir(parents=True, exist_ok=True)
    for name, limit in MAX_BYTES.items():
        source = part / name
        if not source.is_file() and name == TUNED:
            (folder / name).unlink(missing_ok=True)
            continue
        if source.stat().st_size > limit:
            raise InputError("TF-SHIP-01", f"{source} has {source.stat().st_size} bytes", expected=f"at most {limit}",
                             fix="train with a smaller --hrf-ratio or at fewer --hrf-sites")
        shutil.copyfile(source, folder / name)
    data = json.loads((part / CARD_JSON).read_bytes())["data"]
    int8 = {"on": "The test speakers of every fold and seed, by TensorFlow Lite Micro's kernels.",
            "float": summary["int8"]["pooled_float"], "int8": summary["int8"]["pooled"],
            "same_label": summary["int8"]["same_label"], "mean": summary["int8"]["test"]}
    commands = [*summary["commands"], f"python tools/ship.py {shown_path(crossvalidation)}"]
    write_card(folder, commands=commands, data=data, int8=int8, cross_validated=cross_validated(summary, checkpoint))
    click.echo(folder)


def _summary_of(crossvalidation: Path) -> dict[str, Any]:
    if not (path := crossvalidation / SUMMARY).is_file():
        raise InputError("TF-SHIP-04", f"no {SUMMARY} in {str(crossvalidation)!r}",
                         expected="a finished run of tools/crossvalidate.py",
                         fix="give its command again: it continues")
    return json.loads(path.read_bytes())


def cross_validated(summary: dict[str, Any], checkpoint: Checkpoint) -> dict[str, Any]:
    """What the recipe scores on every fold and seed, for a card: the mean of the parts, and all of them pooled."""
    corpus = checkpoint.split["corpus"] if checkpoint.split else None
    folds, seeds = ({part[what] for part in summary["parts"]} for what in ("fold", "seed"))
    pooled = summary["pooled"] and judged(summary["pooled"], checkpoint.model.labels, corpus)
    return {"folds": len(folds), "seeds": len(seeds), "mean": summary["test"], "pooled": pooled,
            "parts": summary["parts"]}


def _require_free(checkpoint: Checkpoint) -> None:
    """Only what learnt from data that anyone may use ships; teachers and initial weights count too."""
    bound = [entry["name"] or "an unknown corpus" for entry in corpora_of(checkpoint) if not entry["commercial"]]
    if bound:
        raise InputError("TF-SHIP-03", f"a checkpoint that learnt from {', '.join(bound)}",
                         expected="corpora whose licence allows any use, such as emodb",
                         fix="train on emodb alone, teachers and initial weights too")


if __name__ == "__main__":
    run(main)
