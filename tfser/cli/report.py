"""``tfser report``: the HTML page of a build folder, written again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import click

from tfser.cli.output import json_option, print_json
from tfser.errors import InputError
from tfser.files import canonical_json, write_atomic
from tfser.spec import CORPUS_NAMES

_PATH = click.Path(path_type=Path)


@click.command("report")
@click.argument("folder", metavar="DIR", type=_PATH)
@click.option("--out", metavar="FILE", type=_PATH, help="Where to write the page.  [default: DIR/report.html]")
@click.option("--corpus", "corpus_name", type=click.Choice(CORPUS_NAMES), help="Score the int8 model on this corpus.")
@click.option("--root", type=_PATH, help="Folder with the recordings.")
@click.option("--against", metavar="CHECKPOINT", type=_PATH, help="Score the float model on the same clips.")
@click.option("--layers", is_flag=True, help="Measure what each layer loses against the checkpoint.")
@json_option
def command(folder: Path, out: Path | None, corpus_name: str | None, root: Path | None, against: Path | None,
            layers: bool, as_json: bool) -> None:
    """Write the HTML page of a build folder: one file, no network needed.

    The page follows from manifest.json, certificate.json and memory.svg, so it comes out as the build wrote it.
    Another version of tfser may draw it differently; the manifest then gets the new page's hash.

    With --corpus and --root the int8 model is scored on the test speakers of its split. The scores go
    into the manifest, and from then on the page has them, also without the corpus. So do the errors that
    --layers measures on the clips beside the checkpoint, as tfser validate does.
    """
    from firmware_gen.report.build_folder import read_build_folder
    from tfser.report.page import render

    if (corpus_name is None) != (root is None):
        raise click.UsageError("--corpus and --root go together")
    if against and corpus_name is None and not layers:
        raise click.UsageError("--against needs recordings or --layers: add --corpus and --root")
    if layers and against is None:
        raise click.UsageError("--layers compares with a float model: add --against")
    report = folder / "report.html"
    read_build_folder(folder, derived=(report.name,))
    manifest = _read_json(folder / "manifest.json")
    before = canonical_json(manifest)
    if corpus_name and root:
        from tfser.cli.deployed_scores import deployed_scores

        manifest["deployed"] = deployed_scores(folder, manifest.get("scores"), corpus_name, root, against)
    if layers and against:
        from tfser.cli.layer_errors import calibration_clips, measure_layers

        model = folder / "model.tflite"
        manifest["layer_errors"] = measure_layers(model, model.read_bytes(), against,
                                                  calibration_clips(against)).to_dict()
    certificate = folder / "certificate.json"
    picture = folder / "memory.svg"
    page = render(manifest, _read_json(certificate) if certificate.is_file() else None,
                  picture.read_text(encoding="utf-8", errors="replace") if picture.is_file() else None).encode()
    digest = hashlib.sha256(page).hexdigest()
    write_atomic(out or report, page)
    if out is None and report.name in manifest["files"]:
        manifest["files"][report.name] = digest
    if out is None and canonical_json(manifest) != before:
        write_atomic(folder / "manifest.json", canonical_json(manifest).encode())
    if as_json:
        print_json({"report": str(out or report), "sha256": digest, "deployed": manifest.get("deployed")})
    else:
        click.echo(out or report)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError("TF-REP-02", f"{path}: {error}", expected="JSON in UTF-8",
                         fix="build again with 'tfser build'") from error
    if not isinstance(document, dict):
        raise InputError("TF-REP-03", f"{path} holds {type(document).__name__}", expected="an object",
                         fix="build again with 'tfser build'")
    return document
