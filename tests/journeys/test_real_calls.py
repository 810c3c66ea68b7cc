"""Two hundred real calls: the call log equals Asterisk's own, SIPp's own, and an independent look.

One Asterisk, two products beside each other: one on SQLite, where thirty agents sign in, and one on
PostgreSQL that only follows. Both books must equal queue_log.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.harness import Product, a_product, wait_until
from tests.journeys import compare_books
from tests.journeys.centre import (
    AGENTS,
    HOTLINES,
    Api,
    a_plan,
    everybody_signs_in,
    furnish,
    missed_and_back,
    number_of,
)
from tests.lab.asterisk import Laboratory
from tests.lab.postgres import Postgres
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Caller, CallSeen, callers, phones

pytestmark = [pytest.mark.asterisk, pytest.mark.postgresql]

HIDDEN, CHINESE = 12, 40
WITHIN = timedelta(seconds=1)


def some_callers(begin: int, count: int, hidden: int = 0) -> list[Caller]:
    """`count` callers, each with a number of its own; the first `hidden` of them withhold it."""
    return [
        Caller(number=None)
        if place < hidden
        else Caller(number=f"139{begin + place:08}", name="王建国" if place % 3 == 0 else "Smith")
        for place in range(count)
    ]


@dataclass
class Afternoon:
    """What happened, as everybody saw it."""

    lab: Laboratory
    sqlite: Product
    postgresql: Product
    tokens: tuple[str, str]
    began_at: datetime
    ended_at: datetime
    by_callers: list[CallSeen]
    by_phones: list[CallSeen]

    def period(self) -> list[str]:
        return ["--from", self.began_at.isoformat(), "--to", self.ended_at.isoformat()]


@pytest.fixture(scope="module")
def afternoon(
    installed: None, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Afternoon]:
    with ExitStack() as stack:
        lab = stack.enter_context(Laboratory())
        lab.stop()
        lab.plan = a_plan(lab)
        lab.configure()
        lab.start()
        folder = tmp_path_factory.mktemp("afternoon")
        database = stack.enter_context(postgres.fresh_database())
        sqlite = stack.enter_context(a_product(folder / "sqlite", {"ZUOXI_PBX_URLS": lab.url}))
        follower = stack.enter_context(
            a_product(
                folder / "postgresql",
                {"ZUOXI_PBX_URLS": lab.url, "ZUOXI_DATABASE_URL": database},
            )
        )
        tokens = furnish(sqlite), furnish(follower, with_seats=False)
        sqlite.start()
        follower.start()
        everybody_signs_in(sqlite)
        wait_until(
            "Asterisk has all members",
            lambda: lab.rx("queue show").count("(dynamic)") == 20 + 20 + 10,
            10,
        )
        quick = stack.enter_context(phones(lab, PhoneBehaviour(answer_after_ms=300), group=0))
        never = stack.enter_context(phones(lab, PhoneBehaviour(answer_after_ms=None), group=1))
        slower = stack.enter_context(phones(lab, PhoneBehaviour(answer_after_ms=700), group=2))
        began_at = datetime.now(UTC).replace(microsecond=0)  # as queue_log cuts its moments
        batches = [
            callers(lab, HOTLINES["support"], some_callers(0, 90, hidden=HIDDEN), per_second=4),
            callers(lab, HOTLINES["sales"], some_callers(1000, 60), per_second=3),
            # Patient enough to be in the queue however busy this machine is, not to be timed out.
            callers(
                lab,
                HOTLINES["hurried"],
                some_callers(2000, 25),
                CallerBehaviour(patience_ms=1500),
                per_second=1,
            ),
            callers(lab, HOTLINES["hurried"], some_callers(3000, 25), per_second=2),
        ]
        # Those whose phones nobody lifts come back after each miss, and miss again.
        stack.enter_context(missed_and_back(sqlite, range(10, 20)))
        for batch in batches:
            stack.enter_context(batch)
        for batch in batches:
            batch.wait(90)
        time.sleep(2)  # whatever comes must have come
        yield Afternoon(
            lab=lab,
            sqlite=sqlite,
            postgresql=follower,
            tokens=tokens,
            began_at=began_at,
            ended_at=datetime.now(UTC) + timedelta(seconds=1),
            by_callers=[one for batch in batches for one in batch.calls],
            by_phones=[*quick.calls, *never.calls, *slower.calls],
        )


def test_there_was_something_of_everything(afternoon: Afternoon) -> None:
    calls = Api(afternoon.sqlite, afternoon.tokens[0]).calls()
    outcomes = Counter(one["outcome"] for call in calls for one in call["passes"])
    rescued = [
        one
        for call in calls
        for one in call["passes"]
        if one["outcome"] == "answered"
        and any(attempt["result"] == "no_answer" for attempt in one["attempts"])
    ]
    hidden = [call for call in calls if call["caller_number"] is None]
    print(f"{len(calls)} calls: {outcomes}, {len(rescued)} answered after somebody did not")  # noqa: T201
    assert len(calls) == 200
    assert outcomes["abandoned"] >= 20
    assert outcomes["timeout"] >= 20
    assert len(rescued) >= 20
    assert len(hidden) >= 10


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_reconcile_finds_no_difference(afternoon: Afternoon, database: str) -> None:
    product: Product = getattr(afternoon, database)
    said = product.zuoxi("reconcile", *afternoon.period())
    assert said.splitlines()[-1] == "200 passes compared, 0 differences"


@pytest.mark.parametrize("place", [0, 1], ids=["sqlite", "postgresql"])
def test_an_independent_script_agrees(afternoon: Afternoon, place: int) -> None:
    product = (afternoon.sqlite, afternoon.postgresql)[place]
    done = subprocess.run(
        [
            sys.executable,
            compare_books.__file__,
            str(afternoon.lab.queue_log),
            product.url,
            afternoon.tokens[place],
            afternoon.began_at.isoformat(),
            afternoon.ended_at.isoformat(),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["200 passes, 0 differences"], done.stdout + done.stderr
    assert done.returncode == 0


def test_per_call_sipp_agrees_on_answered_on_the_phone_and_on_the_moments(
    afternoon: Afternoon,
) -> None:
    calls = Api(afternoon.sqlite, afternoon.tokens[0]).calls()
    by_number = {call["caller_number_raw"]: call for call in calls if call["caller_number_raw"]}
    seen = [one for one in afternoon.by_callers if one.number is not None]
    assert len(seen) == 200 - HIDDEN
    for one in seen:
        call = by_number[one.number]
        (stay,) = call["passes"]
        assert (one.answered_at is not None) == (stay["outcome"] == "answered"), one
        assert near(stay["entered_at"], one.began_at), (one, stay)
        if one.answered_at is not None:
            assert near(stay["answered_at"], one.answered_at), (one, stay)
            phone = answering_phone(afternoon.by_phones, one.number)
            assert stay["agent"]["interface"] == f"PJSIP/{phone}"
        if one.ended_at is not None:
            assert near(call["ended_at"], one.ended_at), (one, call)


def near(stamp: str, moment: datetime) -> bool:
    return abs(datetime.fromisoformat(stamp) - moment) <= WITHIN


def answering_phone(by_phones: list[CallSeen], number: str | None) -> str | None:
    """The seat whose phone talked with this caller.

    With ringall all ten phones lift at the same moment: one is connected, Asterisk hangs up the
    others at once. Who talked is who talked longest.
    """
    lifted = [one for one in by_phones if one.number == number and one.answered_at is not None]
    return max(lifted, key=talk_of).seat


def talk_of(one: CallSeen) -> timedelta:
    assert one.answered_at is not None
    return (one.ended_at or one.answered_at) - one.answered_at


def test_every_agent_is_credited_under_the_own_number(afternoon: Afternoon) -> None:
    api = Api(afternoon.sqlite, afternoon.tokens[0])
    everything = api.calls()
    for place in range(0, AGENTS, 7):
        number = number_of(place)
        mine = api.calls(agent=number)
        expected = {
            call["call_id"]
            for call in everything
            if any(one["agent"] and one["agent"]["number"] == number for one in call["passes"])
        }
        assert {call["call_id"] for call in mine} == expected


PLANTED: dict[str, Callable[[list[str]], list[str]]] = {
    "missing": lambda rows: [row for row in rows if not row.startswith(first_call(rows))],
    "extra": lambda rows: [*rows, *copied(rows)],
    "agent": lambda rows: changed(rows, "|COMPLETECALLER|", 3, "9999"),
    "outcome": lambda rows: changed(rows, "|ABANDON|", 4, "EXITWITHTIMEOUT"),
    "wait": lambda rows: changed(rows, "|COMPLETECALLER|", 5, "77"),
    "talk": lambda rows: changed(rows, "|COMPLETECALLER|", 6, "77"),
    "queue": lambda rows: moved(rows),
}


@pytest.mark.parametrize("kind", PLANTED)
def test_one_planted_row_is_reported(afternoon: Afternoon, kind: str, tmp_path: Path) -> None:
    rows = afternoon.lab.queue_log.read_text("utf-8", "replace").splitlines()
    planted = tmp_path / "queue_log"
    planted.write_text("\n".join(PLANTED[kind](rows)) + "\n", encoding="utf-8")
    said = afternoon.sqlite.zuoxi(
        "reconcile", *afternoon.period(), "--queue-log", str(planted), code=1
    )
    assert " 1 differences (1 " in said.splitlines()[-1], said
    assert SENTENCES[kind] in said


SENTENCES = {
    "missing": "the call table has this pass, queue_log does not",
    "extra": "queue_log has this pass, the call table does not",
    "agent": "agent is 9999 in queue_log",
    "outcome": "outcome is timeout in queue_log",
    "wait": "wait is 77 in queue_log",
    "talk": "talk is 77 in queue_log",
    "queue": "queue is elsewhere in queue_log",
}


def ended(rows: list[str], verb: str) -> list[str]:
    return next(row.split("|") for row in rows if verb in row)


def first_call(rows: list[str]) -> tuple[str, ...]:
    unique_id = ended(rows, "|COMPLETECALLER|")[1]
    return tuple(row[: row.index("|") + 1] + unique_id for row in rows if f"|{unique_id}|" in row)


def copied(rows: list[str]) -> list[str]:
    unique_id = ended(rows, "|COMPLETECALLER|")[1]
    return [row.replace(unique_id, "lab-1.99") for row in rows if f"|{unique_id}|" in row]


def changed(rows: list[str], verb: str, column: int, value: str) -> list[str]:
    found = ended(rows, verb)
    touched = [*found[:column], value, *found[column + 1 :]]
    return ["|".join(touched) if row == "|".join(found) else row for row in rows]


def moved(rows: list[str]) -> list[str]:
    unique_id = ended(rows, "|COMPLETECALLER|")[1]
    return [
        "|".join([*row.split("|")[:2], "elsewhere", *row.split("|")[3:]])
        if f"|{unique_id}|" in row
        else row
        for row in rows
    ]
