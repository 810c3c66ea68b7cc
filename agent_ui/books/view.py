"""How far the records can be trusted, as pages say it: frozen values and the rules of the words. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from crm_core.call_log.reconcile import Kind, Reason
from crm_core.ids import CallId, PbxId
from crm_core.quick_dataclass import dataclass

LATE = timedelta(minutes=3)
"""The check runs each minute; when its last word is older, the page says so."""


class Standing(StrEnum):
    """How the call table of a PBX stands to Asterisk's own book."""

    EQUAL = "equal"
    DIFFERS = "differs"
    LATE = "late"
    """The check has not come this far: nobody knows."""
    NOT_YET = "not_yet"
    """It has never run."""
    AMI_ONLY = "ami_only"
    """There is no second book: this site gives no `queue_log`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What the standing check of a PBX has said last."""

    until: datetime
    recorded_from: datetime
    differences: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """One PBX's standing at a moment."""

    pbx: PbxId
    standing: Standing
    until: datetime | None = None
    recorded_from: datetime | None = None
    differences: int = 0


def reconciled(
    pbx: PbxId, compared: Compared | None, now: datetime, *, has_log: bool, since: datetime
) -> Reconciled:
    """`since` is when this process began: before the first check is due nothing is late."""
    if not has_log:
        return Reconciled(pbx=pbx, standing=Standing.AMI_ONLY)
    if compared is None:
        standing = Standing.LATE if now - since > LATE else Standing.NOT_YET
        return Reconciled(pbx=pbx, standing=standing)
    if compared.differences:
        standing = Standing.DIFFERS
    else:
        standing = Standing.LATE if now - compared.until > LATE else Standing.EQUAL
    return Reconciled(
        pbx=pbx,
        standing=standing,
        until=compared.until,
        recorded_from=compared.recorded_from,
        differences=compared.differences,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksLine:
    """`books/line.html`: one line for each PBX of the viewer, and what was not heard."""

    pbxs: tuple[Reconciled, ...]
    blind_seconds: int = 0
    """Of the figures' interval, so many were not heard."""
    may_open: bool = False
    """The gap book is for who sees more than the own work."""

    @property
    def names_pbx(self) -> bool:
        return len(self.pbxs) > 1


def seconds_within(gaps: list[tuple[datetime, datetime]], since: datetime, until: datetime) -> int:
    """How much of the interval lies in gaps, each moment once; a second at least where any does."""
    total, reached = timedelta(), since
    touched = False
    for began, ended in sorted(gaps):
        begin, end = max(began, reached), min(ended, until)
        touched = touched or (ended >= since and began < until)
        if end > begin:
            total += end - begin
            reached = end
    return max(round(total.total_seconds()), int(touched))


# --- the gap book ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class GapShown:
    """A line of the gap book."""

    id: int
    pbx: PbxId
    began_at: datetime
    ended_at: datetime
    boot_changed: bool
    reason: str
    calls: int

    @property
    def seconds(self) -> int:
        return max(1, round((self.ended_at - self.began_at).total_seconds()))


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceShown:
    """A difference that is not settled. `call` is ours, where there is one."""

    pbx: PbxId
    queue: str
    entered_at: datetime
    kind: Kind
    expected: str | None
    actual: str | None
    reason: Reason
    unique_id: str
    call: CallId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GapBookPage:
    """`books/page.html`."""

    line: BooksLine
    gaps: tuple[GapShown, ...]
    differences: tuple[DifferenceShown, ...] = ()
    more_differences: int = 0
    """Those beyond what is shown."""
    next_url: str | None = None
    first_url: str | None = None
