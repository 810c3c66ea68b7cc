"""The door: a call that is about to wait asks where it goes, and is told within half a second.

The dialplan (`zuoxi-door` in `asterisk_conf/extensions.conf`) calls `agi://…/door?pbx=NAME` with the
hotline's number; the answer is one assignment of its variables. Whoever does not answer here — we are being
restarted, the records are away, routing has no opinion — keeps nobody waiting: the call goes on into the
queue of its hotline.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from typing import Final

from crm_core.bus import Bus
from crm_core.commands import AtTheDoor, WayIn
from crm_core.ids import PbxId
from telephony import dialplan
from telephony.agi.server import AgiCall, AgiServer

log = logging.getLogger("zuoxi.agi")

PATH: Final = "door"
LIMIT_SECONDS: Final = 0.5
"""For the whole decision. The dialplan itself goes on after a second (`zuoxi-door`)."""
TRY_AGAIN_SECONDS: Final = 5.0

_PLAIN = re.compile(r"[^\W_][\w./-]{0,110}")
"""A queue or a device as Asterisk has them; a comma would be the next value of the assignment."""


class DoorKeeper:
    """`run` until cancelled. Calls of PBXs that `buses` does not know are not answered.

    `buses` may change meanwhile: in the split each PBX has its own, as long as we follow it.
    """

    def __init__(self, buses: Mapping[PbxId, Bus], host: str, port: int) -> None:
        self._buses, self._host, self._port = buses, host, port

    async def run(self) -> None:
        """Keep the door. An address that is taken is asked for again; calls go on without us."""
        told = False
        while True:
            server = AgiServer()
            server.add_route(PATH, self._answer)
            try:
                await server.start(self._host, self._port)
            except OSError as wrong:
                if not told:
                    told = True
                    log.warning(
                        "ZUOXI_AGI_BIND: %s port %d: %s; calls go to the queue of their hotline",
                        self._host, self._port, wrong.strerror,
                    )  # fmt: skip
                await asyncio.sleep(TRY_AGAIN_SECONDS)
                continue
            try:
                await asyncio.Event().wait()
            finally:
                await server.close()

    async def _answer(self, call: AgiCall) -> None:
        pbx = PbxId(call.query.get("pbx", ""))
        bus = self._buses.get(pbx)
        if bus is None:
            log.warning("a call of a PBX that is not ours is at the door: %r", pbx[:40])
            return
        number = call.headers.get("agi_callerid", "")
        asked = AtTheDoor(
            pbx=pbx,
            hotline=call.headers.get("agi_arg_1", ""),
            caller_number=None if number in ("", "unknown") else number,
        )
        way = await bus.ask(asked, LIMIT_SECONDS)
        if isinstance(way, WayIn):
            await call.send_command("SET VARIABLE", *assignment(way))


def assignment(way: WayIn) -> tuple[str, str]:
    """All of it at once, or nothing. Raises `ValueError` for a name that Asterisk would misread."""
    for name in (way.queue, *([way.first] if way.first else [])):
        if not _PLAIN.fullmatch(name):
            raise ValueError(f"{name!r} cannot be said to Asterisk")
    values = (way.queue, way.max_wait_seconds, way.priority, way.first or "", way.first_seconds)
    return f"ARRAY({','.join(dialplan.DOOR_VARIABLES)})", ",".join(map(str, values))


def address_of(host: str, port: int, pbx: PbxId) -> str:
    """What the dialplan calls."""
    return f"agi://{f'[{host}]' if ':' in host else host}:{port}/{PATH}?pbx={pbx}"
