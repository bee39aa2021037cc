"""The pictures of a study, as SVG files that stand alone.

====================  ==============================================================================
``effects.svg``       difference from none with its 95 % interval, a row for each variant
``ratios.svg``        the figure of the paper: WF1 against the ratio, a line for each module,
                      a panel for each backbone and corpus
``speakers.svg``      UAR of each test speaker without HRF, and over all variants with it
``bytes.svg``         WF1 against the size of the int8 file
====================  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean

from tfser.report.comparison import Comparison, Level
from tfser.report.svg import COLOURS, INK, MARKS, SOFT, WIDTH, Scale, drawing, line, mark, path, text
from tfser.training.sweep import HRF, LOW_RANK, NONE, Variant

LEFT, RIGHT = 12, WIDTH - 12
ROW, HEAD, TOP = 34, 26, 64
_KIND = {NONE: (INK, "circle"), HRF: (COLOURS[0], "square"), LOW_RANK: (COLOURS[3], "diamond")}
NAME_LETTERS = 7  # of a speaker, in the margin
Panel = tuple[str, str]


def draw(levels: Sequence[Level], comparisons: Sequence[Comparison], run: str) -> dict[str, str]:
    """The pictures for which there is something to draw, by file name; ``run`` says how much was run."""
    drawn = {"effects.svg": effects([entry for entry in comparisons if entry.wf1], run),
             "ratios.svg": ratios([level for level in levels if level.wf1], run),
             "speakers.svg": speakers([level for level in levels if level.wf1], run),
             "bytes.svg": sizes([level for level in levels if level.wf1 and level.deployed_bytes], run)}
    return {name: picture for name, picture in drawn.items() if picture}


def effects(found: Sequence[Comparison], run: str) -> str:
    """A row for each comparison: name and numbers, below them mean and interval against zero."""
    if not found:
        return ""
    known = [(entry, entry.wf1) for entry in found if entry.wf1]
    ends = [value for _, wf1 in known for value in (wf1.low, wf1.high, wf1.mean) if value is not None]
    x = Scale([0.0, *ends], LEFT + 14, RIGHT - 14)
    parts, y = list(_head("Difference of test WF1 from none, 95 % interval", run, _kind_legend((HRF, LOW_RANK)))), TOP
    for panel in _panels(entry.variant for entry, _ in known):
        parts.append(text(LEFT, y + 14, " ".join(panel), bold=True))
        y += HEAD
        for entry, wf1 in known:
            if _panel(entry.variant) != panel:
                continue
            colour, kind = _KIND[entry.variant.kind]
            bounds = "" if wf1.low is None else f" ({wf1.low:+.3f} to {wf1.high:+.3f})"
            parts += [text(LEFT, y + 9, _short(entry.variant)),
                      text(RIGHT, y + 9, f"{wf1.mean:+.3f}{bounds}", anchor="end", soft=True),
                      line(x(x.marks[0]), y + 20, x(x.marks[-1]), y + 20)]
            if wf1.low is not None and wf1.high is not None:
                parts.append(line(x(wf1.low), y + 20, x(wf1.high), y + 20, colour=colour, width=3))
            parts.append(mark(kind, x(wf1.mean), y + 20, colour))
            y += ROW
    parts.insert(0, line(x(0), TOP + HEAD - 8, x(0), y, colour=SOFT, dash="3 2"))
    parts += _x_axis(x, y, sign=True)
    return drawing(f"Difference of test WF1 from none; {run}", y + 28, parts)


def ratios(found: Sequence[Level], run: str) -> str:
    """A panel for each corpus and backbone; the level without HRF is a dashed line across."""
    lines = sorted({_module(level.variant) for level in found if level.variant.ratio})
    steps = sorted({level.variant.ratio for level in found if level.variant.ratio})
    if not lines:
        return ""
    looks = {name: (COLOURS[at % len(COLOURS)], MARKS[at % len(MARKS)]) for at, name in enumerate(lines)}
    parts = list(_head("Test WF1 against the ratio of HRF", run, [(*looks[name], name) for name in lines]))
    y: float = TOP + 16 * (len(_legend_rows(lines)) - 1)
    for panel in _panels(level.variant for level in found):
        own = [level for level in found if _panel(level.variant) == panel]
        parts += _ratio_panel(own, panel, steps, looks, y)
        y += 196
    parts.append(text(WIDTH / 2, y + 4, "inner width over output width; below 1: low-rank control", anchor="middle",
                      soft=True))
    return drawing(f"Test WF1 against the ratio of HRF; {run}", y + 14, parts)


def _ratio_panel(own: Sequence[Level], panel: Panel, steps: Sequence[float],
                 looks: Mapping[str, tuple[str, str]], top: float) -> Iterator[str]:
    values = {level.variant: level.wf1.mean for level in own if level.wf1}
    y = Scale(values.values(), top + 156, top + 26, most=5)
    left, right = LEFT + 34, RIGHT - 10
    places = {ratio: left + (at + 0.5) / len(steps) * (right - left) for at, ratio in enumerate(steps)}
    yield text(LEFT, top + 12, " ".join(panel), bold=True)
    for value in y.marks:
        yield line(left, y(value), right, y(value))
        yield text(left - 6, y(value) + 4, y.label(value), anchor="end", soft=True)
    for ratio, x in places.items():
        yield text(x, top + 174, f"{ratio:g}", anchor="middle", soft=True)
    for variant, value in values.items():
        if variant.kind == NONE:
            yield line(left, y(value), right, y(value), colour=INK, width=1.5, dash="5 3")
            yield text(right, y(value) - 4, "none", anchor="end")
    for name, (colour, kind) in looks.items():
        points = [(places[variant.ratio], y(value)) for variant, value in sorted(values.items())
                  if variant.ratio and _module(variant) == name]
        high_rank = [point for point in points if point[0] >= min((places[r] for r in steps if r >= 1), default=0)]
        if len(high_rank) > 1:
            yield path(high_rank, colour)
        yield from (mark(kind, *point, colour, hollow=point not in high_rank) for point in points)


def speakers(found: Sequence[Level], run: str) -> str:
    """A row for each test speaker: hollow without HRF, filled the mean of the variants with it, bar their range."""
    panels = {panel: _speaker_rows([level for level in found if _panel(level.variant) == panel])
              for panel in _panels(level.variant for level in found)}
    values = [value for rows in panels.values() for _, plain, own in rows for value in (*plain, *own)]
    if not values:
        return ""
    x = Scale(values, LEFT + 52, RIGHT - 14)
    legend = [(INK, "circle", "none"), (COLOURS[0], "square", "mean and range of the settings with HRF")]
    parts, y = list(_head("UAR of each test speaker, mean over seeds", run, legend)), TOP
    for panel, rows in panels.items():
        parts.append(text(LEFT, y + 14, " ".join(panel), bold=True))
        y += HEAD
        for speaker, plain, own in rows:
            parts += [text(LEFT, y + 9, _cut(speaker)), line(x(x.marks[0]), y + 5, x(x.marks[-1]), y + 5)]
            if own:
                parts += [line(x(min(own)), y + 5, x(max(own)), y + 5, colour=COLOURS[0], width=3),
                          mark("square", x(fmean(own)), y + 5, COLOURS[0])]
            parts += [mark("circle", x(value), y + 5, INK, hollow=True) for value in plain]
            y += 20
    return drawing(f"UAR of each test speaker; {run}", y + 28, [*parts, *_x_axis(x, y)])


def _speaker_rows(own: Sequence[Level]) -> list[tuple[str, list[float], list[float]]]:
    """Each speaker's UAR without HRF (none or one), and with each variant."""
    names = sorted({speaker for level in own for speaker in level.speakers})

    def of(name: str, kind: str) -> list[float]:
        return [level.speakers[name] for level in own if level.variant.kind == kind and name in level.speakers]

    return [(name, of(name, NONE), of(name, HRF)) for name in names]


def sizes(found: Sequence[Level], run: str) -> str:
    """WF1 of each variant at the size of its int8 file, a panel for each corpus and a letter for each backbone."""
    if not found:
        return ""
    archs = sorted({level.variant.arch for level in found})
    letters = {arch: chr(ord("A") + at) for at, arch in enumerate(archs)}
    x = Scale([level.deployed_bytes or 0 for level in found], LEFT + 44, RIGHT - 22, most=4)
    parts, y = list(_head("Test WF1 (float) against the int8 file", run, _kind_legend((NONE, HRF, LOW_RANK)))), TOP
    for corpus in sorted({level.variant.corpus for level in found}):
        own = [level for level in found if level.variant.corpus == corpus]
        highest: dict[tuple[str, float], float] = {}  # of several at one size, the highest has the letter
        scale = Scale([level.wf1.mean for level in own if level.wf1], y + 176, y + 26, most=5)
        parts.append(text(LEFT, y + 12, corpus, bold=True))
        for value in scale.marks:
            parts += [line(LEFT + 34, scale(value), RIGHT, scale(value)),
                      text(LEFT + 28, scale(value) + 4, scale.label(value), anchor="end", soft=True)]
        for level in own:
            colour, kind = _KIND[level.variant.kind]
            at, height = x(level.deployed_bytes or 0), scale(level.wf1.mean if level.wf1 else 0)
            parts.append(mark(kind, at, height, colour, hollow=level.variant.kind == NONE))
            highest[level.variant.arch, at] = min(height, highest.get((level.variant.arch, at), height))
        parts += [text(at + 7, height + 4, letters[arch]) for (arch, at), height in highest.items()]
        y += 186
        parts += _x_axis(x, y - 8)
        y += 28
    parts += [text(LEFT, y + 6 + 16 * at, f"{letter}: {arch}") for at, (arch, letter) in enumerate(letters.items())]
    parts.append(text(RIGHT, y + 6, "bytes", anchor="end", soft=True))
    return drawing(f"Test WF1 against the size of the int8 file; {run}", y + 16 * len(letters), parts)


def _head(title: str, run: str, legend: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    yield text(LEFT, 18, title, bold=True)
    yield text(LEFT, 34, run, soft=True)
    looks = {name: (colour, kind) for colour, kind, name in legend}
    for row, names in enumerate(_legend_rows(list(looks))):
        x = float(LEFT)
        for name in names:
            yield mark(looks[name][1], x + 5, 48 + 16 * row, looks[name][0], hollow=name == NONE)
            yield text(x + 14, 52 + 16 * row, name)
            x += _legend_width(name)


def _legend_rows(names: Sequence[str]) -> list[list[str]]:
    """Names in rows that fit the picture."""
    rows: list[list[str]] = [[]]
    for name in names:
        if rows[-1] and sum(map(_legend_width, [*rows[-1], name])) > RIGHT - LEFT:
            rows.append([])
        rows[-1].append(name)
    return rows


def _legend_width(name: str) -> float:
    return 30 + 6.2 * len(name)


def _kind_legend(kinds: Iterable[str]) -> list[tuple[str, str, str]]:
    return [(*_KIND[kind], {HRF: "HRF", LOW_RANK: "low-rank control"}.get(kind, kind)) for kind in kinds]


def _x_axis(x: Scale, y: float, *, sign: bool = False) -> Iterator[str]:
    yield line(x(x.marks[0]), y, x(x.marks[-1]), y, colour=SOFT)
    for value in x.marks:
        yield line(x(value), y, x(value), y + 4, colour=SOFT)
        yield text(x(value), y + 16, x.label(value, sign=sign), anchor="middle", soft=True)


def _panels(variants: Iterable[Variant]) -> list[Panel]:
    return sorted({_panel(variant) for variant in variants})


def _panel(variant: Variant) -> Panel:
    return variant.corpus, variant.arch


def _module(variant: Variant) -> str:
    return variant.sites if variant.depth == 2 else f"{variant.sites}, depth {variant.depth}"


def _cut(name: str) -> str:
    return name if len(name) <= NAME_LETTERS else f"{name[: NAME_LETTERS - 1]}…"


def _short(variant: Variant) -> str:
    return f"{_module(variant)} ×{variant.ratio:g}"


