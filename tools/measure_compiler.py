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
from tfser.validate.runtimes import run_tflite_micro

INPUTS = 3
SEED = 0


@dataclass(frozen=True)
class Row:
    """A model on a core: what TensorFlow Lite Micro takes (instructions, arena bytes), and what is asked of tfser."""

    model: str
    core: str
    baseline: tuple[int, int]
    reach: tuple[float, int | None]  # million instructions, arena bytes
    aim: tuple[float | None, int | None] = (None, None)


# The baseline's figures and the limits are those of the models' own README, measured in the same way.
ROWS = (
    Row("conformer_bn", "cortex-m7", (28_620_000, 47_332), (7.1, 14_000), (5.5, 8_000)),
    Row("conformer_bn", "cortex-m4", (27_870_000, 47_332), (7.1, 14_000), (5.5, 8_000)),
    Row("conformer_bn", "cortex-m33", (27_920_000, 47_332), (7.1, 14_000), (5.5, 8_000)),
    Row("conformer_bn", "cortex-m3", (33_880_000, 47_332), (14.0, None), (10.0, None)),
    Row("conformer_bn", "cortex-m55", (18_050_000, 47_364), (2.6, None), (1.5, None)),
    Row("conformer_ln", "cortex-m7", (35_170_000, 56_836), (8.0, 14_000), (6.2, 8_000)),
    Row("conformer_ln", "cortex-m4", (34_190_000, 56_836), (8.0, 14_000), (6.2, 8_000)),
    Row("conformer_ln", "cortex-m33", (34_050_000, 56_836), (8.0, 14_000), (6.2, 8_000)),
    Row("kws_ref_model", "cortex-m7", (7_640_000, 22_820), (4.2, 17_000), (3.2, None)),
    Row("pretrainedResnet_quant", "cortex-m7", (30_030_000, 54_996), (16.0, 50_000), (12.5, None)),
    Row("micro_speech_quantized", "cortex-m7", (1_490_000, 6_836), (0.6, 6_000)),
)
HEADER = ("model, core", "instructions", "TFLM + CMSIS-NN", "limit, aim", "arena", "TFLM", "limit, aim", "stack",
          "code and tables", "weights", "bytes equal")


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
    return [f"{row.model}, {row.core}", f"{run['instructions_per_inference']:,}", f"{row.baseline[0]:,}",
            _limits(*(None if m is None else int(m * 1e6) for m in (row.reach[0], row.aim[0]))),
            f"{run['arena_bytes']:,}", f"{row.baseline[1]:,}", _limits(row.reach[1], row.aim[1]),
            f"{run['stack_bytes']:,}", f"{run['flash_code_bytes']:,}", f"{run['flash_weights_bytes']:,}",
            f"{INPUTS} of {INPUTS}"]


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


def _limits(reach: int | None, aim: int | None) -> str:
    shown = [f"{limit:,}" for limit in (reach, aim) if limit is not None]
    return ", ".join(shown) or "-"


if __name__ == "__main__":
    main()
