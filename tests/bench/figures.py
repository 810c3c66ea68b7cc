"""Samples become percentiles, pairs of rounds become a ratio with its range, and a ratio meets a floor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

MOST_SPREAD = 2.0
"""Highest over lowest median of the reference: beyond it the machine was measured, not the product."""
MOST_OTHER_LOAD = 0.5
"""Cores that programs which are not ours used, on average."""


def percentile(samples: Sequence[float], share: float, at_least: int) -> float:
    """The smallest sample that `share` of all do not exceed. Too few samples are no percentile."""
    if len(samples) < at_least:
        raise ValueError(f"{len(samples)} samples are too few: a percentile needs {at_least}")
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def p50(samples: Sequence[float]) -> float:
    return percentile(samples, 0.50, 1_000)


def p99(samples: Sequence[float]) -> float:
    return percentile(samples, 0.99, 5_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """One ratio per round; what is told is their median and range."""

    rounds: tuple[float, ...]

    @classmethod
    def of(cls, ours: Sequence[float], reference: Sequence[float]) -> Ratio:
        return cls(rounds=tuple(a / b for a, b in zip(ours, reference, strict=True)))

    @property
    def value(self) -> float:
        return median(self.rounds)

    def __str__(self) -> str:
        if len(self.rounds) == 1:
            return f"{self.value:.2f}"
        return f"{self.value:.2f} ({min(self.rounds):.2f}–{max(self.rounds):.2f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A line of the table. `floor` None: printed, not gated."""

    name: str
    what_en: str
    what_zh: str
    value: float
    shown: str
    floor: float | None = None
    at_least: bool = False
    """The floor is a least value, not a greatest."""
    unit: str = ""

    @property
    def holds(self) -> bool:
        if self.floor is None:
            return True
        return self.value >= self.floor if self.at_least else self.value <= self.floor

    @property
    def floor_shown(self) -> str:
        if self.floor is None:
            return "–"
        return f"{'≥' if self.at_least else '≤'} {self.floor:g}{self.unit}"


def spread(reference: Sequence[float]) -> float:
    """How far the reference differs from itself between rounds."""
    return max(reference) / min(reference)
