"""What the other packages ask of Asterisk, as AMI actions; each answered by `Done`.

Doing a thing twice is doing it once: a member that is there already, or gone already, is no fault.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Protocol

from crm_core.bus import Bus
from crm_core.commands import (
    AddMember,
    AttemptOf,
    ChooseState,
    Command,
    Done,
    ExtendWrapUp,
    HangUp,
    HowLink,
    LinkStands,
    ListenTo,
    OfOwnLeg,
    PauseMember,
    PlaceCall,
    Placed,
    RemoveMember,
    UnpauseMember,
)
from crm_core.errors import Invalid, Unavailable
from crm_core.events import CommandRefused
from crm_core.ids import CallId, PbxId
from telephony.acting import ACTS, placing, steps
from telephony.ami.actions import (
    Action,
    Hangup,
    QueueAdd,
    QueuePause,
    QueueRemove,
    Redirect,
    Setvar,
)
from telephony.ami.link import Answer, NotConnected
from telephony.dialplan import HANG_UP_CONTEXT
from telephony.listening import listen

log = logging.getLogger("zuoxi.telephony")

DONE_ALREADY = ("Already there", "Not there", "No such channel")
"""How Asterisk's messages end when there was nothing left to do (22.10.1)."""


ALWAYS = (PauseMember, UnpauseMember)
"""Done with or without the lease: an agent who went for lunch must not be rung."""

CALL_IS_OVER = "This call has ended, or your phone is not in it any more."
NOT_TO_BE_DIALLED = (
    "This number cannot be dialled from here: it is not among those that the site allows."
)
NO_SUCH_TARGET = "Calls cannot be sent there: look at the list again, or check the number."

SENTENCES: Mapping[str, str] = {
    "Extension does not exist.": NOT_TO_BE_DIALLED,
    "No such channel": CALL_IS_OVER,
    "Did not find": NO_SUCH_TARGET,
    "Channel not found": CALL_IS_OVER,
}
"""How Asterisk's messages begin that people would not understand (22.10.1) → what they read instead."""

NOT_OURS = (
    "Not done: this Zuoxi has lost its hold on the records and asks for it again. Try once more."
)


class Pbx(Protocol):
    """What a command needs of a PBX: somebody to ask, and the live channels of a call."""

    async def control(self, action: Action) -> Answer: ...
    def channels_of(self, call: CallId) -> tuple[str, ...]: ...
    def leg_channel(self, call: CallId, leg: str) -> str | None: ...
    def attempt(self, unique_id: str) -> CallId | None: ...
    def call_to_be(self, unique_id: str) -> CallId | None: ...
    def pause_of(self, interface: str) -> str | None: ...
    def choose(self, command: ChooseState | ExtendWrapUp) -> Done: ...
    def stands(self) -> LinkStands: ...


class Commands:
    """Answers commands on the bus for every PBX of this process.

    `allowed` says whether this process still has the lease on the records: without it another one may
    be at work, and only what is the same when both do it is done (`ALWAYS`).
    """

    def __init__(
        self,
        bus: Bus,
        allowed: Callable[[], bool] = lambda: True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        alone: bool = True,
    ) -> None:
        """`alone`: nobody else serves a PBX, so one that is not here is nowhere."""
        self.allowed, self._bus, self._now = allowed, bus, now
        self._pbxs: dict[PbxId, Pbx] = {}
        if alone:
            self._answer(None)

    def _answer(self, pbx: PbxId | None) -> None:
        for kind in _ACTIONS:
            self._bus.answer(kind, self._do, pbx)
        for act in ACTS:
            self._bus.answer(act, self._act, pbx)
        self._bus.answer(PlaceCall, self._place, pbx)
        self._bus.answer(AttemptOf, self._attempt, pbx)
        self._bus.answer(ChooseState, self._choose, pbx)
        self._bus.answer(ExtendWrapUp, self._choose, pbx)
        self._bus.answer(HowLink, self._stands, pbx)

    def serve(self, pbx: PbxId, by: Pbx) -> None:
        """From now on commands for this PBX go there."""
        self._pbxs[pbx] = by
        self._answer(pbx)

    def at(self, pbx: PbxId) -> Pbx:
        """Who serves this PBX."""
        return self._pbxs[pbx]

    async def _choose(self, command: ChooseState | ExtendWrapUp) -> Done:
        # With or without the lease: what follows of it is a pause, or the end of one.
        pbx = self._pbxs.get(command.pbx)
        return pbx.choose(command) if pbx else Done(refused=f"there is no PBX {command.pbx} here")

    async def _stands(self, asked: HowLink) -> LinkStands | None:
        pbx = self._pbxs.get(asked.pbx)
        return pbx.stands() if pbx is not None else None

    async def _do(self, command: Command) -> Done:
        pbx = self._pbxs.get(command.pbx)
        if pbx is None:
            return Done(refused=f"there is no PBX {command.pbx} here")
        if not isinstance(command, ALWAYS) and not self.allowed():
            return Done(refused=NOT_OURS)
        try:
            actions = _ACTIONS[type(command)](command, pbx)
            for action in actions:
                answer = await pbx.control(action)
                if not answer.ok and isinstance(action, Redirect):
                    # However it is told afterwards: what an agent hangs up must end.
                    answer = await pbx.control(Hangup(channel=action.channel))
                if not answer.ok and not answer.message.endswith(DONE_ALREADY):
                    return Done(refused=answer.message or "Asterisk refused without a reason")
        except (Invalid, Unavailable) as wrong:
            return Done(refused=wrong.detail)
        return Done()

    # --- what the desk does to a call -------------------------------------------------------------

    async def _act(self, command: OfOwnLeg) -> Done:
        refused = await self._acted(command)
        if refused is not None:
            self._refused(command, refused)
        return Done(refused=refused)

    async def _acted(self, command: OfOwnLeg) -> str | None:
        """Why it was not done; None: it was."""
        pbx = self._pbxs.get(command.pbx)
        if pbx is None:
            return f"there is no PBX {command.pbx} here"
        if not self.allowed():
            return NOT_OURS
        channel = pbx.leg_channel(command.call, command.leg)
        if channel is None:
            return CALL_IS_OVER
        left = list(steps(command, channel))
        is_set: set[str] = set()
        """Variables that only one of the steps needs."""
        try:
            while left:
                step = left.pop(0)
                if isinstance(step, float):
                    await asyncio.sleep(step)
                    continue
                if isinstance(step, Setvar):
                    is_set.add(step.variable)
                answer = await pbx.control(step)
                if not answer.ok:
                    return _sentence(answer)
        except (Invalid, Unavailable) as wrong:
            return wrong.detail
        finally:
            for step in left:
                # Whatever went wrong: the next key at the phone must not go where this one was to go.
                if isinstance(step, Setvar) and not step.value and step.variable in is_set:
                    with suppress(Invalid, Unavailable):
                        await pbx.control(step)
        return None

    async def _place(self, command: PlaceCall) -> Placed:
        pbx = self._pbxs.get(command.pbx)
        if pbx is None or not self.allowed():
            return Placed(refused=NOT_OURS if pbx else f"there is no PBX {command.pbx} here")
        try:
            answer = await pbx.control(placing(command))
        except NotConnected as wrong:
            if not wrong.sent:
                return self._not_placed(command, wrong.detail)
            return Placed()
        except Invalid as wrong:
            return self._not_placed(command, wrong.detail)
        except Unavailable:  # it was sent, and what became of it nobody knows
            return Placed()
        if not answer.ok:
            return self._not_placed(command, _sentence(answer))
        return Placed(call=pbx.call_to_be(command.attempt))

    def _not_placed(self, command: PlaceCall, why: str) -> Placed:
        self._refused(command, why)
        return Placed(refused=why)

    async def _attempt(self, asked: AttemptOf) -> Placed | None:
        pbx = self._pbxs.get(asked.pbx)
        return Placed(call=pbx.attempt(asked.attempt)) if pbx is not None else None

    def _refused(self, command: Command, why: str) -> None:
        self._bus.publish(
            CommandRefused(
                at=self._now(), pbx=command.pbx, command=type(command).__name__, reason=why
            )
        )


def _sentence(answer: Answer) -> str:
    said = answer.message or "Asterisk refused without a reason"
    return next((ours for its, ours in SENTENCES.items() if said.startswith(its)), said)


def _hang_up(command: HangUp, pbx: Pbx) -> list[Action]:
    if command.leg is not None:
        # AMI's Hangup of an agent's leg is told as the caller's (AgentComplete `caller`,
        # COMPLETECALLER); a leg that is sent away is told as the agent's, by both (22.10.1).
        channel = pbx.leg_channel(command.call, command.leg)
        return [Redirect(channel=channel, context=HANG_UP_CONTEXT)] if channel is not None else []
    return [Hangup(channel=channel) for channel in pbx.channels_of(command.call)]


def _add(command: AddMember, pbx: Pbx) -> list[Action]:
    # Who talks, writes up or is at lunch must not be rung in the moment of being added.
    reason = pbx.pause_of(command.interface)
    return [
        QueueAdd(
            queue=command.queue,
            interface=command.interface,
            member_name=command.agent_number,
            penalty=command.penalty,
            paused=reason is not None,
            reason=reason or "",
        )
    ]


_ACTIONS: Mapping[type[Command], Callable[[Any, Pbx], list[Action]]] = {
    AddMember: _add,
    RemoveMember: lambda command, _: [
        QueueRemove(queue=command.queue, interface=command.interface)
    ],
    PauseMember: lambda command, _: [
        QueuePause(interface=command.interface, paused=True, reason=command.reason)
    ],
    UnpauseMember: lambda command, _: [QueuePause(interface=command.interface, paused=False)],
    HangUp: _hang_up,
    ListenTo: lambda command, _: listen(command),
}
