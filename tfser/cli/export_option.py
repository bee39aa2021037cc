"""The option ``--export`` of the commands that write firmware."""

from __future__ import annotations

from typing import Any

import click

from firmware_gen.export.exports import DEFAULT_EXPORTS, EXPORTS, export_names


def export_option(function: Any) -> Any:
    """Add ``--export``, which the command receives as ``exports``, the names of the table."""
    return click.option("--export", "exports", metavar="NAMES", default=DEFAULT_EXPORTS, show_default=True,
                        callback=lambda _context, _option, text: export_names(text),
                        help=f"Projects for other build systems in firmware/: {', '.join(EXPORTS)}, with commas "
                             "between them, or all, or none.")(function)
