"""A grid of trainings for paired comparisons: its parts, their order, and the loop that runs them.

A part is one training: a variant (corpus, backbone, where and how wide HRF is) on one fold with one
seed. Variants of one backbone and corpus that differ in HRF alone are compared on the same fold and
seed, so every part without HRF has its partners.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tfser import __version__
from tfser.files import canonical_json
from tfser.training.run import Training

NONE, HRF, LOW_RANK = "none", "hrf", "low-rank"

Work = TypeVar("Work")
Record = TypeVar("Record")


@dataclass(frozen=True, order=True)
class Variant:
    """One column of the study: ``sites`` are the names that the option takes, such as ``attention+ffn``.

    ``ratio`` 0 is without HRF (then ``sites`` is empty and ``depth`` 1), below 1 the low-rank control.
    """

    corpus: str
    arch: str
    sites: str = ""
    ratio: float = 0
    depth: int = 1

    @property
    def kind(self) -> str:
        """``none``, ``hrf`` or ``low-rank``."""
        return NONE if self.ratio == 0 else LOW_RANK if self.ratio < 1 else HRF

    @property
    def plain(self) -> Variant:
        """What it is compared with: the same without HRF."""
        return Variant(self.corpus, self.arch)

    def __str__(self) -> str:
        if self.kind == NONE:
            return f"{self.corpus}-{self.arch}-none"
        low = "low-rank-" if self.kind == LOW_RANK else ""
        return f"{self.corpus}-{self.arch}-{self.sites}-{low}x{self.ratio:g}-depth{self.depth}"


@dataclass(frozen=True, order=True)
class Part:
    """One training of the grid."""

    variant: Variant
    fold: int
    seed: int

    def __str__(self) -> str:
        return f"{self.variant}-fold{self.fold}-seed{self.seed}"


@dataclass(frozen=True, eq=False)
class Task:
    """All that a worker needs for a part, but for the recordings below ``root``.

    ``deploy``: merge, quantise and score the int8 model too.
    """

    part: Part
    training: Training
    root: Path
    deploy: bool

    def configuration(self) -> dict[str, Any]:
        """Everything that the record depends on, as plain JSON types."""
        return {"tfser": __version__, "corpus": self.part.variant.corpus, "deploy": self.deploy,
                **self.training.identity()}

    @property
    def key(self) -> str:
        """SHA-256 of the configuration: equal keys, equal records (but for the seconds)."""
        return hashlib.sha256(canonical_json(self.configuration()).encode()).hexdigest()


@dataclass(frozen=True)
class Pool:
    """Where parts run: an executor of ``concurrent.futures``, and how many parts to hand it at once."""

    executor: Executor
    places: Callable[[], int]


def grid(corpora: Iterable[str], archs: Iterable[str], sites: Callable[[str], Sequence[str]],
         ratios: Sequence[float], depths: Sequence[int]) -> Iterator[Variant]:
    """Every variant once; without HRF there are no sites and no depths to vary.

    Parameters
    ----------
    sites : callable
        From a backbone to the names of what is widened in it.
    """
    seen: set[Variant] = set()
    for corpus in corpora:
        for arch in archs:
            every = [Variant(corpus, arch, site, ratio, depth) for depth in depths for site in sites(arch)
                     for ratio in ratios if ratio]
            for variant in ([Variant(corpus, arch)] if 0 in ratios else []) + every:
                if variant not in seen:
                    seen.add(variant)
                    yield variant


def parts_of(variants: Sequence[Variant], folds: Callable[[str], Sequence[int]], seeds: Sequence[int]) -> list[Part]:
    """The grid in the order in which it is run, so that what is done of it is balanced whenever it stops.

    Seed by seed; within a seed first the main variants, which are those without HRF and of the first
    depth given; within these fold by fold, every variant of a fold before the next fold.
    """
    first_depth = next((variant.depth for variant in variants if variant.ratio), 1)
    parts = [Part(variant, fold, seed) for variant in variants for fold in folds(variant.corpus) for seed in seeds]
    place = {variant: index for index, variant in enumerate(variants)}
    return sorted(parts, key=lambda part: (seeds.index(part.seed), part.variant.depth not in (1, first_depth),
                                           part.fold, place[part.variant]))


def run_tasks(tasks: Iterable[Work], pool: Pool, work: Callable[[Work], Record], on_record: Callable[[Record], None],
              time_limit_s: float | None = None) -> None:
    """Run tasks, in order, and hand each record over as it comes; begin none after ``time_limit_s``.

    Whatever ``work`` raises ends the run; the records before it were handed over.
    """
    waiting, running = deque(tasks), set[Future[Record]]()
    begun = time.monotonic()
    while waiting or running:
        in_time = time_limit_s is None or time.monotonic() - begun < time_limit_s
        while in_time and waiting and len(running) < pool.places():
            running.add(pool.executor.submit(work, waiting.popleft()))
        if not running:
            return
        done, running = wait(running, return_when=FIRST_COMPLETED)
        failures = [future for future in done if future.exception() is not None]
        for future in done.difference(failures):
            on_record(future.result())
        for future in failures:
            future.result()  # raises
