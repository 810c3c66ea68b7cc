"""What is heard of each teller, once and in order. Pure.

Every teller numbers what it tells, and tells again what it does not know to be safe: what was heard is
passed over. Where numbers are missing, the records refuse what follows until it is told again in
order; everybody else goes on and asks for the present.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from crm_core.redis_bus.wire import Told


class Verdict(Enum):
    """What to do with what a teller says."""

    HEAR = "hear"
    KNOWN = "known"
    """Heard before."""
    MISSED = "missed"
    """Hear it; what came before it is lost to this listener."""
    REFUSE = "refuse"
    """Not before what is missing, which the teller still has."""


class Order:
    """`whole`: this listener has to hear everything that can still be told (the records)."""

    def __init__(self, *, whole: bool) -> None:
        self._whole = whole
        self._heard: dict[str, int] = {}
        """Teller → the last number heard."""

    def begin(self, safe: Mapping[str, int]) -> None:
        """The records have these numbers: go on behind them."""
        for teller, number in safe.items():
            self._heard[teller] = max(number, self._heard.get(teller, 0))

    def judge(self, teller: str, told: Told) -> Verdict:
        """And remember it as heard, unless it is refused."""
        if told.number == 0:
            return Verdict.KNOWN if self._whole else Verdict.HEAR
        heard = self._heard.get(teller)
        if heard is not None and told.number <= heard:
            return Verdict.KNOWN
        following = heard is not None and told.number == heard + 1
        if self._whole:
            # What is safe is no longer kept, so whoever begins here begins with the oldest kept.
            begins = told.number == told.kept_from and (heard is None or told.number > heard)
            if not (following or begins):
                return Verdict.REFUSE
            self._heard[teller] = told.number
            return Verdict.HEAR
        self._heard[teller] = told.number
        return Verdict.HEAR if following or heard is None else Verdict.MISSED
