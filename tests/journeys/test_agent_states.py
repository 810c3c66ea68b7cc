"""The agent's state and Asterisk's pauses, on the real one: in step, and again after a kill of either."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.harness import wait_until
from tests.journeys.floor import HOTLINES, Desk, Floor, a_floor, interface_of
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Caller, Sipp, callers, phones

pytestmark = pytest.mark.asterisk

WANG = Caller(number="13800138000", name="王建国")
ANSWERS, NEVER = 0, 10
"""Places of agents: 0-9 have phones that answer quickly, 10-19 phones that nobody answers."""


@pytest.fixture(scope="module")
def floor(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    with (
        a_floor(tmp_path_factory.mktemp("states"), agents=20) as found,
        phones(found.lab, PhoneBehaviour(answer_after_ms=200)),
        phones(found.lab, PhoneBehaviour(answer_after_ms=None), group=1),
    ):
        yield found


@contextmanager
def at_desk(floor: Floor, place: int) -> Iterator[Desk]:
    with Desk(floor, place) as desk:
        floor.until_paused(place, None)
        floor.until(place, "ready")
        yield desk


def rings(floor: Floor, queue: str = "support", talk_ms: int | None = 1000) -> Sipp:
    return callers(floor.lab, HOTLINES[queue], [WANG], CallerBehaviour(talk_ms=talk_ms))


def test_conversation_and_wrap_up_are_pauses_and_rows(floor: Floor) -> None:
    with at_desk(floor, 0), rings(floor, talk_ms=800) as call:
        floor.until(0, "talking")
        floor.until_paused(0, "zx:talking")
        call.wait(10)
        floor.until(0, "wrap_up")
        floor.until_paused(0, "zx:wrap_up", 1.5)
        floor.until(0, "ready", 4)
        floor.until_paused(0, None)
    floor.until_rows(0, "ready", "ringing", "talking", "wrap_up", "ready", "offline")


def test_wrap_up_that_is_ended_early_lets_the_next_call_in_soon(floor: Floor) -> None:
    with at_desk(floor, 1) as desk:
        with rings(floor, talk_ms=500) as call:
            call.wait(10)
        floor.until(1, "wrap_up")
        assert desk.extend() == 204
        time.sleep(2.2)
        assert floor.state(1) == "wrap_up"
        assert desk.extend() == 409
        assert desk.ready() == 204
        with rings(floor, talk_ms=300) as call:
            floor.until(1, "talking", 5)
            call.wait(10)


def test_pause_chosen_during_the_call_comes_after_the_wrap_up(floor: Floor) -> None:
    with at_desk(floor, 2) as desk:
        with rings(floor, talk_ms=900) as call:
            floor.until(2, "talking")
            assert desk.pause("meal") == 204
            assert (floor.agent(2) or {})["next"] == {"state": "paused", "reason": "meal"}
            floor.until_paused(2, "zx:talking")
            call.wait(10)
        floor.until(2, "paused", 6)
        floor.until_paused(2, "zx:meal")
        assert (floor.agent(2) or {})["reason"] == "meal"
        assert desk.ready() == 204
        floor.until_paused(2, None)
    floor.until_rows(2, "ready", "ringing", "talking", "wrap_up", "paused", "ready", "offline")
    assert ("paused", "meal") in floor.rows(2)


def test_missed_ring_never_comes_again_before_one_key(floor: Floor) -> None:
    with at_desk(floor, NEVER) as desk, rings(floor) as call:
        floor.until(NEVER, "missed")
        floor.until_paused(NEVER, "zx:missed")
        assert desk.pause("break") == 409
        time.sleep(3)
        assert [state for state, _ in floor.rows(NEVER)].count("ringing") == 1
        with at_desk(floor, 3):
            call.wait(15)
        assert desk.ready() == 204
        floor.until_paused(NEVER, None)


def test_pause_by_somebody_else_is_a_pause_until_somebody_else_ends_it(floor: Floor) -> None:
    with at_desk(floor, 4):
        floor.lab.rx(f"queue pause member {interface_of(4)} queue support reason lunch")
        floor.until(4, "paused")
        assert (floor.agent(4) or {})["reason"] == "outside"
        floor.until_paused(4, "zx:outside")
        floor.lab.rx(f"queue unpause member {interface_of(4)}")
        floor.until(4, "ready")
        floor.until_paused(4, None)


def test_our_own_pause_that_somebody_else_lifts_is_set_again(floor: Floor) -> None:
    with at_desk(floor, 5) as desk:
        assert desk.pause("break") == 204
        floor.until_paused(5, "zx:break")
        time.sleep(0.6)
        floor.lab.rx(f"queue unpause member {interface_of(5)}")
        floor.until_paused(5, "zx:break")
        assert floor.state(5) == "paused"
        assert desk.ready() == 204
        floor.until_paused(5, None)


def test_killed_in_the_conversation_the_product_comes_back_to_its_wrap_up(floor: Floor) -> None:
    with at_desk(floor, 6), rings(floor, talk_ms=2500) as call:
        floor.until(6, "talking")
        floor.until_paused(6, "zx:talking")
        time.sleep(0.3)  # the row is written
        floor.product.kill9()
        call.wait(10)
        assert floor.pauses(6) == ["zx:talking"] * 3
        floor.product.start()
        floor.until(6, "ready", 10)
        floor.until_paused(6, None)
    floor.until_rows(6, "ready", "ringing", "talking", "wrap_up", "ready", "offline")


def test_killed_in_wrap_up_the_product_comes_back_and_ends_it(floor: Floor) -> None:
    with at_desk(floor, 7) as desk:
        with rings(floor, talk_ms=500) as call:
            call.wait(10)
        floor.until(7, "wrap_up")
        assert desk.extend() == 204
        floor.until_paused(7, "zx:wrap_up")
        time.sleep(0.3)
        floor.product.kill9()
        floor.product.start()
        floor.until(7, "wrap_up")
        assert desk.extend() == 409
        assert desk.pause("meeting") == 204
        floor.until_paused(7, "zx:meeting")
        assert desk.ready() == 204
        floor.until_paused(7, None)


def test_asterisk_that_died_gets_its_members_back_with_their_pauses(floor: Floor) -> None:
    """Added paused: not a moment in which an agent at lunch could be rung."""
    with at_desk(floor, 8) as desk, at_desk(floor, 9):
        assert desk.pause("meal") == 204
        floor.until_paused(8, "zx:meal")
        floor.lab.kill9()
        before = len(floor.lab.queue_log.read_text())
        floor.lab.start()
        floor.until_paused(8, "zx:meal", 15)
        floor.until_paused(9, None, 15)
        rows = [
            row.split("|")[3:5] for row in floor.lab.queue_log.read_text()[before:].splitlines()
        ]
        assert ["1009", "UNPAUSE"] not in rows
        assert ["1009", "ADDMEMBER"] in rows
        floor.until(8, "paused")
        assert desk.ready() == 204
        floor.until_paused(8, None)


def test_conversation_that_died_with_asterisk_has_its_wrap_up_too(floor: Floor) -> None:
    with at_desk(floor, 9):
        with rings(floor, talk_ms=None):
            floor.until(9, "talking")
            floor.until_paused(9, "zx:talking")
            floor.lab.kill9()
        floor.lab.start()
        floor.until(9, "ready", 15)
        floor.until_paused(9, None)
    died = ["ringing", "talking", "wrap_up", "ready", "offline"]
    wait_until("rows", lambda: [state for state, _ in floor.rows(9)][-len(died) :] == died, 3)
