"""Which event touches which region of the desk."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args

import pytest

from agent_ui.desk.view import DeskPage
from agent_ui.live.regions import (
    DRAWINGS,
    EVERY_REGION,
    REGIONS,
    Region,
    regions_changed_by,
)
from agent_ui.rendering import HERE
from crm_core import events
from crm_core.events import (
    AgentState,
    AgentStateChanged,
    CallAnswered,
    CallOffered,
    CallQueued,
    DeviceSeen,
    FeedHeard,
    LinkChanged,
    LinkState,
    Member,
    OfferEnded,
    StateSource,
)
from crm_core.ids import CallId, PbxId, QueuePassKey, UserId
from tests.agent_ui.samples import NOW

PBX = PbxId("east")
CALL = CallId("c" * 32)
PASS = QueuePassKey(unique_id="1.1", queue="vip")


def test_a_ring_touches_the_pop_and_the_state_and_no_half_typed_note() -> None:
    rings = CallOffered(
        at=NOW, pbx=PBX, call=CALL, queue_pass=PASS, attempt=1, member=Member(name="1021")
    )
    touched = regions_changed_by(rings)
    assert Region.SCREEN_POPS in touched
    assert Region.AGENT_STATE in touched
    assert Region.CARDS not in touched


def test_an_answer_takes_the_pop_away_and_opens_bar_and_card() -> None:
    answered = CallAnswered(at=NOW, pbx=PBX, call=CALL, queue_pass=PASS, member=Member(name="1021"))
    assert regions_changed_by(answered) >= {Region.SCREEN_POPS, Region.CALL_BAR, Region.CARDS}


def test_somebody_who_waits_touches_the_queue_chips_only() -> None:
    waits = CallQueued(at=NOW, pbx=PBX, call=CALL, queue_pass=PASS, caller_number=None)
    assert regions_changed_by(waits) == {Region.QUEUE_CHIPS}


def test_a_lost_link_touches_everything() -> None:
    assert regions_changed_by(LinkChanged(at=NOW, pbx=PBX, state=LinkState.DOWN)) == EVERY_REGION


def a_state(state: AgentState) -> AgentStateChanged:
    return AgentStateChanged(
        at=NOW,
        pbx=PBX,
        user=UserId(1),
        agent_number="1021",
        interface="PJSIP/8001",
        state=state,
        source=StateSource.CALL,
    )


def test_a_state_touches_the_header_and_the_card_that_says_whether_its_wrap_up_runs() -> None:
    assert regions_changed_by(a_state(AgentState.WRAP_UP)) == {Region.AGENT_STATE, Region.CARDS}
    assert regions_changed_by(a_state(AgentState.RINGING)) == {Region.AGENT_STATE}


def test_a_phone_touches_the_lights_only() -> None:
    seen = DeviceSeen(at=NOW, pbx=PBX, interface="PJSIP/8001", reachable=False)
    assert regions_changed_by(seen) == {Region.CONNECTION}


def test_a_heartbeat_of_a_feed_touches_nothing() -> None:
    heard = FeedHeard(at=NOW, pbx=PBX, feed=events.Feed.AMI)
    assert regions_changed_by(heard) == frozenset()


@pytest.mark.parametrize("event", get_args(events.FromAmi))
def test_every_fact_of_a_call_from_ami_was_thought_of(event: type[events.Event]) -> None:
    # A leg or a first channel is on no desk until it rings, talks or is dialled there.
    silent = {events.CallStarted, events.LegStarted, events.LegEnded}
    assert (event in REGIONS) is (event not in silent)


def test_every_region_has_its_template_and_its_place_on_the_desk() -> None:
    assert set(DRAWINGS) == EVERY_REGION
    places = {field.name: field for field in fields(DeskPage)}
    page = (HERE / "templates/desk/page.html").read_text(encoding="utf-8")
    for drawing in DRAWINGS.values():
        assert (HERE / "templates" / drawing.template).is_file()
        assert drawing.template in page
        assert drawing.variable in places


def test_the_end_of_a_ring_is_told_to_the_list_of_missed_calls() -> None:
    assert Region.MY_CALLS in REGIONS[OfferEnded]
