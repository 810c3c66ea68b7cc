"""The one way back: which run of Asterisk is this, and what lives in it now?

Start, reconnect and "I fell behind" all come here. The snapshot is asked on the events session, so
that its items and the live events reach the tracker in one order, that of the wire.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta

from crm_core.commands import KnownBoot
from crm_core.errors import Unavailable
from crm_core.ids import BootId
from telephony.ami.actions import (
    Action,
    BridgeList,
    CoreShowChannels,
    CoreStatus,
    QueueStatus,
    Status,
)
from telephony.ami.link import Answer

log = logging.getLogger("zuoxi.telephony")

SAME_BOOT = timedelta(seconds=5)
"""How far CoreStatus and QUEUESTART may differ about the start of one run of Asterisk."""

_ZONE_STEP = timedelta(minutes=15)

SNAPSHOT: tuple[Action, ...] = (Status(), QueueStatus(), CoreShowChannels(), BridgeList())

Ask = Callable[[Action], Awaitable[Answer]]


async def started_at(ask: Ask, booted_about: datetime | None) -> datetime:
    """When this Asterisk started, to the second, by CoreStatus.

    Asterisk writes its own local time and does not say of which zone. `booted_about` (now less the
    Uptime of FullyBooted, a second or two off) tells: no zone is finer than a quarter of an hour.
    Without it the zone of this machine is taken. Raises `Unavailable` where it cannot be told.
    """
    answer = await ask(CoreStatus())
    text = f"{answer.response.get('CoreStartupDate')} {answer.response.get('CoreStartupTime')}"
    try:
        local = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise Unavailable(f"Asterisk does not say when it started ({answer.message})") from None
    if booted_about is not None:
        return local - round((local - booted_about) / _ZONE_STEP) * _ZONE_STEP
    offset = local.replace(tzinfo=None).astimezone().utcoffset() or timedelta()
    return local - offset


def boot_of(started: datetime, known: Iterable[KnownBoot]) -> KnownBoot:
    """The run that started then: one that is known, or a new one."""
    for boot in known:
        if abs(boot.started_at - started) <= SAME_BOOT:
            return boot
    return KnownBoot(boot=BootId(f"b{int(started.timestamp())}"), started_at=started)


async def ask_snapshot(ask: Ask) -> None:
    """Ask for everything that lives; the items reach the tracker by the session itself.

    A list that this Asterisk does not know ("Invalid/unknown command") or this account may not see
    is said in the log and done without. Raises `Unavailable` when the link breaks.
    """
    for action in SNAPSHOT:
        answer = await ask(action)
        if not answer.ok:
            name = type(action).__name__
            log.warning("Asterisk refuses %s (%s); going on without", name, answer.message)
