"""``report.html``: one page about a build, from its manifest and its merge certificate alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfser.errors import InputError
from tfser.report.accuracy import accuracy
from tfser.report.charts import HATCH
from tfser.report.graph import graph
from tfser.report.image import image
from tfser.report.layers import layers
from tfser.report.listening import listening
from tfser.report.markup import contents, text
from tfser.report.model_card import model_card
from tfser.report.quantisation import quantisation
from tfser.report.sections import Document, budget, checks, memory, merge, operators, origin, tensors
from tfser.report.style import STYLE
from tfser.report.summary import summary, title

#: The page from top to bottom. A section draws the manifest; merge and memory have files of their own.
SECTIONS: dict[str, Callable[..., str]] = {
    "Budget": budget, "Real time": listening, "Accuracy": accuracy, "Model card": model_card, "Validation": checks,
    "Quantisation": quantisation, "Merge": merge, "Memory": memory, "Graph": graph, "Layers": layers,
    "Image": image, "Operators": operators, "Largest tensors": tensors, "How it was built": origin}


def render(manifest: Document, certificate: Document | None, picture: str | None = None) -> str:
    """The page. Same documents, same text; a section whose data are absent says so.

    Parameters
    ----------
    manifest, certificate : mapping
        ``manifest.json`` and ``certificate.json`` as JSON types.
    picture : str, optional
        ``memory.svg``.

    Raises
    ------
    InputError
        A document holds something of another form than ``tfser build`` writes.
    """
    given: dict[str, tuple[Any, ...]] = {"Merge": (certificate,), "Memory": (manifest, picture)}
    head = _draw("summary", summary, manifest, certificate)
    parts = [_draw(name.lower(), part, *given.get(name, (manifest,))) for name, part in SECTIONS.items()]
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{text(title(manifest))}</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
            f"<body>{HATCH}{head}{contents(SECTIONS)}<main>{''.join(parts)}</main></body></html>\n")


def _draw(name: str, part: Callable[..., str], *documents: Any) -> str:
    try:
        return part(*documents)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError("TF-REP-01", f"the data for the page's {name} are not as a build writes them "
                                      f"({type(error).__name__}: {error})",
                         expected="manifest.json and certificate.json of this tfser version",
                         fix="build again with 'tfser build'") from error
