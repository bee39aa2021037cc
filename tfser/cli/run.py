"""``tfser run``: inputs through a model's firmware, on an emulated chip or on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfser.cli.output import json_option, print_json

if TYPE_CHECKING:
    import numpy as np

    from tfser.cli.run_folder import Result, RunOptions

_PATH = click.Path(path_type=Path)
FIGURES = ("instructions_per_inference", "arena_bytes", "stack_bytes", "flash_code_bytes", "flash_tables_bytes",
           "flash_weights_bytes", "static_ram_bytes")
#: Of a build folder, or of an image with an audio front end.
ALSO = ("stack_bound_bytes", "application_bytes", "frontend_instructions_per_second", "decision_instructions")


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
@click.option("--decide-every", "decide_every_s", metavar="SECONDS", type=click.FloatRange(min=0.001), default=0.5,
              show_default=True, help="Time between decisions, for the share of real time.")
@click.option("--all-boards", is_flag=True, help="Also count for boards of other cores: compiles for each (qemu).")
@json_option
def command(path: Path, input_path: Path, output_path: Path | None, target_name: str | None, as_json: bool,
            **given: Any) -> None:
    """Run what 'tfser build' or 'tfser compile' made, and say what an inference takes.

    DIR is the build folder; a model is compiled for --target first, and nothing is kept. A recording
    goes through the audio front end of the firmware: the answer is its label, as 'tfser predict' gives
    it, and the share of each board's clock at one instruction per cycle. Figures are instructions, not
    cycles; of several inputs the largest count is given. What cannot be measured is null.
    """
    from tfser.cli.run_folder import ARRAY_SUFFIX, RunOptions, open_runnable, run_arrays

    options = RunOptions(**given)
    for flag, counts in (("--profile", options.profile), ("--all-boards", options.all_boards)):
        if counts and options.runner == "host":
            raise click.UsageError(f"{flag} counts instructions, which --runner host cannot")
    runnable = open_runnable(path, target_name)
    if input_path.suffix.lower() == ARRAY_SUFFIX:
        result = run_arrays(runnable, input_path, options)
    else:
        from tfser.cli.run_recording import run_recording

        result = run_recording(runnable, input_path, options)
    if output_path:
        _write(output_path, result.outputs)
    if as_json:
        print_json(_document(result, options))
    else:
        _print_text(result)


def _document(result: Result, options: RunOptions) -> dict[str, Any]:
    heard = {"real_time": result.real_time} if result.real_time else {}
    return {"runner": options.runner, **result.decision, "outputs": result.outputs.tolist(),
            **{name: result.figures[name] for name in _figures(result)}, **heard,
            **({"profile": result.profile} if options.profile else {})}


def _figures(result: Result) -> list[str]:
    return [name for name in (*FIGURES, *ALSO) if name in result.figures]


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
    rows = [(name, "-" if result.figures[name] is None else f"{result.figures[name]:,}") for name in _figures(result)]
    click.echo(format_table(("figure", "value"), rows, right=(1,)))
    if result.real_time:
        click.echo(f"\n{_real_time(result.real_time)}")
    if result.profile:
        total = sum(int(step["instructions"]) for step in result.profile) or 1
        steps = [(str(step["step"]), f"{step['instructions']:,}", f"{int(step['instructions']) / total:.1%}")
                 for step in result.profile]
        click.echo("\n" + format_table(("operators", "instructions", "share"), steps, right=(1, 2)))
    elif not result.decision:
        click.echo(f"\noutputs {list(result.outputs.shape)}:\n{_shown(result.outputs)}")


def _real_time(found: dict[str, Any]) -> str:
    from firmware_gen.report.text import format_table

    rows = [(board["board"], board["core"], f"{board['clock_hz'] / 1e6:g} MHz", f"{board['share']:.1%}",
             "" if board["fits"] else "too little memory") for board in found["boards"] if board["share"] is not None]
    if not rows:
        return "share of real time: not counted on this machine"
    rest = "" if len(rows) == len(found["boards"]) else "\nboards of other cores: --all-boards"
    return (f"share of real time with a decision every {found['decide_every_s']:g} s, at {found['assumption']}:\n" +
            format_table(("board", "core", "clock", "share", ""), rows, right=(2, 3)) + rest)


def _shown(outputs: Any) -> str:
    import numpy as np

    return np.array2string(outputs, threshold=64, max_line_width=100)
