"""What really happened in a story, as the model of Asterisk keeps it: the oracle's table."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from crm_core.events import AttemptResult, Outcome

Interval = tuple[float, float]
"""Seconds since the story began; these never jump, wall clocks do."""


@dataclass(slots=True)
class Row:
    """One row of `queue_log`, and whether it came to the file whole."""

    text: bytes
    verb: str
    lost: bool = False
    doubtful: bool = False
    """Beside a torn row: the parser may leave it out."""


@dataclass(slots=True)
class TrueRing:
    interface: str
    leg: str
    began: float
    ended: float | None = None
    result: AttemptResult | None = None


@dataclass(slots=True)
class TruePass:
    unique_id: str
    queue: str
    entered: float
    entered_at: datetime
    outcome: Outcome | None = None
    """None: it was open when Asterisk died."""
    connected: float | None = None
    connected_at: datetime | None = None
    left: float | None = None
    left_at: datetime | None = None
    interface: str | None = None
    """Who talked."""
    wait_told: int | None = None
    talk_told: int | None = None
    """Whole seconds as Asterisk counts them."""
    rings: list[TrueRing] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    @property
    def rows_whole(self) -> bool:
        return not any(row.lost or row.doubtful for row in self.rows)


@dataclass(slots=True)
class TrueCall:
    number: int
    kind: str
    boot: int
    unique_id: str
    began: float
    began_at: datetime
    ended: float | None = None
    ended_at: datetime | None = None
    died: bool = False
    """Asterisk died during it, or was stopped: nobody hung up."""
    passes: list[TruePass] = field(default_factory=list)
    legs: dict[str, list[datetime | None]] = field(default_factory=dict)
    """Uniqueid → [began, ended]."""
    rings: list[TrueRing] = field(default_factory=list)
    """Those without a queue."""

    def touches(self, intervals: list[Interval]) -> bool:
        """Whether any of these was while it lasted, or while its last messages were on their way."""
        end = (self.ended if self.ended is not None else self.began) + 1.5
        return any(begin <= end and until >= self.began - 0.05 for begin, until in intervals)


@dataclass(frozen=True, slots=True)
class TrueGap:
    """A blind interval by the wall clock. `earliest` is when its row may begin."""

    since: float
    """Seconds since the story began."""
    earliest: datetime
    began_at: datetime
    until: float = 0.0
    ended_at: datetime | None = None


@dataclass(slots=True)
class Truth:
    calls: list[TrueCall] = field(default_factory=list)
    boots: list[datetime] = field(default_factory=list)
    starts: list[Row] = field(default_factory=list)
    """The QUEUESTART row of each."""
    blind: list[Interval] = field(default_factory=list)
    """When facts of AMI did not come through, whatever failed."""
    gaps: list[TrueGap] = field(default_factory=list)
    """Those of them that the gap book has to tell."""
