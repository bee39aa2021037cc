"""``tfser run``: inputs through a model's firmware, on an emulated chip or on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfser.cli.output import json_option, print_json

if TYPE_CHECKING:
    import numpy as np

    from tfser.cli.run_folder import Result

_PATH = click.Path(path_type=Path)
FIGURES = ("instructions_per_inference", "arena_bytes", "stack_bytes", "flash_code_bytes", "flash_tables_bytes",
           "flash_weights_bytes", "static_ram_bytes")


@click.command("run")
@click.argument("path", metavar="DIR|MODEL.tflite", type=_PATH)
@click.option("--input", "input_path", metavar="FILE", type=_PATH, required=True,
              help="x.npy (int8: one input, or several stacked on a new first axis), or a recording.")
@click.option("--output", "output_path", metavar="FILE", type=_PATH, help="Write the outputs to this .npy file.")
@click.option("--target", "target_name", metavar="TARGET",
              help="Core or board that MODEL.tflite is compiled for (see 'tfser targets').")
@click.option("--runner", type=click.Choice(("qemu", "host")), default="qemu", show_default=True,
              help="Emulated chip, or the portable form of the C on this machine.")
@click.option("--profile", is_flag=True, help="Also count the instructions of each operator (qemu, Arm's compiler).")
@json_option
def command(path: Path, input_path: Path, output_path: Path | None, target_name: str | None, runner: str,
            profile: bool, as_json: bool) -> None:
    """Run what 'tfser build' or 'tfser compile' made, and say what an inference takes.

    DIR is the build folder; a model is compiled for --target first, and nothing is kept. Figures are
    instructions, not cycles; of several inputs the largest count is given. What cannot be measured
    is null.
    """
    from tfser.cli.run_folder import open_runnable, run_inputs

    if profile and runner == "host":
        raise click.UsageError("--profile counts instructions, which --runner host cannot")
    result = run_inputs(open_runnable(path, target_name), input_path, runner=runner, profile=profile)
    if output_path:
        _write(output_path, result.outputs)
    if as_json:
        print_json({"runner": runner, **result.decision, "outputs": result.outputs.tolist(),
                    **{name: result.figures[name] for name in FIGURES},
                    **({"profile": result.profile} if profile else {})})
    else:
        _print_text(result)


def _write(path: Path, outputs: np.ndarray) -> None:
    import io

    import numpy as np

    from tfser.files import write_atomic

    stream = io.BytesIO()
    np.save(stream, outputs)
    write_atomic(path, stream.getvalue())


def _print_text(result: Result) -> None:
    from firmware_gen.report.text import format_table

    if result.decision:
        click.echo(result.decision["label"])
        for name, probability in sorted(result.decision["probabilities"].items(), key=lambda item: -item[1]):
            click.echo(f"  {name}  {probability:.3f}")
    rows = [(name, "-" if result.figures[name] is None else f"{result.figures[name]:,}") for name in FIGURES]
    click.echo(format_table(("figure", "value"), rows, right=(1,)))
    if result.profile:
        total = sum(int(step["instructions"]) for step in result.profile) or 1
        steps = [(str(step["step"]), f"{step['instructions']:,}", f"{int(step['instructions']) / total:.1%}")
                 for step in result.profile]
        click.echo("\n" + format_table(("operators", "instructions", "share"), steps, right=(1, 2)))
    elif not result.decision:
        click.echo(f"\noutputs {list(result.outputs.shape)}:\n{_shown(result.outputs)}")


def _shown(outputs: Any) -> str:
    import numpy as np

    return np.array2string(outputs, threshold=64, max_line_width=100)
