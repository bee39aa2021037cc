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

_PATH = click.Path(path_type=Path)


@click.command("report")
@click.argument("folder", metavar="DIR", type=_PATH)
@click.option("--out", metavar="FILE", type=_PATH, help="Where to write the page.  [default: DIR/report.html]")
@json_option
def command(folder: Path, out: Path | None, as_json: bool) -> None:
    """Write the HTML page of a build folder: one file, no network needed.

    The page follows from manifest.json, certificate.json and memory.svg, so it comes out as the build wrote it.
    Another version of tfser may draw it differently; the manifest then gets the new page's hash.
    """
    from firmware_gen.report.build_folder import read_build_folder
    from tfser.report.page import render

    report = folder / "report.html"
    read_build_folder(folder, derived=(report.name,))
    manifest = _read_json(folder / "manifest.json")
    certificate = folder / "certificate.json"
    picture = folder / "memory.svg"
    page = render(manifest, _read_json(certificate) if certificate.is_file() else None,
                  picture.read_text(encoding="utf-8", errors="replace") if picture.is_file() else None).encode()
    digest = hashlib.sha256(page).hexdigest()
    write_atomic(out or report, page)
    if out is None and manifest["files"].get(report.name, digest) != digest:
        manifest["files"][report.name] = digest
        write_atomic(folder / "manifest.json", canonical_json(manifest).encode())
    if as_json:
        print_json({"report": str(out or report), "sha256": digest})
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
