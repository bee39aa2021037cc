"""``tfser compile``: any int8 .tflite file to C, ahead of time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tfser.cli.export_option import export_option
from tfser.cli.output import json_option, log, print_json

_PATH = click.Path(path_type=Path)


@click.command("compile")
@click.argument("model", metavar="MODEL.tflite", type=_PATH)
@click.option("--target", "target_name", metavar="TARGET", required=True, help="Core or board (see 'tfser targets').")
@click.option("--out", type=_PATH, required=True, help="Folder for the result.")
@export_option
@json_option
def command(model: Path, target_name: str, out: Path, exports: list[str], as_json: bool) -> None:
    """Compile an int8 model to C that gives TensorFlow Lite Micro's bytes.

    The folder holds model.tflite, manifest.json (with the memory plan), memory.svg, firmware/ and,
    where Arm's compiler is installed, firmware.elf. It is written whole or not at all. A model that
    does not fit the target's board ends with exit code 1, and nothing is written.
    """
    from firmware_gen.target import target as find_target
    from tfser.cli.compile_folder import write_compiled
    from tfser.cli.model_file import read_model
    from tfser.files import staged_folder

    target = find_target(target_name)
    parsed, content = read_model(model)
    with staged_folder(out) as stage:
        log.print(f"compiling {model} for {target.name}", markup=False, soft_wrap=True)
        manifest = write_compiled(stage, parsed, content, target, name=str(model), exports=exports)
    if as_json:
        print_json({"out": str(out), **{key: manifest[key] for key in ("target", "input", "output", "measured",
                                                                       "reasons", "size")}})
    else:
        _print_text(out, manifest)


def _print_text(out: Path, manifest: dict[str, Any]) -> None:
    from firmware_gen.report.text import format_table

    rows = [(name, "-" if value is None else f"{value:,}", manifest["reasons"].get(name, ""))
            for name, value in manifest["measured"].items()]
    click.echo(format_table(("figure", "value", ""), rows, right=(1,)))
    for name in sorted(path.name for path in out.iterdir()):
        click.echo(out / name)
