"""``tfser report``: the HTML page of a build folder, written again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import click

from tfser.cli.output import json_option, print_json
from tfser.files import write_atomic

_PATH = click.Path(path_type=Path)


@click.command("report")
@click.argument("folder", metavar="DIR", type=_PATH)
@click.option("--out", metavar="FILE", type=_PATH, help="Where to write the page.  [default: DIR/report.html]")
@json_option
def command(folder: Path, out: Path | None, as_json: bool) -> None:
    """Write the HTML page of a build folder: one file, no network needed.

    The page follows from manifest.json and certificate.json, so it comes out as the build wrote it.
    """
    from firmware_gen.report.build_folder import read_build_folder
    from tfser.report.page import render

    report = folder / "report.html"
    read_build_folder(folder, derived=(report.name,))
    manifest = json.loads((folder / "manifest.json").read_bytes())
    certificate = folder / "certificate.json"
    page = render(manifest, json.loads(certificate.read_bytes()) if certificate.is_file() else None).encode()
    write_atomic(out or report, page)
    if as_json:
        print_json({"report": str(out or report), "sha256": hashlib.sha256(page).hexdigest()})
    else:
        click.echo(out or report)
