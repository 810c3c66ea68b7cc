"""Which channel is recorded into which file: told as it begins, and again after each snapshot.

Asterisk tells that recording began without the name of the file; the name stands in the channel's
MIXMONITOR_FILENAME, on a foreign dialplan too, and is asked for. A channel that is gone before the
answer has told nothing: our own files bear the channel's Uniqueid in their names, so the index finds
them all the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from crm_core.bus import Bus
from crm_core.errors import Invalid, Unavailable
from crm_core.events import RecordingStarted
from crm_core.ids import CallId, PbxId
from telephony.ami import messages as ami
from telephony.ami.actions import Action, Getvar
from telephony.ami.link import Answer

log = logging.getLogger("zuoxi.telephony")

FILENAME: Final = "MIXMONITOR_FILENAME"


class RecordingWatch:
    """`feed` it what it hears; facts go to the bus as soon as the file's name is known."""

    HEARS: Final = frozenset({ami.MixMonitorStart, ami.StatusItem})

    def __init__(
        self,
        pbx: PbxId,
        bus: Bus,
        ask: Callable[[Action], Awaitable[Answer]],
        call_of: Callable[[str], CallId | None],
    ) -> None:
        self._pbx, self._bus, self._ask, self._call_of = pbx, bus, ask, call_of
        self._asking: set[asyncio.Task[None]] = set()
        self._seen: list[tuple[ami.StatusItem, str]] = []
        """Of the snapshot under way: whose call they are is known when it is complete."""

    def feed(self, message: ami.MixMonitorStart | ami.StatusItem) -> None:
        if isinstance(message, ami.StatusItem):
            if file := dict(message.variables).get(FILENAME):
                self._seen.append((message, file))
        elif message.channel and message.unique_id:
            asking = asyncio.create_task(self._look_up(message, message.channel))
            self._asking.add(asking)
            asking.add_done_callback(self._asking.discard)

    def snapshot_ended(self) -> None:
        """The snapshot's channels have their calls now."""
        seen, self._seen = self._seen, []
        for item, file in seen:
            self._tell(item, file)

    def stop(self) -> None:
        for asking in self._asking:
            asking.cancel()

    async def _look_up(self, message: ami.MixMonitorStart, channel: str) -> None:
        try:
            answer = await self._ask(Getvar(channel=channel, variable=FILENAME))
        except (Invalid, Unavailable) as wrong:
            log.debug("%s: which file is recorded was not told: %s", self._pbx, wrong.detail)
            return
        if answer.ok and (file := answer.response.get("Value", "")):
            self._tell(message, file)

    def _tell(self, message: ami.MixMonitorStart | ami.StatusItem, file: str) -> None:
        call = self._call_of(message.unique_id or "")
        # `Status` says (null) of a channel that is not recorded, now and then (22.10.1).
        is_name = file.isprintable() and file != "(null)"
        if call is None or message.unique_id is None or not is_name:
            return
        self._bus.publish(
            RecordingStarted(
                at=message.at,
                pbx=self._pbx,
                call=call,
                unique_id=message.unique_id,
                file=file,
            )
        )
