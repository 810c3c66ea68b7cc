"""What has happened since the process started, counted from the bus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from crm_core.events import (
    CallEnded,
    CallStarted,
    CommandRefused,
    Direction,
    Event,
    GapRecorded,
    Outcome,
    PassClosed,
)
from crm_core.ids import PbxId


class Tally:
    """Fed every event; most mean nothing here."""

    def __init__(self) -> None:
        self.started: Counter[tuple[PbxId, Direction]] = Counter()
        self.ended: Counter[tuple[PbxId, bool]] = Counter()
        """By whether somebody saw the end."""
        self.outcomes: Counter[tuple[PbxId, Outcome]] = Counter()
        self.gaps: Counter[PbxId] = Counter()
        self.gap_seconds: Counter[PbxId] = Counter()
        self.refused: Counter[tuple[PbxId, str]] = Counter()
        """Commands that Asterisk did not do, by kind."""

    def feed(self, event: Event) -> None:
        step = _STEPS.get(type(event))
        if step is not None:
            step(self, event)


def _started(tally: Tally, event: CallStarted) -> None:
    tally.started[event.pbx, event.direction] += 1


def _ended(tally: Tally, event: CallEnded) -> None:
    tally.ended[event.pbx, event.seen] += 1


def _closed(tally: Tally, event: PassClosed) -> None:
    tally.outcomes[event.pbx, event.outcome] += 1


def _gap(tally: Tally, event: GapRecorded) -> None:
    tally.gaps[event.pbx] += 1
    tally.gap_seconds[event.pbx] += max(0, round((event.at - event.began_at).total_seconds()))


def _refused(tally: Tally, event: CommandRefused) -> None:
    tally.refused[event.pbx, event.command] += 1


_STEPS: Mapping[type[Event], Callable[[Tally, Any], None]] = {
    CallStarted: _started,
    CallEnded: _ended,
    PassClosed: _closed,
    GapRecorded: _gap,
    CommandRefused: _refused,
}
