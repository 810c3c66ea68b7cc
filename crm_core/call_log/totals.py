"""What a comparison comes to, for the last line of `zuoxi reconcile`. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Self

from crm_core.call_log.reconcile import Difference, Reason


@dataclass(frozen=True, slots=True)
class Totals:
    """`120 passes compared, 3 differences (2 gap, 1 unexplained); apart from these 4 open`."""

    compared: int = 0
    differences: int = 0
    reasons: Counter[Reason] = field(default_factory=Counter)
    apart: Counter[Reason] = field(default_factory=Counter)

    def with_one(self, found: Difference) -> Self:
        """And this difference."""
        one = Counter([found.reason])
        if found.is_excused:
            return replace(self, apart=self.apart + one)
        return replace(self, differences=self.differences + 1, reasons=self.reasons + one)

    def of(self, compared: int) -> Self:
        return replace(self, compared=compared)

    def __add__(self, other: Self) -> Self:
        return replace(
            self,
            compared=self.compared + other.compared,
            differences=self.differences + other.differences,
            reasons=self.reasons + other.reasons,
            apart=self.apart + other.apart,
        )

    def __str__(self) -> str:
        said = f"{self.compared} passes compared, {self.differences} differences"
        if self.reasons:
            said += f" ({_counts(self.reasons)})"
        if self.apart:
            said += f"; apart from these {_counts(self.apart)}"
        return said


def _counts(reasons: Counter[Reason]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
