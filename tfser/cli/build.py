"""``tfser build``: from a checkpoint to checked int8 firmware source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfser.cli.export_option import export_option
from tfser.cli.output import json_option, log, print_json
from tfser.files import staged_folder
from tfser.spec import ARCHITECTURES

if TYPE_CHECKING:
    from tfser.cli.build_folder import Built
    from tfser.convert.bundle import Bundle

_PATH = click.Path(path_type=Path)


@click.command("build")
@click.option("--arch", type=click.Choice(ARCHITECTURES), default=ARCHITECTURES[0], show_default=True,
              help="Backbone whose shipped checkpoint is built.")
@click.option("--checkpoint", metavar="PATH", type=_PATH, help="Your own checkpoint, or the folder of its training.")
@click.option("--target", "target_name", metavar="TARGET", required=True, help="Core or board (see 'tfser targets').")
@click.option("--out", type=_PATH, help="Folder for the result.  [default: build/NAME-TARGET]")
@click.option("--budget", "budget_path", metavar="FILE", type=_PATH, help="TOML file of limits; default: the board's.")
@export_option
@json_option
@click.pass_context
def command(context: click.Context, arch: str, checkpoint: Path | None, target_name: str, out: Path | None,
            budget_path: Path | None, exports: list[str], as_json: bool) -> None:
    """Build the firmware of a trained model: merge, quantise, validate, write the sources, check the size.

    The folder holds model.tflite, features.json, certificate.json, manifest.json, memory.svg, firmware/,
    report.html and, where Arm's compiler is installed, firmware.elf. The firmware runs on an emulated
    chip (without QEMU: on this machine) and must give TensorFlow Lite Micro's bytes. The folder is
    written whole or not at all; over its budget it is written, with exit code 1.
    """
    from firmware_gen.report.budget import default_budget, read_budget
    from firmware_gen.target import target as find_target

    if checkpoint and context.get_parameter_source("arch") is not click.core.ParameterSource.DEFAULT:
        raise click.UsageError("a checkpoint names its own backbone: give --arch or --checkpoint")
    target = find_target(target_name)
    budget = read_budget(budget_path, target) if budget_path else default_budget(target)
    out = out or Path("build", f"{checkpoint.stem if checkpoint else arch}-{target.name}")
    with staged_folder(out) as stage:
        from tfser.cli.build_folder import write_build

        built = write_build(stage, _bundle(arch, checkpoint), target, budget, exports)
    if as_json:
        print_json({"out": str(out), "validation": built.validation.to_dict(), "size": built.manifest["size"],
                    "measured": built.manifest["measured"]})
    else:
        _print_summary(out, built)
    built.sizes.raise_if_over()


def _bundle(arch: str, checkpoint: Path | None) -> Bundle:
    from tfser.convert.bundle import make_bundle
    from tfser.zoo import zoo_checkpoint

    log.print(f"merging and quantising {checkpoint or f'the shipped {arch}'}", markup=False, soft_wrap=True)
    return make_bundle(checkpoint or zoo_checkpoint(arch))


def _print_summary(out: Path, built: Built) -> None:
    from rich.console import Console
    from rich.table import Table

    manifest, certificate = built.manifest, built.certificate
    model, figures = manifest["model"], manifest["size"]["figures"]
    table = Table(title=f"{model['arch']} {model['size']} for {manifest['target']}", title_justify="left",
                  show_header=False, box=None, pad_edge=False)
    table.add_row("merge", f"{len(certificate['merged'])} chains, {certificate['parameters_before']:,} to "
                  f"{certificate['parameters_after']:,} parameters, error {certificate['max_abs_error']:.1e}")
    for check in built.validation.checks:
        table.add_row(check.name, check.detail)
    table.add_row("flash", _figure(figures["flash_bytes"]))
    table.add_row("RAM", _figure(figures["ram_bytes"]))
    if figures["instructions_per_inference"]["value"] is not None:
        table.add_row("inference", _figure(figures["instructions_per_inference"]))
    for verdict in built.sizes.verdicts:
        table.add_row("budget", f"{'ok' if verdict.ok else 'OVER'}: {verdict.text}")
    for name in sorted(path.name for path in out.iterdir()):
        table.add_row("", str(out / name))
    Console(highlight=False, soft_wrap=True).print(table)


def _figure(figure: dict[str, Any]) -> str:
    return f"{figure['value']:,} {figure['unit']} ({figure['kind']}: {figure['how']})"
