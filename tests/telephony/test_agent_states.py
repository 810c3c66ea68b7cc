"""The agents' states at work: which pauses go to Asterisk and when, and what is believed of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crm_core.centre.plan import QueuePlan, SwitchPlan
from crm_core.commands import AddMember, ChooseState, Done, ExtendWrapUp, KnownAgent
from crm_core.events import (
    AgentSignedIn,
    AgentSignedOut,
    AgentState,
    AgentStateChanged,
    CommandRefused,
    FactsLost,
    LinkState,
    NextStateChosen,
    StateSource,
)
from crm_core.ids import CallId, UserId
from telephony import agent_states
from tests.telephony.a_pbx import (
    A_CALL_ENDS,
    A_CALL_IS_ANSWERED,
    A_CALL_RINGS,
    LAB,
    MEMBER,
    NOW,
    PHONE,
    Site,
    a_site,
    of_channel,
    to_phone,
)
from tests.telephony.ami.scripted import Sent, a_list, an_event, eventually, refused, success

S = AgentState
LI = UserId(1)
SEAT = "PJSIP/8001"
PLAN = SwitchPlan(queues=(QueuePlan(name="support", title="售后", wrap_up_seconds=30),))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with a_site(tmp_path) as found:
        found.records.plan = PLAN
        yield found


def signed_in() -> AgentSignedIn:
    return AgentSignedIn(
        at=NOW,
        pbx=LAB,
        user=LI,
        agent_number="1001",
        name="李敏",
        interface=SEAT,
        queues=("support",),
    )


def a_member(reason: str | None) -> tuple[str, ...]:
    """As QueueStatus shows it; reason None: not paused."""
    paused = "0" if reason is None else "1"
    return (
        "Queue: support",
        "Name: 1001",
        f"Location: {SEAT}",
        "Status: 1",
        f"Paused: {paused}",
        f"PausedReason: {reason or ''}",
    )


def is_paused(reason: str | None) -> bytes:
    paused = "0" if reason is None else "1"
    return an_event(
        "QueueMemberPause",
        *MEMBER,
        "Status: 1",
        f"Paused: {paused}",
        f"PausedReason: {reason or ''}",
    )


def pauses(site: Site) -> list[str | None]:
    """What was asked of Asterisk, None for an unpause."""
    return [
        sent.get("Reason") if sent["Paused"] == "true" else None
        for sent in site.server.of("QueuePause")
    ]


def states(site: Site) -> list[AgentState]:
    return [event.state for event in site.of(AgentStateChanged)]


async def both_up(site: Site) -> None:
    await site.link(LinkState.UP)
    await site.server.until(lambda: len(site.server.of("Login")) == 2)
    await eventually(lambda: len(site.server.of("Ping")) > 1)


def left_in(state: AgentState, **more: Any) -> KnownAgent:
    changed = AgentStateChanged(
        at=NOW - timedelta(seconds=20),
        pbx=LAB,
        user=LI,
        agent_number="1001",
        interface=SEAT,
        state=state,
        source=StateSource.CALL,
        **more,
    )
    return KnownAgent(signed_in=signed_in(), left_in=changed)


def choose(state: AgentState, reason: str | None = None) -> ChooseState:
    return ChooseState(pbx=LAB, user=LI, state=state, reason=reason)


async def test_conversation_pauses_and_the_end_of_wrap_up_unpauses(site: Site) -> None:
    async with site.followed():
        await both_up(site)
        site.bus.publish(signed_in())
        site.asterisk.says(*A_CALL_RINGS, *A_CALL_IS_ANSWERED)
        await site.server.until(lambda: pauses(site) == ["zx:talking"])
        site.asterisk.says(*A_CALL_ENDS)
        await site.server.until(lambda: pauses(site) == ["zx:talking", "zx:wrap_up"])
        site.clock.at = NOW + timedelta(seconds=31)
        await site.server.until(lambda: pauses(site)[2:] == [None])
    assert states(site) == [S.READY, S.RINGING, S.TALKING, S.WRAP_UP, S.READY]
    assert site.of(AgentStateChanged)[-1].at == NOW + timedelta(seconds=30)


async def test_only_the_latest_of_several_wishes_follows_the_one_under_way(site: Site) -> None:
    """Asterisk takes its time for the first; the second is overtaken by the third."""
    waiting: list[Sent] = []

    def later(sent: Sent) -> bytes:
        waiting.append(sent)
        return b""

    async with site.followed():
        await both_up(site)
        site.bus.publish(signed_in())
        site.server.answers["QueuePause"] = later
        for reason in ("break", "meal", "meeting"):
            assert await site.does(choose(S.PAUSED, reason)) == Done()
            await site.server.until(lambda: bool(waiting))
        site.server.answers["QueuePause"] = success
        site.server.say(success(waiting[0]), user="zuoxi-control")
        await site.server.until(lambda: pauses(site) == ["zx:break", "zx:meeting"])


async def test_pause_that_asterisk_refuses_is_told_once_and_asked_again_after_a_snapshot(
    site: Site,
) -> None:
    async with site.followed():
        await both_up(site)
        site.bus.publish(signed_in())
        site.server.answers["QueuePause"] = refused
        site.asterisk.members = [a_member(None)]
        assert await site.does(choose(S.PAUSED, "meal")) == Done()
        assert (await site.fact(CommandRefused)).reason == "Permission denied"
        site.asterisk.says(is_paused(""), is_paused(None))
        await asyncio.sleep(agent_states.CALM_SECONDS + 0.2)
        assert pauses(site) == ["zx:meal"]
        site.server.answers["QueuePause"] = success
        site.asterisk.cuts()
        await site.link(LinkState.UP, 2)
        await site.server.until(lambda: pauses(site) == ["zx:meal"] * 2)


async def test_phone_that_is_in_no_queue_is_added_with_its_pause(site: Site) -> None:
    site.server.answers["QueuePause"] = lambda sent: refused(sent, "Interface not found")
    async with site.followed():
        await both_up(site)
        site.bus.publish(signed_in())
        assert await site.does(choose(S.PAUSED, "meal")) == Done()
        add = AddMember(pbx=LAB, queue="support", interface=SEAT, agent_number="1001")
        assert await site.does(add) == Done()
        (sent,) = site.server.of("QueueAdd")
        assert (sent["Paused"], sent["Reason"]) == ("true", "zx:meal")
        assert pauses(site) == ["zx:meal"]  # asked, and refused: there is no such member yet
        await asyncio.sleep(0.05)
        assert site.of(CommandRefused) == []


async def test_asterisks_pause_of_a_refused_ring_is_lifted(site: Site) -> None:
    auto = is_paused("Auto-Pause")
    ends = (
        an_event("DialEnd", *of_channel(), *to_phone(), "DialStatus: NOANSWER"),
        an_event("AgentRingNoAnswer", *of_channel(), *to_phone(), *MEMBER, "RingTime: 900"),
    )
    async with site.followed():
        await both_up(site)
        site.bus.publish(signed_in())
        site.asterisk.says(*A_CALL_RINGS, *ends, auto)
        await site.fact(AgentStateChanged, 2)
        await asyncio.sleep(0.05)
        assert pauses(site) == []  # refused or not answered: the hang-up of the phone will say
        site.asterisk.says(an_event("Hangup", *of_channel(PHONE), "Cause: 21"))
        await site.server.until(lambda: pauses(site) == [None])
        assert states(site) == [S.READY, S.RINGING, S.READY]


async def test_ring_that_was_not_answered_becomes_a_pause_of_ours(site: Site) -> None:
    ends = (
        an_event("DialEnd", *of_channel(), *to_phone(), "DialStatus: NOANSWER"),
        an_event("AgentRingNoAnswer", *of_channel(), *to_phone(), *MEMBER, "RingTime: 15000"),
        is_paused("Auto-Pause"),
        an_event("Hangup", *of_channel(PHONE), "Cause: 0"),
    )
    async with site.followed():
        await both_up(site)
        site.bus.publish(signed_in())
        site.asterisk.says(*A_CALL_RINGS, *ends)
        await site.server.until(lambda: pauses(site) == ["zx:missed"])
        assert states(site) == [S.READY, S.RINGING, S.MISSED]
        answer = await site.does(choose(S.PAUSED, "meal"))
        assert answer.refused == "You missed a call. Choose ready first."
        assert await site.does(choose(S.READY)) == Done()
        await site.server.until(lambda: pauses(site) == ["zx:missed", None])


async def test_wrap_up_that_ended_while_nobody_looked_is_lifted_after_the_snapshot(
    site: Site,
) -> None:
    """Not before: until then nobody knows whether the agent talks again."""
    site.records.agents = (
        left_in(S.WRAP_UP, call=CallId("a" * 32), due_at=NOW - timedelta(seconds=5)),
    )
    site.asterisk.members = [a_member("zx:wrap_up")]
    asked: list[Sent] = []

    def later(sent: Sent) -> bytes:
        asked.append(sent)
        return b""

    site.server.answers["BridgeList"] = later  # the last list of a snapshot
    async with site.followed():
        await site.server.until(lambda: bool(asked))
        await asyncio.sleep(1.2)  # a tick would have been
        assert (pauses(site), states(site)) == ([], [S.WRAP_UP])
        site.server.say(a_list(asked[0]), user="zuoxi-events")
        await site.server.until(lambda: pauses(site) == [None])
    assert [(one.state, one.at) for one in site.of(AgentStateChanged)][1:] == [
        (S.READY, NOW - timedelta(seconds=5))
    ]


async def test_nothing_is_lifted_while_nobody_hears_what_goes_on(site: Site) -> None:
    """The events' session is away, the control session is not: the agent may be talking again."""
    async with site.followed():
        await both_up(site)
        site.bus.publish(signed_in())
        site.asterisk.says(*A_CALL_RINGS, *A_CALL_IS_ANSWERED, *A_CALL_ENDS)
        await site.server.until(lambda: pauses(site)[-1:] == ["zx:wrap_up"])
        site.server.answers["Login"] = None
        site.asterisk.cuts()
        await site.link(LinkState.DOWN)
        site.clock.at = NOW + timedelta(seconds=31)
        await eventually(lambda: states(site)[-1] is S.READY)
        assert pauses(site)[-1:] == ["zx:wrap_up"]
        site.server.answers["Login"] = site.asterisk.accepts
        site.asterisk.members = [a_member("zx:wrap_up")]
        await site.server.until(lambda: pauses(site)[-1] is None)


async def test_pause_that_asterisk_forgot_is_set_before_anybody_is_offered(site: Site) -> None:
    site.records.agents = (left_in(S.PAUSED, reason="meal"),)
    site.asterisk.members = [a_member(None)]
    async with site.followed():
        await site.link(LinkState.UP)
        await site.server.until(lambda: pauses(site) == ["zx:meal"])
    assert states(site) == [S.PAUSED]


async def test_pause_by_somebody_else_is_told_and_left_to_him(site: Site) -> None:
    async with site.followed():
        await both_up(site)
        site.bus.publish(signed_in())
        site.asterisk.says(an_event("QueueMemberAdded", *MEMBER, "Status: 1", "Paused: 0"))
        site.asterisk.says(is_paused("lunch"))
        await site.fact(AgentStateChanged, 2)
        site.asterisk.says(is_paused(None))
        await site.fact(AgentStateChanged, 3)
    assert [(one.state, one.reason) for one in site.of(AgentStateChanged)] == [
        (S.READY, None),
        (S.PAUSED, "outside"),
        (S.READY, None),
    ]


async def test_states_are_told_again_to_records_that_have_lost_some(site: Site) -> None:
    async with site.followed():
        await both_up(site)
        site.bus.publish(signed_in())
        site.asterisk.says(*A_CALL_RINGS, *A_CALL_IS_ANSWERED)
        await eventually(lambda: states(site)[-1] is S.TALKING)
        assert await site.does(choose(S.PAUSED, "meal")) == Done()
        chosen, shown = site.of(NextStateChosen)[-1], site.of(AgentStateChanged)[-1]
        site.bus.publish(FactsLost(at=NOW, pbx=LAB, began_at=NOW))
        assert site.of(AgentStateChanged)[-1] == shown
        assert len(site.of(AgentStateChanged)) == 4
        again = site.of(NextStateChosen)[-1]
        assert again is not chosen
        assert (again.state, again.reason) == (S.PAUSED, "meal")


async def test_who_signs_in_before_the_records_have_answered_is_heard(site: Site) -> None:
    async with site.followed():
        site.bus.publish(signed_in())
        await site.link(LinkState.UP)
        await eventually(lambda: states(site) == [S.READY])


async def test_who_is_signed_out_or_at_another_pbx_chooses_nothing_here(site: Site) -> None:
    async with site.followed():
        await both_up(site)
        site.bus.publish(signed_in())
        site.bus.publish(
            AgentSignedOut(at=NOW, pbx=LAB, user=LI, agent_number="1001", interface=SEAT, queues=())
        )
        assert states(site) == [S.READY, S.OFFLINE]
        for command in (choose(S.READY), ExtendWrapUp(pbx=LAB, user=LI)):
            assert "not signed in" in str((await site.does(command)).refused)
