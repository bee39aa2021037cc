"""The page's section about the linked image: what its bytes are, by section, function and file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfser.report.charts import ranked
from tfser.report.markup import section, table, text

#: Groups of ``manifest["size"]``, and how they are headed.
GROUPS = {"flash_sections": "Flash by section", "ram_sections": "RAM by section, with the test harness",
          "weights": "Weights by tensor", "tables": "Tables by array", "functions": "Code by function",
          "sources": "Code by source file"}
ROWS_SHOWN = 10


def image(manifest: Mapping[str, Any]) -> str:
    """Each group's largest, and what all others take together."""
    groups = (manifest.get("size") or {}).get("groups") or {}
    tables = [_group(title, groups[name]) for name, title in GROUPS.items() if groups.get(name)]
    intro = "<p>Bytes of the symbols of <code>firmware.elf</code>, which the linker put there.</p>"
    return section("Image", *((intro, f'<div class="columns">{"".join(tables)}</div>') if tables else ()),
                   missing=(manifest.get("reasons") or {}).get("flash_code_bytes", "manifest.json has no 'groups'"))


def _group(title: str, sizes: Sequence[Mapping[str, Any]]) -> str:
    shown, rest = sizes[:ROWS_SHOWN], sizes[ROWS_SHOWN:]
    total = sum(size["bytes"] for size in sizes)
    rows = ranked({size["name"]: size["bytes"] for size in shown})
    if rest:
        rows.append((f'<span class="soft">{text(len(rest))} more</span>', "",
                     text(sum(size["bytes"] for size in rest))))
    return table((), rows, numbers=(2,), caption=f"{title}: {total:,} B", kind="bars")
