"""A transferred call on its page and in the API: recordings of a real Asterisk, told to the product."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from crm_core.events import CallEvent, CallJoined, Event, TransferBegan
from crm_core.ids import CallId
from telephony.calls.replay import facts_of
from telephony.service import OUR_CONTEXTS
from tests.agent_ui.test_api import a_program
from tests.agent_ui.world import PBX, World
from tests.golden import chunks_of

OUTSIDE = "013900139000"


def told(story: str) -> list[Event]:
    """As if it had happened a minute ago."""
    facts = list(facts_of(PBX, chunks_of(story), OUR_CONTEXTS))
    moved = datetime.now(UTC) - timedelta(minutes=1) - facts[0].at
    return [replace(fact, at=fact.at + moved) for fact in facts if isinstance(fact, CallEvent)]


async def happened(world: World, story: str) -> CallId:
    facts = told(story)
    world.tell(facts)
    await world.recorded()
    first = facts[0]
    assert isinstance(first, CallEvent)
    return first.call


async def test_a_transfer_and_the_seconds_of_each_leg_are_in_the_answer(world: World) -> None:
    call = await happened(world, "attended_by_keys")
    one = await (await a_program(world)).get(f"/calls/{call}")

    (sent,) = one["transfers"]
    assert set(sent) == {"kind", "at", "from", "to", "dialled", "result"}
    assert (sent["kind"], sent["dialled"], sent["result"]) == ("attended", "8101", "succeeded")
    assert (sent["from"]["interface"], sent["to"]["interface"]) == ("PJSIP/8001", "PJSIP/8101")
    assert all(
        set(leg)
        == {
            *("party", "agent", "started_at", "ended_at"),
            *("ring_seconds", "talk_seconds", "hold_seconds"),
        }
        for leg in one["legs"]
    )
    caller, sender, expert = one["legs"]
    assert (caller["party"], caller["ring_seconds"]) == ("customer", None)
    assert caller["hold_seconds"] == sender["hold_seconds"] == 4
    assert expert["talk_seconds"] == caller["talk_seconds"] == 3


async def test_a_call_answers_to_the_name_of_the_one_that_it_took_in(world: World) -> None:
    facts = told("attended_by_refer")
    world.tell(facts)
    await world.recorded()
    (join,) = (fact for fact in facts if isinstance(fact, CallJoined))
    program = await a_program(world)

    one = await program.get(f"/calls/{join.other}")
    assert one == await program.get(f"/calls/{join.call}")
    assert (one["call_id"], one["aliases"]) == (join.call, [join.other])
    assert [each["call_id"] for each in (await program.get("/calls"))["items"]] == [join.call]
    page = await (await world.signed_in("wangfang")).get(f"/calls/{join.other}")
    assert page.status_code == 200
    assert join.call in page.text


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh_CN", ["转接", "询问转", "成功", "通话各方", "将对方置于保持", "转接成功"]),
        ("en", ["Transfers", "Attended transfer", "Succeeded", "Parties", "on hold"]),
    ],
)
async def test_the_page_tells_transfers_legs_and_holds(
    world: World, language: str, words: list[str]
) -> None:
    call = await happened(world, "attended_by_keys")
    browser = await world.signed_in("wangfang")
    await browser.post("/language", {"language": language})
    page = (await browser.get(f"/calls/{call}")).text

    assert [word for word in words if word not in page] == []


async def test_a_number_outside_to_which_a_call_was_sent_is_masked_for_who_may_not_reveal(
    world: World,
) -> None:
    facts = [
        replace(fact, to=OUTSIDE) if isinstance(fact, TransferBegan) else fact
        for fact in told("blind_by_ami")
    ]
    world.tell(facts)
    await world.recorded()
    first = facts[0]
    assert isinstance(first, CallEvent)

    one = await (await a_program(world)).get(f"/calls/{first.call}")
    assert one["transfers"][0]["dialled"] == OUTSIDE
    masked = await (await a_program(world, "agent", None)).get(f"/calls/{first.call}")
    assert OUTSIDE not in str(masked)
    assert masked["transfers"][0]["dialled"].endswith("9000")
