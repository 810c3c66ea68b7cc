"""Which services live, by their heartbeats on the bus. Pure: the clock is given."""

from __future__ import annotations

from collections.abc import Callable

from crm_core.quick_dataclass import dataclass

BEAT_SECONDS = 1.0
GONE_SECONDS = 3.0
"""A service that has missed two beats does not serve."""
FORGOTTEN_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A service lives. `pbx` where it serves one; `leads` false: it stands by."""

    service: str
    pbx: str = ""
    leads: bool = True
    says: str | None = None
    """A sentence about what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service of one process, as it said last."""

    beat: Beat
    process: str
    ago_seconds: float

    @property
    def lives(self) -> bool:
        return self.ago_seconds < GONE_SECONDS


class Beats:
    """Ages are measured by our own clock, from when a beat was heard."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: dict[tuple[str, str, str], tuple[float, Beat]] = {}

    def heard(self, process: str, beat: Beat) -> None:
        self._last[process, beat.service, beat.pbx] = (self._clock(), beat)

    def services(self) -> list[Service]:
        """All that were heard of in the last ten minutes."""
        now = self._clock()
        self._last = {
            key: (at, beat)
            for key, (at, beat) in self._last.items()
            if now - at < FORGOTTEN_SECONDS
        }
        return [
            Service(beat=beat, process=process, ago_seconds=now - at)
            for (process, _, _), (at, beat) in sorted(self._last.items())
        ]

    def leader(self, service: str, pbx: str = "") -> Service | None:
        """Who serves, and lives; None: nobody does."""
        return next(
            (
                each
                for each in self.services()
                if each.lives
                and each.beat.leads
                and (each.beat.service, each.beat.pbx) == (service, pbx)
            ),
            None,
        )
