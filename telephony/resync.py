"""The one way back: which run of Asterisk is this, and what lives in it now?

Start, reconnect and "I fell behind" all come here. The snapshot is asked on the events session, so
that its items and the live events reach the tracker in one order, that of the wire.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from crm_core.errors import Unavailable
from telephony.ami.actions import (
    Action,
    BridgeList,
    CoreShowChannels,
    CoreStatus,
    QueueStatus,
    Status,
)
from telephony.ami.link import Answer
from telephony.calls import boots
from telephony.recordings import FILENAME

log = logging.getLogger("zuoxi.telephony")

SNAPSHOT: tuple[Action, ...] = (
    Status(variables=FILENAME),
    QueueStatus(),
    CoreShowChannels(),
    BridgeList(),
)

Ask = Callable[[Action], Awaitable[Answer]]


async def ask_started_at(ask: Ask, booted_about: Callable[[], datetime | None]) -> datetime:
    """When this Asterisk started, to the second. Raises `Unavailable` where it cannot be told.

    `booted_about` is asked once the answer is there: FullyBooted, which tells Asterisk's time zone,
    comes before it but after the login. An account that sees no FullyBooted has none, and Asterisk's
    local time is taken for that of this machine.
    """
    answer = await ask(CoreStatus())
    about = booted_about()
    date, time = (answer.response.get(f"CoreStartup{part}", "") for part in ("Date", "Time"))
    started = boots.started_at(date, time, about)
    if started is None:
        raise Unavailable(f"Asterisk does not say when it started ({answer.message})")
    if about is None:
        offset = datetime.now(UTC).astimezone().utcoffset()
        return started - offset if offset is not None else started
    return started


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
