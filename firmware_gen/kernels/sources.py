"""Which kernel files a generated source needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

_INCLUDE = re.compile(r'^#include "(tfser_\w+\.h)"', re.MULTILINE)
_NAME = re.compile(r"\btfser_\w+")
#: A function with external linkage: begins a line that does not say ``static``.
_DEFINITION = re.compile(r"^(?!.*\b(?:static|typedef|return)\b)[A-Za-z_][\w ()*,]*?\b(tfser_\w+)\([^;{]*\)\s*\{",
                         re.MULTILINE)


def kernels_for(source: str) -> dict[str, str]:
    """Kernel headers and sources, by file name, that a C source needs: what it includes, and what defines its calls.

    Headers declare more than one kernel; a source comes along only where a function that it defines
    is named in a source that is needed. No inline function of a header calls into a source.
    """
    found: dict[str, str] = {}
    waiting = [("", source)]
    while waiting:
        name, text = waiting.pop()
        wanted = {included for included in _INCLUDE.findall(text) if included in _files()}
        if not name.endswith(".h"):
            wanted |= {_sources()[called] for called in _NAME.findall(text) if called in _sources()}
        new = {other: _files()[other] for other in wanted - found.keys()}
        found.update(new)
        waiting.extend(new.items())
    return dict(sorted(found.items()))


@cache
def _files() -> Mapping[str, str]:
    """All kernel files."""
    folder = resources.files("firmware_gen.kernels")
    return MappingProxyType({item.name: item.read_text(encoding="utf-8") for item in folder.iterdir()
                             if item.name.endswith((".c", ".h"))})


@cache
def _sources() -> Mapping[str, str]:
    """Source that defines each external function."""
    return MappingProxyType({function: name for name, text in sorted(_files().items()) if name.endswith(".c")
                             for function in _DEFINITION.findall(text)})
