"""In a calm moment, when everything that was said has been heard: does the live board show the floor?"""

from __future__ import annotations

from collections.abc import Iterator

from crm_core.events import AgentState
from crm_core.ids import BootId, call_id
from crm_core.live_board.board import LiveBoard
from tests.simulation.asterisk import Asterisk
from tests.simulation.floor import Live, Member
from tests.simulation.product import PBX


def board_differs(board: LiveBoard, asterisk: Asterisk) -> Iterator[str]:
    """Calls, who waits, at whom it rings, who talks, and what each agent does."""
    at = f"at {asterisk.clock.now:.1f} s"
    boot = BootId(f"b{int(asterisk.started_at.timestamp())}")
    shown = set(board.calls)
    for live in asterisk.live.values():
        call = call_id(PBX, boot, live.channel.unique_id)
        picture = board.calls.get(call)
        shown.discard(call)
        if picture is None:
            if not _has_just_lifted(live):
                yield f"{at} the board lacks call {live.plan.number}"
            continue
        waits = live.stay.queue if live.stay is not None and live.talker is None else None
        if (picture.waiting.queue if picture.waiting else None) != waits:
            yield f"{at} call {live.plan.number} waits in {picture.waiting and picture.waiting.queue} for {waits}"
        rings = sorted(ring.member.interface for ring in live.rings if ring.member.name)
        if sorted(offer.member.interface or "" for offer in picture.offers) != rings:
            yield f"{at} call {live.plan.number} rings at {[offer.member.interface for offer in picture.offers]} for {rings}"
        talks = {talk.member.interface for talk in picture.talks}
        if not _who_must_talk(live) <= talks <= _who_talks(live):
            yield f"{at} call {live.plan.number}: {sorted(map(str, talks))} talk"
    yield from (f"{at} the board shows call {call}, which is over" for call in sorted(shown))
    for member in asterisk.members:
        yield from (f"{at} {said}" for said in _agent_differs(board, asterisk, member))


def _has_just_lifted(live: Live) -> bool:
    """A seat's phone is off the hook, and Dial has not begun: nobody is told of it yet."""
    return live.placed_by is not None and not live.rings and live.talker is None


def _who_talks(live: Live) -> set[str | None]:
    """The agents who are connected."""
    if live.talker is None:
        return set()
    parties = [live.talker, *([live.placed_by] if live.placed_by is not None else [])]
    return {party.interface for party in parties if party.name}


def _who_must_talk(live: Live) -> set[str | None]:
    """A talk between two seats is told as the one's who was rung; outside, as the one's who dialled."""
    if live.talker is None:
        return set()
    party = live.talker if live.talker.name else live.placed_by
    return {party.interface} if party is not None else set()


def _agent_differs(board: LiveBoard, asterisk: Asterisk, member: Member) -> Iterator[str]:
    agent = board.agent_at(PBX, member.interface)
    if agent is None:
        yield f"nobody is at {member.interface}"
        return
    if len([c for c in board.calls_at(PBX, member.interface) if c.talk_of(member.interface)]) > 1:
        yield f"{member.interface} talks in two calls"
    here = [live for live in asterisk.live.values() if _is_at(live, member)]
    # Who dialled before a snapshot found him is not always told as one who talks.
    talks = any(live.talker is member for live in here)
    rings = any(live.talker is None and live.placed_by is not member for live in here)
    if talks and agent.state is not AgentState.TALKING:
        yield f"{member.interface} talks and is {agent.state}"
    elif rings and not talks and agent.state is not AgentState.RINGING:
        yield f"{member.interface} rings and is {agent.state}"
    elif not here and agent.state in (AgentState.TALKING, AgentState.RINGING):
        yield f"{member.interface} is {agent.state}, and nobody is there"


def _is_at(live: Live, member: Member) -> bool:
    rung = any(ring.member is member for ring in live.rings)
    return rung or live.talker is member or live.placed_by is member
