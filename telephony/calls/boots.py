"""When an Asterisk started, from the local time that CoreStatus gives. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from crm_core.commands import KnownBoot
from crm_core.ids import BootId

SAME_BOOT = timedelta(seconds=5)
"""How far CoreStatus and QUEUESTART may differ about the start of one run of Asterisk."""

ZONE_STEP = timedelta(minutes=15)
"""No time zone is finer."""


def started_at(date: str, time: str, booted_about: datetime | None) -> datetime | None:
    """`2026-11-24`, `10:33:34` in a zone that Asterisk does not tell → the instant; None: no time.

    `booted_about` is now less the Uptime of FullyBooted, a second or two off: it tells the zone.
    """
    try:
        local = datetime.strptime(f"{date} {time}", "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    if booted_about is None:
        return local
    return local - round((local - booted_about) / ZONE_STEP) * ZONE_STEP


def boot_of(started: datetime, known: Iterable[KnownBoot]) -> KnownBoot:
    """The run that started then: one that is known, or a new one."""
    for boot in known:
        if abs(boot.started_at - started) <= SAME_BOOT:
            return boot
    return KnownBoot(boot=BootId(f"b{int(started.timestamp())}"), started_at=started)
