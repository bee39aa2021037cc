"""What every command prints: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console

SCHEMA_VERSION = 1

#: For progress and logs; never written to by results.
log = Console(stderr=True, highlight=False)


def json_option(function: Any) -> Any:
    """Add ``--json``: one JSON object on stdout and nothing else."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")(function)


def print_json(result: dict[str, Any]) -> None:
    """Print the one JSON object of a command, with its schema version."""
    click.echo(json.dumps({"schema_version": SCHEMA_VERSION, **result}, indent=2, allow_nan=False))

