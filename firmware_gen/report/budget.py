"""Budgets for flash, RAM and instructions: where they come from and whether a build keeps them."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_gen.errors import InputError
from firmware_gen.report.breakdown import OPERATORS
from firmware_gen.report.size import ESTIMATE, UNKNOWN, Figure, Sizes
from firmware_gen.target import BOARDS, CORES, KIB, MIB, Target

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

UNIT_BYTES = {"B": 1, "KiB": KIB, "MiB": MIB}

#: Budget key -> the figure that it limits.
FIGURES = {"flash": "flash_bytes", "ram": "ram_bytes", "instructions": "instructions_per_inference",
           "arena": "arena_bytes", "application": "application_bytes", "stack": "stack_bytes",
           "frontend_instructions": "frontend_instructions_per_second",
           "decision_instructions": "decision_instructions"}

_CULPRITS = 3
_SECTIONS: dict[str, dict[str, Any]] = {"targets": CORES, "boards": BOARDS}
_SIZE = re.compile(r"(\d+) ?(B|KiB|MiB)")


@dataclass(frozen=True)
class Limit:
    """The most that a build may use, in bytes or instructions, and where that was written.

    ``line`` is the line of ``file``; both are ``None`` for the default, which is what the board has.
    """

    value: int
    origin: str
    file: Path | None = None
    line: int | None = None


Budget = dict[str, Limit]


@dataclass(frozen=True)
class Verdict:
    """One limit against one figure. ``used`` is ``None`` where nothing was measured, which fails."""

    resource: str
    used: int | None
    limit: Limit
    unit: str
    kind: str
    text: str
    ok: bool


def default_budget(target: Target) -> Budget:
    """Flash and RAM of the target's board."""
    board = target.board
    return {"flash": Limit(board.flash_bytes, f"what {board.name} has"),
            "ram": Limit(board.ram_bytes, f"what {board.name} has")}


def read_budget(path: Path, target: Target) -> Budget:
    """Limits that a TOML file sets for a target, on top of its board's.

    A core takes ``[targets.<core>]``. A board takes ``[targets.<its core>]`` and, before that,
    ``[boards.<board>]``. Sizes are ``"512 KiB"`` (B, KiB, MiB) or a number of bytes.

    Raises
    ------
    InputError
        The file is missing or not TOML; a section, target or key is unknown; a value is not a
        positive size; or nothing in the file applies to the target, which would check nothing.
    """
    text = _read_text(path)
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError("FG-BUDGET-01", f"{path}: {error}", expected="TOML",
                         fix="write sections as [targets.cortex-m7], sizes as flash = \"512 KiB\"") from error
    limits = {(section, name): values for section, names in document.items()
              for name, values in _read_section(path, text, section, names).items()}
    applying = [("targets", target.core.name), ("boards", target.name)]
    if not any(section in limits for section in applying):
        raise InputError("FG-BUDGET-02", f"{path} has no budget for {target.name}",
                         expected=" or ".join(f"[{section}.{name}]" for section, name in applying
                                              if name in _SECTIONS[section]),
                         fix="add the section, or choose another --target")
    budget = default_budget(target)
    for section in applying:
        budget.update(limits.get(section, {}))
    return budget


def check(sizes: Sizes, budget: Budget, target: Target) -> list[Verdict]:
    """Compare every limit of ``budget`` with its figure, in the order of the budget."""
    return [_verdict(resource, limit, sizes, target) for resource, limit in budget.items()]


def _verdict(resource: str, limit: Limit, sizes: Sizes, target: Target) -> Verdict:
    figure = sizes.figures.get(FIGURES[resource]) or _absent(resource)
    unit = " B" if figure.unit == "B" else ""
    if figure.value is None:
        text = f"{resource} not measured ({figure.how}), limit {limit.value}{unit} ({target.name})"
        return Verdict(resource, None, limit, figure.unit, figure.kind, text, ok=False)
    ok = figure.value <= limit.value
    text = f"{resource} {figure.value}{unit} {'<=' if ok else '>'} {limit.value}{unit} ({target.name})"
    if not ok:
        text += f", {figure.value - limit.value}{unit} over" + _culprits(resource, sizes)
    if figure.kind == ESTIMATE:
        text += f"; {resource} is an estimate"
    return Verdict(resource, figure.value, limit, figure.unit, figure.kind, text, ok)


def _absent(resource: str) -> Figure:
    return Figure(FIGURES[resource], None, "B" if _in_bytes(resource) else "instructions", UNKNOWN,
                  "the build has no such figure")


def _in_bytes(resource: str) -> bool:
    return FIGURES[resource].endswith("_bytes")


def _culprits(resource: str, sizes: Sizes) -> str:
    by_resource = {"flash": sizes.largest_weights, "ram": sizes.largest_activations,
                   "arena": sizes.largest_activations, "instructions": sizes.groups.get(OPERATORS, ())}
    unit = " B" if _in_bytes(resource) else ""
    largest = [f"{size}{unit}" for size in by_resource.get(resource, ())[:_CULPRITS]]
    return f"; largest: {', '.join(largest)}" if largest else ""


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("FG-BUDGET-03", f"budget file {str(path)!r}: {error}", expected="a TOML file in UTF-8",
                         fix="give the path of the budget file") from error


def _read_section(path: Path, text: str, section: str, names: Any) -> dict[str, Budget]:
    known = _SECTIONS.get(section)
    if known is None or not isinstance(names, dict):
        raise _wrong("FG-BUDGET-04", path, text, (section,), "is not a section of a budget",
                     f"[targets.<core>] or [boards.<board>], not {section!r}")
    return {name: _read_limits(path, text, (section, name), values, known) for name, values in names.items()}


def _read_limits(path: Path, text: str, keys: tuple[str, str], values: Any, known: dict[str, Any]) -> Budget:
    if keys[1] not in known or not isinstance(values, dict):
        raise _wrong("FG-BUDGET-05", path, text, keys, "is unknown", f"one of {', '.join(known)}")
    budget = {}
    for resource, value in values.items():
        place = (*keys, resource)
        if resource not in FIGURES:
            raise _wrong("FG-BUDGET-06", path, text, place, "is unknown", f"one of {', '.join(FIGURES)}")
        number = _number(value, in_bytes=_in_bytes(resource))
        if number is None:
            raise _wrong("FG-BUDGET-07", path, text, place, f"is {value!r}",
                         f"a positive number of bytes or a string as \"512 KiB\" ({', '.join(UNIT_BYTES)})"
                         if _in_bytes(resource) else "a positive integer")
        line = _line(text, place)
        budget[resource] = Limit(number, f"{path.name}:{line}", path, line)
    return budget


def _number(value: Any, *, in_bytes: bool) -> int | None:
    """Bytes or instructions; ``None`` where the value is not a positive one. TOML's true is not 1."""
    if isinstance(value, str) and in_bytes:
        match = _SIZE.fullmatch(value)
        value = int(match[1]) * UNIT_BYTES[match[2]] if match else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _wrong(code: str, path: Path, text: str, keys: tuple[str, ...], what: str, expected: str) -> InputError:
    return InputError(code, f"{path}, line {_line(text, keys)}: {'.'.join(keys)} {what}", expected=expected,
                      fix="correct the budget file")


def _line(text: str, keys: tuple[str, ...]) -> int:
    """Line on which a key has its value, however it is written: ``[a.b]``, ``a.b = ``, ``{b = }``.

    The TOML reader gives no positions. But a line that holds a key is the first with which, from the
    file's beginning, the reader finds the key.
    """
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        if keys[-1] in line and _holds("".join(lines[:number]), keys):
            return number
    return 1


def _holds(text: str, keys: tuple[str, ...]) -> bool:
    try:
        found: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError:  # cut inside of a value of several lines
        return False
    for key in keys:
        if not isinstance(found, dict) or key not in found:
            return False
        found = found[key]
    return True
