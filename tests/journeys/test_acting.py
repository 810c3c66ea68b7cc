"""The call bar and click-to-dial against a real Asterisk: what was asked, what SIPp saw, what the books say."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from tests.harness import wait_until
from tests.journeys.centre import Api, number_of
from tests.journeys.floor import HOTLINES, Desk, Floor, a_floor
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Caller, Sipp, callers, customers, phones

pytestmark = pytest.mark.asterisk

WANG = Caller(number="13800138000", name="王建国")
EXPERT = 10
"""Place of the colleague; seat 8101."""


@pytest.fixture(scope="module")
def floor(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    with a_floor(tmp_path_factory.mktemp("acting"), agents=12) as found:
        yield found


@pytest.fixture(autouse=True)
def lifted(floor: Floor) -> Iterator[None]:
    with (
        phones(floor.lab, PhoneBehaviour(answer_after_ms=200)),
        phones(floor.lab, PhoneBehaviour(answer_after_ms=300), group=1),
    ):
        yield


@contextmanager
def a_talk(floor: Floor) -> Iterator[tuple[Desk, Desk, str, Sipp]]:
    """Wang talks with agent 0; agent 10 is ready. Everybody is let go at the end."""
    with Desk(floor, 0) as desk:
        floor.until(0, "ready")
        behaviour = CallerBehaviour(talk_ms=None)
        with callers(floor.lab, HOTLINES["support"], [WANG], behaviour) as caller:
            floor.until(0, "talking")
            with Desk(floor, EXPERT) as expert:
                floor.until(EXPERT, "ready")
                call = live_calls(floor)[0]["call_id"]
                yield desk, expert, call, caller
                hang_everybody_up(floor)
                caller.wait(10)
                wait_until("nobody talks", lambda: not live_calls(floor), 10)


def hang_everybody_up(floor: Floor) -> None:
    floor.lab.rx("channel request hangup all")


def live_calls(floor: Floor) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = Api(floor.product, floor.token).get("/api/v1/live")["calls"]
    return calls


def transfers(floor: Floor, call: str) -> list[tuple[str, str]]:
    """(kind, result) as the log has them, once the call is over."""
    found: dict[str, Any] = {}

    def is_recorded() -> bool:
        found.update(Api(floor.product, floor.token).get(f"/api/v1/calls/{call}"))
        return found["ended_at"] is not None and all(one["result"] for one in found["transfers"])

    wait_until("the call is recorded", is_recorded, 10)
    return [(one["kind"], one["result"]) for one in found["transfers"]]


def test_hold_and_take_back_are_states_and_seconds(floor: Floor) -> None:
    with a_talk(floor) as (desk, _, call, _):
        assert desk.post(f"/calls/{call}/hold") == 204
        floor.until(0, "on_hold")
        floor.until_paused(0, "zx:talking")
        time.sleep(1.1)  # Wang listens to the music
        assert desk.post(f"/calls/{call}/resume") == 204
        floor.until(0, "talking")
    assert transfers(floor, call) == []
    legs = Api(floor.product, floor.token).get(f"/api/v1/calls/{call}")["legs"]
    assert any((leg["hold_seconds"] or 0) > 0 for leg in legs)


def test_a_call_is_sent_to_a_colleague(floor: Floor) -> None:
    with a_talk(floor) as (desk, _, call, _):
        assert desk.post(f"/calls/{call}/transfer", kind="seat", exten="7777") == 409
        assert desk.post(f"/calls/{call}/transfer", kind="seat", exten="8101") == 204
        floor.until(EXPERT, "talking")
        floor.until(0, "wrap_up")
    assert transfers(floor, call) == [("blind", "succeeded")]


def test_a_call_is_sent_to_a_queue(floor: Floor) -> None:
    with a_talk(floor) as (desk, _, call, _):
        assert desk.post(f"/calls/{call}/transfer", kind="queue", exten="sales") == 204
        floor.until(EXPERT, "talking")
    assert transfers(floor, call) == [("blind", "succeeded")]
    passes = Api(floor.product, floor.token).get(f"/api/v1/calls/{call}")["passes"]
    assert [(one["queue"], one["agent"]["number"]) for one in passes] == [
        ("support", number_of(0)),
        ("sales", number_of(EXPERT)),
    ]


def test_a_colleague_is_consulted_and_gets_the_call(floor: Floor) -> None:
    with a_talk(floor) as (desk, _, call, _):
        assert desk.post(f"/calls/{call}/transfer", kind="seat", exten="8101", consult="1") == 204
        floor.until(EXPERT, "talking")
        floor.until(0, "on_hold")
        wait_until("handed over", lambda: desk.post(f"/calls/{call}/complete") == 204, 3)
        floor.until(0, "wrap_up")
        floor.until(EXPERT, "talking")
    assert transfers(floor, call) == [("attended", "succeeded")]


def test_a_consultation_that_comes_back_is_no_transfer(floor: Floor) -> None:
    with a_talk(floor) as (desk, _, call, _):
        assert desk.post(f"/calls/{call}/transfer", kind="seat", exten="8101", consult="1") == 204
        floor.until(EXPERT, "talking")
        assert desk.post(f"/calls/{call}/back") == 204
        floor.until(0, "talking")
        assert desk.post(f"/calls/{call}/complete") == 409
        assert floor.state(0) == "talking"
    assert transfers(floor, call) == [("attended", "returned")]


def dials(floor: Floor, key: str, *, seconds: float = 10) -> httpx2.Response:
    return httpx2.post(
        f"{floor.product.url}/api/v1/calls",
        json={"from_agent": number_of(0), "to": "13911110000", "reason": "回访"},
        headers={"Authorization": f"Bearer {floor.token}", "Idempotency-Key": key},
        timeout=seconds,
    )


def until_answered(outside: Sipp, count: int) -> None:
    wait_until(
        f"customer {count} has answered",
        lambda: sum(one.answered_at is not None for one in outside.calls) == count,
        10,
    )


def test_a_number_is_dialled_at_most_once_whatever_dies_in_between(floor: Floor) -> None:
    with Desk(floor, 0), customers(floor.lab, PhoneBehaviour(answer_after_ms=100)) as outside:
        floor.until(0, "ready")
        first = dials(floor, "calm")
        assert first.status_code == 202, first.text
        assert dials(floor, "calm").json() == first.json()
        until_answered(outside, 1)
        hang_everybody_up(floor)
        floor.until(0, "wrap_up")
        # The row is committed and the wish on its way; Asterisk does not answer, and the product dies.
        os.kill(floor.lab.pid, signal.SIGSTOP)
        try:
            with pytest.raises(httpx2.TimeoutException):
                dials(floor, "killed", seconds=1)
            floor.product.kill9()
        finally:
            os.kill(floor.lab.pid, signal.SIGCONT)
        until_answered(outside, 2)
        floor.product.start()
        answers: list[httpx2.Response] = []

        def is_known() -> bool:
            answers.append(dials(floor, "killed"))
            return answers[-1].status_code == 202

        wait_until("what became of it is known", is_known, 20)
        assert {answer.status_code for answer in answers[:-1]} <= {404, 409, 503}
        floor.until(0, "talking")
        assert {one["call_id"] for one in live_calls(floor)} == {answers[-1].json()["call_id"]}
        hang_everybody_up(floor)
        floor.until(0, "wrap_up")
    assert [one.seat for one in outside.calls] == ["13911110000"] * 2
    call = Api(floor.product, floor.token).get(f"/api/v1/calls/{first.json()['call_id']}")
    assert (call["direction"], call["called_number"]) == ("outbound", "+8613911110000")
    kept = floor.database("SELECT wish, outcome FROM commands ORDER BY id")
    assert kept == [("calm", "done"), ("killed", "done")]


def test_what_the_site_does_not_allow_is_refused_before_anything_rings(floor: Floor) -> None:
    with Desk(floor, 0), phones(floor.lab, group=2):
        floor.until(0, "ready")
        answer = httpx2.post(
            f"{floor.product.url}/api/v1/calls",
            json={"from_agent": number_of(0), "to": "+31612345678"},
            headers={"Authorization": f"Bearer {floor.token}"},
        )
        assert answer.status_code == 409
        assert "not among those that the site allows" in answer.json()["detail"]
        assert floor.state(0) == "ready"


def test_the_books_agree_at_the_end(floor: Floor) -> None:
    period = (
        "--from",
        (datetime.now(UTC) - timedelta(hours=1)).isoformat(),
        "--to",
        (datetime.now(UTC) + timedelta(seconds=1)).isoformat(),
    )
    said = floor.product.zuoxi("reconcile", *period).splitlines()
    print(said[-1])  # noqa: T201
    assert said[-1].endswith("0 differences"), said
