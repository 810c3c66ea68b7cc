"""The demonstration plays every story with the same events and rows as the golden trace of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from telephony.demo_pbx import recording
from telephony.demo_pbx.parts import SOURCES, TRACES
from telephony.demo_pbx.recording import Headers, value
from tests.lab.stories import STORIES
from tests.lab.story import Story
from tests.telephony.demo_pbx.client import Session
from tests.telephony.demo_pbx.conftest import Stage, a_stage

GOLDEN = Path(__file__).parents[2] / "traces"
STORY = {story.name: story for story in STORIES}

# What belongs to one playing only, or to where in the dialplan the recording was made.
VARIES = {"Timestamp", "SystemName", "Priority", "DestPriority", "LoginTime", "LastCall"}
# Told by other threads of Asterisk than the rest: which state it already shows is chance.
RACES = {
    *("DestChannelState", "DestChannelStateDesc", "DestConnectedLineName"),
    *("InCall", "RingTime", "HoldTime", "TalkTime"),
}


def kinds(events: list[Headers]) -> Counter[str]:
    """Events with all their headers, ids replaced by who it is, in no order."""
    names = roles(events)
    return Counter(
        " ".join(f"{h}={names.get(t, t)}" if compared(event, h) else h for h, t in event)
        for event in events
    )


def compared(event: Headers, header: str) -> bool:
    cancelled = header == "ConnectedLineNum" and value(event, "DialStatus") == "CANCEL"
    return header not in VARIES | RACES and not cancelled


def roles(events: list[Headers]) -> dict[str, str]:
    """Channel names and Uniqueids → whose they are, for instance `seat 8001's 2nd`."""
    found: dict[str, str] = {}
    for event in events:
        if value(event, "Event") == "Newchannel":
            channel, unique_id = value(event, "Channel") or "", value(event, "Uniqueid") or ""
            owner = channel.rpartition("-")[0]
            nth = sum(name.startswith(owner) for name in found.values())
            found |= {channel: f"{owner}#{nth // 2}", unique_id: f"{owner}#{nth // 2} id"}
        if value(event, "Event") == "BridgeCreate":
            found[value(event, "BridgeUniqueid") or ""] = "bridge"
    return found


def of_the_call(events: tuple[Headers, ...] | list[Headers]) -> list[Headers]:
    names = [value(event, "Event") for event in events]
    return list(events[names.index("Newchannel") :])


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with a_stage(tmp_path) as found:
        yield found


async def sign_in(stage: Stage, story: Story) -> None:
    async with stage.pbx.session("control") as control:
        await control.login()
        for member in story.members:
            interface = f"PJSIP/{member.seat}"
            (said,) = await control.ask(
                f"Action: QueueAdd\nQueue: {member.queue}\nInterface: {interface}\n"
                f"StateInterface: {interface}\nMemberName: {member.agent}"
            )
            assert value(said, "Response") == "Success"


async def caller_hangs_up(stage: Stage, events: Session) -> None:
    await stage.pbx.lift("PJSIP/8001")
    await ends(events)


async def agent_hangs_up(stage: Stage, events: Session) -> None:
    await stage.pbx.lift("PJSIP/8001")
    await events.event("AgentConnect")
    await stage.put_down("PJSIP/8001")
    await ends(events)


async def nobody_lifts(stage: Stage, events: Session) -> None:
    await ends(events)


async def second_lifts(stage: Stage, events: Session) -> None:
    await events.until(lambda: rung(events) == 2)
    await caller_hangs_up(stage, events)


async def first_refuses(stage: Stage, events: Session) -> None:
    await stage.put_down("PJSIP/8101")
    await second_lifts(stage, events)


async def all_ring(stage: Stage, events: Session) -> None:
    await events.until(lambda: rung(events) == 3)
    await caller_hangs_up(stage, events)


def rung(events: Session) -> int:
    return sum(value(m, "Event") == "DialState" for m in events.heard)


async def ends(events: Session) -> None:
    """Until as many channels are gone as came."""

    def over() -> bool:
        names = Counter(value(m, "Event") for m in events.heard)
        return names["Hangup"] == names["Newchannel"]

    await events.until(over)


PLAYS: dict[str, Callable[[Stage, Session], Awaitable[None]]] = {
    "answered_caller_hangs_up": caller_hangs_up,
    "answered_agent_hangs_up": agent_hangs_up,
    "abandoned": nobody_lifts,
    "timeout": nobody_lifts,
    "no_answer_then_another": second_lifts,
    "refused": first_refuses,
    "ringall_answered_elsewhere": all_ring,
    "hidden_caller": caller_hangs_up,
}


@pytest.mark.parametrize("name", PLAYS)
async def test_a_story_is_played_as_asterisk_played_it(stage: Stage, name: str) -> None:
    story, golden = STORY[name], recording.read(GOLDEN / name)
    await sign_in(stage, story)
    async with stage.pbx.session("events") as events:
        await events.login()
        await events.event("FullyBooted")
        stage.ring(story, wait=1.2, talk=0.6)
        await events.event("QueueMemberStatus")
        await PLAYS[name](stage, events)
        await asyncio.sleep(0)
        heard = of_the_call(events.heard)
    played, recorded = kinds(heard), kinds(of_the_call(golden.events))
    assert (played - recorded, recorded - played) == (Counter(), Counter())
    assert verbs(stage.pbx.queue_log.read_text()) == verbs(
        (GOLDEN / name / "queue_log").read_text()
    )


def verbs(queue_log: str) -> list[tuple[str, ...]]:
    """Queue, member, what, and how many parameters."""
    rows = [line.split("|") for line in queue_log.splitlines()]
    return [(*row[2:5], str(len(row))) for row in rows if row[4] not in ("QUEUESTART", "ADDMEMBER")]


def test_nothing_is_shipped_that_is_not_played() -> None:
    assert {path.name for path in TRACES.iterdir()} == {story for story, _, _ in SOURCES.values()}
