"""Asterisk dies with calls in every state: each is closed once, as of unknown end, and the gap book says
when nobody looked and which calls that touched."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.harness import Product, a_product, wait_until
from tests.journeys.centre import HOTLINES, Api, a_plan, extension_of, furnish, sign_in
from tests.lab.ami import Session
from tests.lab.asterisk import Laboratory
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Caller, callers, phones

pytestmark = pytest.mark.asterisk

ANSWERING, RINGING = (0, 1, 2), (20, 21)
"""Their phones answer at once; never."""
BETWEEN_SEATS = 3, 4
PATIENT = CallerBehaviour(talk_ms=None)
DIRECT = 1
CALLS = 6 + 4 + DIRECT


@pytest.fixture
def lab(installed: None) -> Iterator[Laboratory]:
    with Laboratory() as found:
        found.stop()
        found.plan = a_plan(found)
        found.configure()
        found.start()
        yield found


def some(begin: int, count: int) -> list[Caller]:
    return [Caller(number=f"137{begin + place:08}", name="钱先生") for place in range(count)]


def states(api: Api) -> Counter[str]:
    """What the live calls do, as /api/v1/live has it."""
    live = api.get("/api/v1/live")
    found = Counter("talk" if call["answered"] else "wait" for call in live["calls"])
    found["agents who are rung"] = sum(agent["state"] == "ringing" for agent in live["agents"])
    return found


def rows(product: Product, sql: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(product.folder / "zuoxi.db") as database:
        found = database.execute(sql).fetchall()
    database.close()
    return found


def test_calls_in_every_state_are_closed_once_when_asterisk_is_killed(
    lab: Laboratory, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("crash")
    with ExitStack() as stack:
        zuoxi = stack.enter_context(a_product(folder, {"ZUOXI_PBX_URLS": lab.url}))
        api = Api(zuoxi, furnish(zuoxi))
        zuoxi.start()
        for place in (*ANSWERING, *RINGING):
            sign_in(zuoxi, place)
        wait_until("members are there", lambda: lab.rx("queue show").count("(dynamic)") == 8, 10)
        with ExitStack() as sip:
            sip.enter_context(phones(lab, PhoneBehaviour(answer_after_ms=200), group=0))
            sip.enter_context(phones(lab, PhoneBehaviour(answer_after_ms=None), group=2))
            began_at = datetime.now(UTC).replace(microsecond=0)
            for hotline, who in (("support", some(0, 6)), ("sales", some(1000, 4))):
                sip.enter_context(callers(lab, HOTLINES[hotline], who, PATIENT, per_second=5))
            with Session(lab) as control:
                control.act(
                    "Originate",
                    Channel=f"PJSIP/{extension_of(BETWEEN_SEATS[0])}",
                    Context="zuoxi-seats",
                    Exten=extension_of(BETWEEN_SEATS[1]),
                    Priority="1",
                    Async="true",
                )
            everybody = {"talk": 3 + DIRECT, "wait": 3 + 4, "agents who are rung": len(RINGING)}
            wait_until("calls in every state", lambda: states(api) == everybody, 15)
            before = datetime.now(UTC)
            lab.kill9()
        time.sleep(1.5)
        lab.start()
        wait_until("the link is up again", lambda: len(rows(zuoxi, "SELECT 1 FROM gaps")) == 1, 15)
        after = datetime.now(UTC)
        wait_until("every call has ended", lambda: len(ended(api)) == CALLS, 10)
        check_each_call(zuoxi, api)
        check_gap_book(api, before, after)
        period = "--from", began_at.isoformat(), "--to", datetime.now(UTC).isoformat()
        said = zuoxi.zuoxi("reconcile", *period)
        assert said.splitlines()[-1] == "10 passes compared, 0 differences"
        check_the_next_call(lab, api, zuoxi)


def ended(api: Api) -> list[dict[str, Any]]:
    return [call for call in api.calls() if call["ended_at"] is not None]


def check_each_call(zuoxi: Product, api: Api) -> None:
    calls = api.calls()
    assert len(calls) == CALLS
    assert {call["confidence"] for call in calls} == {"gap"}
    passes = [one for call in calls for one in call["passes"]]
    assert [one["outcome"] for one in passes] == ["unknown_end"] * 10
    assert api.get("/api/v1/live")["calls"] == []
    talked = [one for one in passes if one["answered_at"] is not None]
    assert len(talked) == 3
    assert all(one["agent"]["number"] in ("1001", "1002", "1003") for one in talked)
    # Once: one closing fact a pass, one end a call.
    assert rows(zuoxi, "SELECT count(*) FROM call_events WHERE kind = 'PassClosed'") == [(10,)]
    assert rows(zuoxi, "SELECT count(*) FROM call_events WHERE kind = 'CallEnded'") == [(CALLS,)]
    assert rows(zuoxi, "SELECT count(*) FROM boots WHERE ended_at IS NULL") == [(1,)]
    assert rows(zuoxi, "SELECT count(*) FROM calls WHERE outcome = 'abandoned'") == [(0,)]


def check_gap_book(api: Api, before: datetime, after: datetime) -> None:
    [gap] = api.get("/api/v1/gaps")["items"]
    assert gap["boot_changed"] is True
    began, ended_at = (datetime.fromisoformat(gap[name]) for name in ("began_at", "ended_at"))
    assert before - timedelta(seconds=5) <= began <= before + timedelta(seconds=0.5)
    assert before < ended_at <= after
    assert gap["calls_touched"] == CALLS
    touched = api.get(gap["calls"])["items"]
    assert {call["call_id"] for call in touched} == {call["call_id"] for call in api.calls()}


def check_the_next_call(lab: Laboratory, api: Api, zuoxi: Product) -> None:
    """Nothing of the former run clings to the next one, whose channels may have the same names."""
    wait_until("members are back", lambda: lab.rx("queue show").count("(dynamic)") == 8, 10)
    with (
        phones(lab, PhoneBehaviour(answer_after_ms=200), group=0),
        callers(lab, HOTLINES["support"], some(5000, 1), CallerBehaviour(talk_ms=500)) as caller,
    ):
        caller.wait(30)
        wait_until("it is in the log", lambda: len(ended(api)) == CALLS + 1, 10)
    wait_until(
        "it is whole",
        lambda: [call["confidence"] for call in api.calls()].count("complete") == 1,
        5,
    )
    assert len(api.get("/api/v1/gaps")["items"]) == 1
