"""The demonstration PBX itself: `zuoxi demo` starts it, the product connects to it as to Asterisk.

No root, no sound, no phone: calls are recorded ones, and the agent's phone is drawn on the page.
`LiftPhone` and `PutDownPhone` on the bus move its handset. Colleagues, if there are any, lift theirs
themselves after a while, so that a supervisor has something to watch.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Collection
from pathlib import Path
from random import Random
from typing import TextIO

from crm_core.bus import Bus
from crm_core.centre.plan import SwitchPlan
from crm_core.commands import Done, LiftPhone, PutDownPhone
from crm_core.ids import PbxId
from crm_core.settings import PbxUrl
from telephony.demo_pbx import parts
from telephony.demo_pbx.callers import Pace, callers, regulars
from telephony.demo_pbx.calls import Call, Happening, HungUp, Lifted, Patience, PutDown, SentAway
from telephony.demo_pbx.exchange import Clock, Exchange
from telephony.demo_pbx.player import Caller
from telephony.demo_pbx.server import Account, AmiServer
from telephony.dialplan import CONTROL_ACCOUNT, EVENTS_ACCOUNT

log = logging.getLogger("zuoxi.demo_pbx")

DEMO = PbxId("demo")
SYSTEM_NAME = "demo"
LOOK_ROUND_SECONDS = 0.25
"""How often it is looked whether somebody should ring now."""

# As asterisk_conf/manager.conf gives them.
EVENTS_READ = frozenset({"system", "call", "agent", "user"})
EVENTS_WRITE = frozenset({"system", "reporting", "call"})
CONTROL_WRITE = frozenset({"call", "originate", "agent", "system", "reporting", "user", "config"})


class DemoPbx:
    """Starts with `start`, ends with `stop`. `folder` is where `queue_log` is written."""

    def __init__(
        self,
        bus: Bus,
        plan: SwitchPlan,
        folder: Path,
        *,
        pbx: PbxId = DEMO,
        colleagues: Collection[str] = (),
        pace: Pace | None = None,
        dice: Random | None = None,
        clock: Clock = time.time,
    ) -> None:
        self._pbx = pbx
        self._colleagues = frozenset(colleagues)
        """Agent numbers."""
        self._lifts_at: dict[str, float] = {}
        """When a colleague lifts, by the channel that rings, on the exchange's clock."""
        self._pace = pace or Pace()
        self._dice = dice or Random()
        self._queue_log = folder / "queue_log"
        self._rows: TextIO | None = None
        self._exchange = Exchange(plan, SYSTEM_NAME, clock)
        self._script = parts.script()
        self._accounts = (
            Account(
                user=EVENTS_ACCOUNT,
                secret=secrets.token_urlsafe(24),
                read=EVENTS_READ,
                write=EVENTS_WRITE,
            ),
            Account(
                user=CONTROL_ACCOUNT,
                secret=secrets.token_urlsafe(24),
                read=frozenset(),
                write=CONTROL_WRITE,
            ),
        )
        self._server = AmiServer(self._exchange, self._accounts, self._hang_up, self._send_away)
        self._calls: dict[Call, asyncio.Task[None]] = {}
        self._schedule: asyncio.Task[None] | None = None
        self._next_at = 0.0
        bus.answer(LiftPhone, self._lift)
        bus.answer(PutDownPhone, self._put_down)

    async def start(self) -> PbxUrl:
        """Where to connect to: real values of a loopback port, with secrets made just now."""
        self._open_queue_log()
        port = await self._server.start()
        self._schedule = asyncio.create_task(self._ring_now_and_then())
        events, control = self._accounts
        return PbxUrl(
            pbx=self._pbx,
            host="127.0.0.1",
            port=port,
            user=events.user,
            secret=events.secret,
            control_user=control.user,
            control_secret=control.secret,
            queue_log=self._queue_log,
            demo=True,
        )

    async def stop(self) -> None:
        tasks = [task for task in (self._schedule, *self._calls.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.stop()
        if self._rows is not None:
            self._rows.close()
            self._rows = None

    def ring(self, caller: Caller, patience: Patience | None = None) -> Call:
        """Somebody rings now, beside the schedule."""
        patience = patience or self._pace.patience(self._dice)
        call = Call(self._exchange, self._script, caller, patience)
        self._calls[call] = task = asyncio.create_task(call.run())
        task.add_done_callback(lambda done: self._ended(call, done))
        return call

    # --- calls ------------------------------------------------------------------------------------

    async def _ring_now_and_then(self) -> None:
        """One caller for each agent who is signed in, and a pause between two of them.

        The opening is for a visitor: until one is there, colleagues have the regulars.
        """
        opening, others, visitors_before = callers(self._dice), regulars(self._dice), False
        now: Callable[[], float] = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(LOOK_ROUND_SECONDS)
            self._colleagues_lift()
            queues = self._exchange.queues.values()
            agents = {m.interface: m.name for queue in queues for m in queue.members.values()}
            visitors = not self._colleagues.issuperset(agents.values())
            if visitors and not visitors_before:
                self._next_at = now() + self._pace.first
            visitors_before = visitors
            if len(self._calls) < len(agents) and now() >= self._next_at:
                self._pause()
                self.ring(next(opening if visitors else others))

    def _colleagues_lift(self) -> None:
        rung = [
            offer
            for call in self._calls
            for offer in call.line.offers
            if offer.member in self._colleagues
        ]
        now, former = self._exchange.clock(), self._lifts_at
        self._lifts_at = {
            offer.channel: former.get(offer.channel)
            or offer.began + self._dice.uniform(*self._pace.lift)
            for offer in rung
        }
        for offer in rung:
            if now >= self._lifts_at[offer.channel]:
                self._tell(Lifted(offer.interface))

    def _pause(self) -> None:
        gap = self._dice.uniform(*self._pace.gap)
        self._next_at = asyncio.get_running_loop().time() + gap

    def _ended(self, call: Call, task: asyncio.Task[None]) -> None:
        self._calls.pop(call, None)
        if task.cancelled():
            return
        if (wrong := task.exception()) is not None:
            log.error("a call of the demonstration broke", exc_info=wrong)
        self._pause()

    # --- phones -----------------------------------------------------------------------------------

    def _tell(self, happening: Happening) -> bool:
        return any(call.tell(happening) for call in self._calls)

    def _hang_up(self, channel: str, cause: int) -> None:
        self._tell(HungUp(channel, cause))

    def _send_away(self, channel: str) -> None:
        self._tell(SentAway(channel))

    async def _lift(self, command: LiftPhone) -> Done:
        if self._tell(Lifted(command.interface)):
            return Done()
        return Done(refused=f"{command.interface} does not ring")

    async def _put_down(self, command: PutDownPhone) -> Done:
        if self._tell(PutDown(command.interface)):
            return Done()
        return Done(refused=f"{command.interface} has no call")

    # --- queue_log --------------------------------------------------------------------------------

    def _open_queue_log(self) -> None:
        self._queue_log.parent.mkdir(parents=True, exist_ok=True)
        self._rows = self._queue_log.open("a", encoding="utf-8")
        self._exchange.rows_heard_by.append(self._write_row)
        self._exchange.write("NONE", "NONE", "NONE", "QUEUESTART")

    def _write_row(self, row: str) -> None:
        if self._rows is not None:
            self._rows.write(row + "\n")
            self._rows.flush()
