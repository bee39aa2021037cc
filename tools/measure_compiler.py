"""Print the README's table: what the generated C takes on emulated chips, beside TensorFlow Lite Micro with CMSIS-NN.

MODELS is the folder with the reference models. Outputs are compared with TensorFlow Lite Micro byte
for byte on the way; a difference ends the run with exit code 1.
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from tfser.cli.main import main as tfser
from tfser.cli.main import run
from tfser.validate.runtimes import run_tflite_micro

INPUTS = 3
SEED = 0


@dataclass(frozen=True)
class Row:
    """A model on a core, and what TensorFlow Lite Micro with CMSIS-NN takes for it: million instructions, arena bytes.

    ``vector_softmax``: the same with its Helium softmax, which its own build does not choose.
    """

    model: str
    core: str
    instructions: float
    arena_bytes: int
    vector_softmax: float | None = None

    @property
    def baseline(self) -> str:
        """Its instructions as text."""
        forced = f" ({self.vector_softmax:.2f} M with its vector softmax)" if self.vector_softmax else ""
        return f"{self.instructions:.2f} M{forced}"


# The baseline's figures are those of the models' own README, measured in the same way.
ROWS = (
    Row("conformer_bn", "cortex-m7", 28.62, 47_332),
    Row("conformer_bn", "cortex-m4", 27.87, 47_332),
    Row("conformer_bn", "cortex-m33", 27.92, 47_332),
    Row("conformer_bn", "cortex-m3", 33.88, 47_332),
    Row("conformer_bn", "cortex-m55", 18.05, 47_364, 10.27),
    Row("conformer_ln", "cortex-m7", 35.17, 56_836),
    Row("conformer_ln", "cortex-m4", 34.19, 56_836),
    Row("conformer_ln", "cortex-m33", 34.05, 56_836),
    Row("conformer_ln", "cortex-m3", 40.03, 56_836),
    Row("conformer_ln", "cortex-m55", 23.19, 56_852, 15.42),
    Row("kws_ref_model", "cortex-m7", 7.64, 22_820),
    Row("pretrainedResnet_quant", "cortex-m7", 30.03, 54_996),
    Row("micro_speech_quantized", "cortex-m7", 1.49, 6_836),
)
HEADER = ("model, core", "instructions", "TFLM", "arena", "TFLM", "stack", "code", "tables", "weights")


@click.command(help=__doc__)
@click.argument("models", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--core", help="Only rows of this core.")
def main(models: Path, core: str | None) -> None:
    click.echo("| " + " | ".join(HEADER) + " |\n" + "|---" * len(HEADER) + "|")
    for row in ROWS:
        if core in (None, row.core):
            click.echo("| " + " | ".join(cells(row, models / f"{row.model}.tflite")) + " |")


def cells(row: Row, path: Path) -> list[str]:
    """One line of the table."""
    run = measure(path, row.core)
    return [f"{row.model}, {row.core}", f"{run['instructions_per_inference'] / 1e6:.2f} M", row.baseline,
            f"{run['arena_bytes']:,}", f"{row.arena_bytes:,}", f"{run['stack_bytes']:,}",
            *(f"{run[f'flash_{what}_bytes']:,}" for what in ("code", "tables", "weights"))]


def measure(path: Path, core: str) -> dict[str, Any]:
    """``tfser compile`` and ``tfser run`` on random inputs; what the run says. Ends where the bytes differ."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        built = _tfser("compile", path, "--target", core, "--out", folder / "build", "--json")
        shape = built["input"]["shape"]
        inputs = np.random.default_rng(SEED).integers(-128, 128, (INPUTS, *shape)).astype(np.int8)
        np.save(folder / "x.npy", inputs)
        run = _tfser("run", folder / "build", "--input", folder / "x.npy", "--output", folder / "y.npy", "--json")
        found = np.load(folder / "y.npy")
    expected = run_tflite_micro(path.read_bytes(), inputs)
    if not np.array_equal(found.reshape(-1), expected.reshape(-1)):
        click.echo(f"{path.name} on {core}: outputs differ from TensorFlow Lite Micro", err=True)
        raise SystemExit(1)
    return run


def _tfser(*arguments: object) -> dict[str, Any]:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        status = tfser([str(argument) for argument in arguments])
    if status:
        raise SystemExit(status)
    return json.loads(printed.getvalue())


if __name__ == "__main__":
    run(main)
