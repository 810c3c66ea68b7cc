"""What the other packages ask of Asterisk, as AMI actions; each answered by `Done`.

Doing a thing twice is doing it once: a member that is there already, or gone already, is no fault.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from crm_core.bus import Bus
from crm_core.commands import (
    AddMember,
    ChooseState,
    Command,
    Done,
    ExtendWrapUp,
    HangUp,
    HowLink,
    LinkStands,
    PauseMember,
    RemoveMember,
    UnpauseMember,
)
from crm_core.errors import Invalid, Unavailable
from crm_core.ids import CallId, PbxId
from telephony.ami.actions import Action, Hangup, QueueAdd, QueuePause, QueueRemove, Redirect
from telephony.ami.link import Answer

log = logging.getLogger("zuoxi.telephony")

DONE_ALREADY = ("Already there", "Not there", "No such channel")
"""How Asterisk's messages end when there was nothing left to do (22.10.1)."""


ALWAYS = (PauseMember, UnpauseMember)
"""Done with or without the lease: an agent who went for lunch must not be rung."""

NOT_OURS = (
    "Not done: this Zuoxi has lost its hold on the records and asks for it again. Try once more."
)


class Pbx(Protocol):
    """What a command needs of a PBX: somebody to ask, and the live channels of a call."""

    async def control(self, action: Action) -> Answer: ...
    def channels_of(self, call: CallId) -> tuple[str, ...]: ...
    def leg_channel(self, call: CallId, leg: str) -> str | None: ...
    def pause_of(self, interface: str) -> str | None: ...
    def choose(self, command: ChooseState | ExtendWrapUp) -> Done: ...
    def stands(self) -> LinkStands: ...


class Commands:
    """Answers commands on the bus for every PBX of this process.

    `allowed` says whether this process still has the lease on the records: without it another one may
    be at work, and only what is the same when both do it is done (`ALWAYS`).
    """

    def __init__(self, bus: Bus, allowed: Callable[[], bool] = lambda: True) -> None:
        self.allowed = allowed
        self._pbxs: dict[PbxId, Pbx] = {}
        for kind in _ACTIONS:
            bus.answer(kind, self._do)
        bus.answer(ChooseState, self._choose)
        bus.answer(ExtendWrapUp, self._choose)
        bus.answer(HowLink, self._stands)

    def serve(self, pbx: PbxId, by: Pbx) -> None:
        """From now on commands for this PBX go there."""
        self._pbxs[pbx] = by

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


HANG_UP_CONTEXT = "zuoxi-hang-up"
"""A channel that is sent there hangs up; so it does where an Asterisk has no such context."""


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
}
