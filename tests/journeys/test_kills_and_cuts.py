"""A hundred real calls while the product is killed twice and its link cut twice: nothing differs
afterwards, and each blind interval is in the gap book."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from tests.harness import Product, a_product, wait_until
from tests.journeys.centre import HOTLINES, Api, a_plan, furnish, sign_in
from tests.lab.asterisk import Laboratory
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Caller, callers, phones

pytestmark = pytest.mark.asterisk

TAKING_CALLS = (0, 1, 2, 3, 4, 20, 21, 22)


def cut_ami(lab: Laboratory) -> int:
    """End every AMI session of the product, as a restart of a switch between the two would."""
    rows = [line.split() for line in lab.rx("manager show connected").splitlines()]
    # Username, IP Address, Start, Elapsed, FileDes, HttpCnt, ReadPerms, WritePerms
    sessions = [row[4] for row in rows if row and row[0].startswith("zuoxi-")]
    for descriptor in sessions:
        lab.rx(f"manager kick session {descriptor}")
    return len(sessions)


@pytest.fixture(scope="module")
def product(
    installed: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Laboratory, Product, str]]:
    with ExitStack() as stack:
        lab = stack.enter_context(Laboratory())
        lab.stop()
        lab.plan = a_plan(lab)
        lab.configure()
        lab.start()
        folder = tmp_path_factory.mktemp("kills")
        found = stack.enter_context(a_product(folder, {"ZUOXI_PBX_URLS": lab.url}))
        token = furnish(found)
        found.start()
        for place in TAKING_CALLS:
            sign_in(found, place)
        for group, answers_after in ((0, 200), (2, 500)):
            behaviour = PhoneBehaviour(answer_after_ms=answers_after)
            stack.enter_context(phones(lab, behaviour, group=group))
        yield lab, found, token


def gaps(product: Product) -> list[tuple[int, int, str]]:
    """(began_at, ended_at, reason) in microseconds, as the table has them."""
    with sqlite3.connect(product.folder / "zuoxi.db") as database:
        found = database.execute("SELECT began_at, ended_at, reason FROM gaps ORDER BY began_at")
        rows = found.fetchall()
    database.close()
    return rows


def test_two_kills_and_two_cuts_during_a_hundred_calls(
    product: tuple[Laboratory, Product, str],
) -> None:
    lab, zuoxi, token = product
    wait_until("members are there", lambda: lab.rx("queue show").count("(dynamic)") == 13, 10)
    began_at = datetime.now(UTC).replace(microsecond=0)  # as queue_log cuts its moments
    with ExitStack() as stack:
        batches = [
            callers(
                lab,
                HOTLINES[queue],
                [Caller(number=f"138{begin + place:08}", name="赵女士") for place in range(count)],
                CallerBehaviour(talk_ms=1500, patience_ms=patience),
                per_second=rate,
            )
            for queue, begin, count, rate, patience in (
                ("support", 0, 50, 2, None),
                ("sales", 1000, 30, 1, None),
                ("hurried", 2000, 20, 1, 1800),
            )
        ]
        for batch in batches:
            stack.enter_context(batch)
        blind: list[tuple[datetime, datetime]] = []
        for fault in ("kill", "cut", "kill", "cut"):
            time.sleep(4)
            before = datetime.now(UTC)
            if fault == "kill":
                zuoxi.kill9()
                time.sleep(1.5)
                zuoxi.start()
            else:
                assert cut_ami(lab) >= 2
            wait_until(
                "the link is up again",
                lambda: link_state(zuoxi, token) == "up" and len(gaps(zuoxi)) == len(blind) + 1,
                15,
            )
            blind.append((before, datetime.now(UTC)))
        for batch in batches:
            batch.wait(90)
    time.sleep(2)
    ended_at = datetime.now(UTC) + timedelta(seconds=1)
    said = zuoxi.zuoxi("reconcile", "--from", began_at.isoformat(), "--to", ended_at.isoformat())
    assert said.splitlines()[-1] == "100 passes compared, 0 differences"
    check_gap_book(zuoxi, blind)
    check_every_call_has_ended(zuoxi, token)


def check_gap_book(zuoxi: Product, blind: list[tuple[datetime, datetime]]) -> None:
    """One row for each fault, which began (a second at most before) and ended within it."""
    rows = gaps(zuoxi)
    assert len(rows) == len(blind)
    for (began, ended, _), (before, after) in zip(rows, blind, strict=True):
        assert before - timedelta(seconds=1.5) <= moment(began) <= after
        assert before <= moment(ended) <= after + timedelta(seconds=0.5)


def check_every_call_has_ended(zuoxi: Product, token: str) -> None:
    api = Api(zuoxi, token)
    calls = api.calls()
    assert len(calls) == 100
    assert [call["call_id"] for call in calls if call["ended_at"] is None] == []
    assert api.get("/api/v1/live")["calls"] == []


def moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)


def link_state(zuoxi: Product, token: str) -> str:
    links = Api(zuoxi, token).get("/api/v1/live")["links"]
    return str(links[0]["state"]) if links else "none"
