"""Which stay seen by one feed is which stay seen by the other.

AMI and `queue_log` count the same things independently, and each may have been blind for a while:
their ordinals need not agree, their moments do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

NEAR = timedelta(seconds=2)
"""How far apart two feeds may put the same moment: whole seconds in `queue_log`, and some delay."""

ROUNDING = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Stay:
    """An interval; `end` is None while it lasts, or where nobody saw it end.

    `found_later`: it began at `begin` or any time before.
    """

    begin: datetime
    end: datetime | None = None
    found_later: bool = False


Pair = tuple[int | None, int | None]


def pair(ami: Sequence[Stay], log: Sequence[Stay]) -> list[Pair]:
    """Indices of `ami` and `log` that are the same stay, in order of time; None: only one saw it.

    Both come sorted. Order is kept; as many pairs as possible, and of those the closest.
    """
    matched = _matches(ami, log)
    paired_ami, paired_log = {i for i, _ in matched}, {j for _, j in matched}
    found: list[Pair] = list(matched)
    found += [(i, None) for i in range(len(ami)) if i not in paired_ami]
    found += [(None, j) for j in range(len(log)) if j not in paired_log]

    def moment(each: Pair) -> tuple[datetime, bool]:
        i, j = each
        if i is not None:
            return ami[i].begin, True
        assert j is not None
        return log[j].begin, False

    return sorted(found, key=moment)


def _matches(ami: Sequence[Stay], log: Sequence[Stay]) -> tuple[tuple[int, int], ...]:
    """The best way to pair without crossing: the longest-common-subsequence table, with a cost."""
    if not ami or not log:
        return ()
    Best = tuple[int, float, tuple[tuple[int, int], ...]]  # noqa: N806  pairs, minus cost, which
    below: list[Best] = [(0, 0.0, ())] * (len(log) + 1)
    for i in reversed(range(len(ami))):
        row: list[Best] = [(0, 0.0, ())] * (len(log) + 1)
        for j in reversed(range(len(log))):
            best = max(below[j], row[j + 1])
            if _same(ami[i], log[j]):
                pairs, value, which = below[j + 1]
                best = max(best, (pairs + 1, value - _cost(ami[i], log[j]), ((i, j), *which)))
            row[j] = best
        below = row
    return below[0][2]


def _same(ami: Stay, log: Stay) -> bool:
    """They begin together, or overlap: one channel is never in two stays at once."""
    if abs(ami.begin - log.begin) <= NEAR:
        return True
    if ami.found_later and log.begin < ami.begin:
        # queue_log cuts to whole seconds: the stay may have lasted that much longer
        return log.end is None or ami.begin < log.end + ROUNDING
    began = max(ami.begin, log.begin)
    ends = [end for end in (ami.end, log.end) if end is not None]
    return not ends or min(ends) - began > ROUNDING


def _cost(ami: Stay, log: Stay) -> float:
    # queue_log cuts to whole seconds, so the true moment lies 0 to 1 s after the row's.
    return abs((ami.begin - log.begin).total_seconds() - 0.5)
