"""Print the README's table: what each shipped checkpoint takes and does, measured on all of EMO-DB."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np

from tfser.cli.evaluate import load
from tfser.cli.main import main as tfser
from tfser.cli.main import run
from tfser.corpora import load_corpus
from tfser.features.dataset import corpus_features
from tfser.features.normalise import band_normalise
from tfser.spec import ARCHITECTURES
from tfser.validate.accuracy import quantize
from tfser.validate.runtimes import RESOLVERS, run_litert, run_tflite_micro
from tfser.zoo import zoo_checkpoint

SCORES = {"wf1": "WF1", "uar": "UAR", "wa": "WA", "macro_f1": "macro-F1"}


@click.command(help=__doc__)
@click.argument("root", metavar="EMODB", type=click.Path(path_type=Path, exists=True, file_okay=False))
def main(root: Path) -> None:
    columns = [row(arch, root) for arch in ARCHITECTURES]
    click.echo("| | " + " | ".join(ARCHITECTURES) + " |\n" + "|---" * (1 + len(ARCHITECTURES)) + "|")
    for name in columns[0]:
        click.echo(f"| {name} | " + " | ".join(column[name] for column in columns) + " |")


def row(arch: str, root: Path) -> dict[str, str]:
    """Figures of one backbone by their name."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name, "build")
        with contextlib.redirect_stdout(sys.stderr):
            if tfser(["build", "--arch", arch, "--target", "cortex-m7", "--out", str(out)]):
                raise SystemExit(1)
        manifest = json.loads((out / "manifest.json").read_text())
        content = (out / "model.tflite").read_bytes()
    card = json.loads((zoo_checkpoint(arch).parent / "card.json").read_text())
    scores = card["cross_validated"]["mean"]
    return {
        "parameters": f"{manifest['model']['parameters']:,}",
        "`model.tflite`": f"{len(content):,} B",
        **_firmware(manifest["measured"]),
        **{shown: f"{scores[name]['mean']:.3f} ± {scores[name]['std']:.3f}" for name, shown in SCORES.items()},
        "WF1 of int8": f"{card['int8']['mean']['wf1']['mean']:.3f}",
        "int8 label as float, test speakers of all folds and seeds": f"{card['int8']['same_label']:.2%}",
        **_on_corpus(arch, content, manifest, root),
    }


def _firmware(measured: dict[str, int]) -> dict[str, str]:
    """What the whole firmware takes on an emulated Cortex-M7."""
    flash = sum(measured[f"flash_{part}_bytes"] for part in ("code", "tables", "weights"))
    ram = sum(measured[name] for name in ("arena_bytes", "application_bytes", "static_ram_bytes", "stack_bytes"))
    return {"C on Cortex-M7: instructions of an inference": f"{measured['instructions_per_inference'] / 1e6:.2f} M",
            "of a second of audio": f"{measured['frontend_instructions_per_second'] / 1e6:.2f} M",
            "model's arena": f"{measured['arena_bytes']:,} B", "RAM in all": f"{ram:,} B", "flash": f"{flash:,} B"}


def _on_corpus(arch: str, content: bytes, manifest: dict[str, Any], root: Path) -> dict[str, str]:
    scored = load(zoo_checkpoint(arch))
    data = corpus_features(load_corpus("emodb", root), scored.features)
    x = band_normalise(data.x, scored.features)
    inputs = quantize(x, **manifest["quantisation"]["input"])
    device = run_tflite_micro(content, inputs).astype(int)
    agree = device.argmax(axis=1) == scored.probabilities(x).argmax(axis=1)
    unheard = np.isin(data.speakers, manifest["split"]["test"])[data.owner]
    figures = {"int8 label as float, the shipped files, all of EMO-DB": f"{agree.mean():.1%} of {agree.size}",
               "the same, test speakers of fold 0": f"{agree[unheard].mean():.1%} of {unheard.sum()}"}
    for resolver in RESOLVERS:
        host = run_litert(content, inputs, resolver=resolver).astype(int)
        steps = np.abs(host - device).max(axis=1)
        same = (host.argmax(axis=1) == device.argmax(axis=1)).sum()
        figures[f"LiteRT {resolver}: same bytes, same label, largest difference"] = (
            f"{(steps == 0).sum()}, {same}, {steps.max()}")
    return figures


if __name__ == "__main__":
    run(main)
