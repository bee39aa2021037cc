"""Put one part of a cross-validation into the zoo, with a card that says how it was made.

Always fold 0, seed 0: a checkpoint that is chosen by its test score would make that score worthless.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import click

from tfser.errors import InputError
from tfser.files import canonical_json, write_atomic
from tfser.models.checkpoint import read_checkpoint
from tfser.zoo import zoo_checkpoint

PART = "fold0-seed0"
# Files of the package have limits: a checkpoint 1 MB, its calibration clips 300 KB.
MAX_BYTES = {"checkpoint.npz": 1_000_000, "calibration.npz": 300_000}


@click.command(help=__doc__)
@click.argument("crossvalidation", type=click.Path(path_type=Path, exists=True, file_okay=False))
def main(crossvalidation: Path) -> None:
    summary = json.loads((crossvalidation / "summary.json").read_text())
    folder = zoo_checkpoint(summary["options"]["arch"]).parent
    folder.mkdir(exist_ok=True)
    for name, limit in MAX_BYTES.items():
        source = crossvalidation / PART / name
        if source.stat().st_size > limit:
            raise InputError("TF-SHIP-01", f"{source} has {source.stat().st_size} bytes", expected=f"at most {limit}",
                             fix="train with a smaller --hrf-ratio or at fewer --hrf-sites")
        shutil.copyfile(source, folder / name)
    write_atomic(folder / "card.json", canonical_json(card(summary, folder / "checkpoint.npz")).encode())
    click.echo(folder)


def card(summary: dict[str, Any], checkpoint_path: Path) -> dict[str, Any]:
    """How a checkpoint was made, on whom, and what its recipe scores on speakers that it never heard."""
    checkpoint, _ = read_checkpoint(checkpoint_path)
    options = summary["options"]
    seeds = 1 + max(part["seed"] for part in summary["parts"])
    flags = {name.replace("_", "-"): value for name, value in sorted({**options, "seeds": seeds}.items())}
    given = " ".join(f"--{name} {value}" for name, value in flags.items())
    out = f"runs/cv-{options['corpus']}-{options['arch']}"
    return {
        "schema_version": 1,
        "commands": [f"python tools/crossvalidate.py {given} --root EMODB --out {out}", f"python tools/ship.py {out}"],
        "shipped": PART,
        "split": checkpoint.split,
        "test": {name: checkpoint.metrics["test"][name] for name in summary["test"]},
        "cross_validated": {"on": "the test speakers of every fold, mean and standard deviation over folds and seeds",
                            **summary["test"]},
        "parts": summary["parts"],
        "data": "EMO-DB (Burkhardt et al., Interspeech 2005), published as CC0-1.0; clips of 2 s",
        "limits": "Acted emotions of ten German actors. Do not infer the state of a person from it.",
    }


if __name__ == "__main__":
    main()
