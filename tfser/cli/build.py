"""``tfser build``: from a checkpoint to checked int8 firmware source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfser.cli.card import card_of, checkpoint_path
from tfser.cli.export_option import export_option
from tfser.cli.output import json_option, log, print_json
from tfser.cli.quantisation_options import INT16, method_of, quantisation_options
from tfser.files import staged_folder
from tfser.spec import ARCHITECTURES

if TYPE_CHECKING:
    from tfser.cli.build_folder import Built

_PATH = click.Path(path_type=Path)


@click.command("build")
@click.option("--arch", type=click.Choice(ARCHITECTURES), default=ARCHITECTURES[0], show_default=True,
              help="Backbone whose shipped checkpoint is built.")
@click.option("--checkpoint", metavar="PATH", type=_PATH, help="Your own checkpoint, or the folder of its training.")
@click.option("--target", "target_name", metavar="TARGET", required=True, help="Core or board (see 'tfser targets').")
@click.option("--out", type=_PATH, help="Folder for the result.  [default: build/NAME-TARGET]")
@click.option("--budget", "budget_path", metavar="FILE", type=_PATH, help="TOML file of limits; default: the board's.")
@quantisation_options
@export_option
@json_option
@click.pass_context
def command(context: click.Context, arch: str, checkpoint: Path | None, target_name: str, out: Path | None,
            budget_path: Path | None, exports: list[str], as_json: bool, **quantisation: Any) -> None:
    """Build the firmware of a trained model: merge, quantise, validate, write the sources, check the size.

    The folder holds model.tflite, features.json, certificate.json, manifest.json, card.md, memory.svg,
    firmware/, report.html and, where Arm's compiler is installed, firmware.elf. The firmware runs on an emulated
    chip (without QEMU: on this machine) and must give TensorFlow Lite Micro's bytes. The folder is
    written whole or not at all; over its budget it is written, with exit code 1.

    With 16-bit activations there is no generated C: the model comes as an application of TensorFlow Lite Micro,
    in firmware/tflite_micro, and what only the generated C has is null in the manifest.
    """
    from firmware_gen.report.budget import default_budget, read_budget
    from firmware_gen.target import target as find_target
    from tfser.convert.bundle import make_bundle
    from tfser.zoo import zoo_checkpoint

    if checkpoint and _given(context, "arch"):
        raise click.UsageError("a checkpoint names its own backbone: give --arch or --checkpoint")
    method = method_of(**quantisation)
    only_micro = quantisation["activations"] == INT16
    if only_micro and (_given(context, "budget_path") or _given(context, "exports")):
        raise click.UsageError("16-bit activations are for TensorFlow Lite Micro alone: without --budget and --export")
    target = find_target(target_name)
    budget = read_budget(budget_path, target) if budget_path else default_budget(target)
    out = out or Path("build", f"{checkpoint.stem if checkpoint else arch}-{target.name}")
    with staged_folder(out) as stage:
        from tfser.cli.build_folder import write_build
        from tfser.cli.micro_folder import write_micro_build

        path = checkpoint or zoo_checkpoint(arch)
        log.print(f"merging and quantising {checkpoint or f'the shipped {arch}'}", markup=False, soft_wrap=True)
        bundle, card = make_bundle(path, method), card_of(checkpoint_path(path))
        built = (write_micro_build(stage, bundle, target, card=card) if only_micro else
                 write_build(stage, bundle, target, budget, exports, card=card))
    if as_json:
        print_json({"out": str(out), "validation": built.validation.to_dict(), "size": built.manifest["size"],
                    "measured": built.manifest["measured"]})
    else:
        _print_summary(out, built)
    if built.sizes:
        built.sizes.raise_if_over()


def _given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT


def _print_summary(out: Path, built: Built) -> None:
    from rich.console import Console
    from rich.table import Table

    manifest, certificate = built.manifest, built.certificate
    model, figures = manifest["model"], manifest["size"]["figures"] if manifest["size"] else {}
    table = Table(title=f"{model['arch']} {model['size']} for {manifest['target']}", title_justify="left",
                  show_header=False, box=None, pad_edge=False)
    table.add_row("merge", f"{len(certificate['merged'])} chains, {certificate['parameters_before']:,} to "
                  f"{certificate['parameters_after']:,} parameters, error {certificate['max_abs_error']:.1e}")
    for check in built.validation.checks:
        table.add_row(check.name, check.detail)
    for name, key in (("flash", "flash_bytes"), ("RAM", "ram_bytes"), ("inference", "instructions_per_inference")):
        if figures and figures[key]["value"] is not None:
            table.add_row(name, _figure(figures[key]))
    for verdict in built.sizes.verdicts if built.sizes else ():
        table.add_row("budget", f"{'ok' if verdict.ok else 'OVER'}: {verdict.text}")
    for name in sorted(path.name for path in out.iterdir()):
        table.add_row("", str(out / name))
    Console(highlight=False, soft_wrap=True).print(table)


def _figure(figure: dict[str, Any]) -> str:
    return f"{figure['value']:,} {figure['unit']} ({figure['kind']}: {figure['how']})"
