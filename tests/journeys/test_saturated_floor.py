"""Three hundred callers, more than thirty agents can take, while these change their minds 500 times.

Asterisk has no wrap-up time of its own here (`a_floor(belt=False)`): what keeps a call away from who
talks or writes is the product's pause. The witness is a third AMI session, and `queue_log`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from telephony.dialplan import EVENTS_ACCOUNT
from tests.harness import wait_until
from tests.journeys.centre import number_of
from tests.journeys.floor import EVERY_QUEUE, HOTLINES, Desk, Floor, a_floor, interface_of
from tests.lab.ami import Session
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Caller, callers, phones

pytestmark = pytest.mark.asterisk

AGENTS = 30
"""0-9 answer quickly, 10-19 never, 20-29 slowly."""
CALLS_EACH, CHANGES = 100, 500
REASONS = ("break", "meal", "training", "meeting")
CROSSING = timedelta(seconds=0.5)
"""A ring that was on its way when an agent chose a pause."""


@dataclass(frozen=True)
class Row:
    """One row of `agent_states`."""

    state: str
    reason: str | None
    began_at: datetime
    ended_at: datetime | None


@dataclass
class Shift:
    """What the witnesses saw."""

    floor: Floor
    desks: list[Desk]
    rung: dict[str, list[datetime]] = field(default_factory=dict)
    """Interface → moments of AgentCalled."""
    connected: int = 0
    changes: int = 0

    def rows(self, place: int) -> list[Row]:
        found = self.floor.database(
            "SELECT state, reason, began_at, ended_at FROM agent_states "
            "JOIN users ON users.id = user_id WHERE users.name = ? ORDER BY began_at",
            f"agent{place}",
        )
        return [Row(state, why, moment(a), moment(b) if b else None) for state, why, a, b in found]


def moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)


def change_minds(shift: Shift, places: Sequence[int], changes: int, seed: int) -> None:
    """Random choices of these agents; who is paused or missed mostly comes back."""
    chance = random.Random(seed)
    away: set[int] = set()
    for _ in range(changes):
        place = chance.choice(places)
        desk = shift.desks[place]
        if place in away or chance.random() < 0.4:
            status = desk.ready()
            away.discard(place)
        elif chance.random() < 0.2:
            status = desk.extend()
        else:
            status = desk.pause(chance.choice(REASONS))
            away.add(place)
        assert status in (204, 409)  # 409: missed, or no wrap-up to extend
        shift.changes += 1
        time.sleep(chance.uniform(0, 0.4))
    for place in places[:-2]:  # the last two stay as they are
        assert shift.desks[place].ready() == 204


def witness(shift: Shift, seen: bytes) -> None:
    for message in seen.split(b"\r\n\r\n"):
        headers = dict(
            line.split(": ", 1)
            for line in message.decode(errors="replace").split("\r\n")
            if ": " in line
        )
        if headers.get("Event") == "AgentCalled":
            at = datetime.fromtimestamp(float(headers["Timestamp"]), UTC)
            shift.rung.setdefault(headers["Interface"], []).append(at)
        shift.connected += headers.get("Event") == "AgentConnect"


def work(floor: Floor, desks: list[Desk]) -> Shift:
    """The calls and the changes, all at once."""
    shift, threads = Shift(floor, desks), 4
    with ExitStack() as stack:
        watching = stack.enter_context(Session(floor.lab, EVENTS_ACCOUNT))
        for group, answers in ((0, 150), (1, None), (2, 500)):
            behaviour = PhoneBehaviour(answer_after_ms=answers)
            stack.enter_context(phones(floor.lab, behaviour, group=group))
        batches = [
            stack.enter_context(
                callers(
                    floor.lab,
                    HOTLINES[queue],
                    [Caller(number=f"13{n}{place:08}", name="王") for place in range(CALLS_EACH)],
                    CallerBehaviour(talk_ms=400),
                    per_second=3,
                )
            )
            for n, queue in enumerate(EVERY_QUEUE)
        ]
        with ThreadPoolExecutor(threads) as pool:
            minds = [
                pool.submit(
                    change_minds, shift, range(n, AGENTS, threads), CHANGES // threads, 7 + n
                )
                for n in range(threads)
            ]
            for mind in minds:
                mind.result(120)
        for batch in batches:
            batch.wait(90)
        watching.quiet()
        witness(shift, bytes(watching.received))
    return shift


@pytest.fixture(scope="module")
def shift(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shift]:
    with a_floor(tmp_path_factory.mktemp("saturated"), AGENTS) as floor, ExitStack() as stack:
        with ThreadPoolExecutor(4) as pool:
            desks = list(pool.map(lambda place: Desk(floor, place), range(AGENTS)))
            list(pool.map(lambda desk: stack.enter_context(desk), desks))
        wait_until(
            "members are there",
            lambda: floor.lab.rx("queue show").count("(dynamic)") == 3 * AGENTS,
            15,
        )
        yield work(floor, desks)


def before(rows: Sequence[Row], at: datetime) -> Row:
    """What the agent did when the phone began to ring."""
    return [row for row in rows if row.began_at < at][-1]


def rung_while(shift: Shift, *states: str) -> list[tuple[int, Row, datetime]]:
    """The rings that came while the agent was so."""
    return [
        (place, row, at)
        for place in range(AGENTS)
        for rows in [shift.rows(place)]
        for at in shift.rung.get(interface_of(place), [])
        if (row := before(rows, at)).state in states
    ]


def test_nothing_is_offered_between_the_answer_and_the_end_of_wrap_up(shift: Shift) -> None:
    assert rung_while(shift, "talking", "wrap_up") == []
    talks = [row for place in range(AGENTS) for row in shift.rows(place) if row.state == "talking"]
    assert (len(talks), shift.connected) == (3 * CALLS_EACH, 3 * CALLS_EACH)
    assert shift.changes == CHANGES


def test_a_missed_ring_never_repeats_on_the_same_agent(shift: Shift) -> None:
    assert rung_while(shift, "missed") == []
    misses = [row for place in range(AGENTS) for row in shift.rows(place) if row.state == "missed"]
    assert len(misses) >= 10  # of ten phones that nobody answers


def test_who_is_paused_is_not_rung(shift: Shift) -> None:
    late = [row for _, row, at in rung_while(shift, "paused") if at - row.began_at > CROSSING]
    assert late == []


def test_rows_follow_each_other_without_a_gap(shift: Shift) -> None:
    for place in range(AGENTS):
        rows = shift.rows(place)
        assert [row.ended_at for row in rows] == [*(row.began_at for row in rows[1:]), None]


def expected_pause(row: Row) -> str | None:
    own = {"ready": None, "missed": "zx:missed", "paused": f"zx:{row.reason}"}
    return own.get(row.state, f"(nobody may be {row.state} now)")


def differences(shift: Shift) -> list[tuple[int, str, list[str | None]]]:
    """Agents whose open row and whose pauses in `queue show` do not agree."""
    found = []
    for place in range(AGENTS):
        row, shown = shift.rows(place)[-1], shift.floor.pauses(place)
        if shown != [expected_pause(row)] * 3:
            found.append((place, row.state, shown))
    return found


def logged(shift: Shift) -> dict[tuple[str, str], str | None]:
    """(queue, agent number) → the pause that `queue_log` tells last; None: unpaused, or added so."""
    found: dict[tuple[str, str], str | None] = {}
    for line in shift.floor.lab.queue_log.read_text().splitlines():
        _, _, queue, agent, verb, *rest = line.split("|")
        if verb in ("ADDMEMBER", "UNPAUSE"):
            found[queue, agent] = None
        elif verb == "PAUSE":
            found[queue, agent] = rest[0] if rest else ""
        elif verb == "REMOVEMEMBER":
            found.pop((queue, agent), None)
    return found


def test_states_members_and_pauses_agree_in_all_three_books(shift: Shift) -> None:
    wait_until("rows = queue show", lambda: differences(shift) == [], 10)
    told = logged(shift)
    for place in range(AGENTS):
        for queue in EVERY_QUEUE:
            assert told[queue, number_of(place)] == expected_pause(shift.rows(place)[-1])


def test_they_agree_after_the_product_was_killed_and_after_asterisk_was(shift: Shift) -> None:
    floor = shift.floor
    before = [shift.rows(place)[-1] for place in range(AGENTS)]
    assert {row.state for row in before} > {"ready"}  # some are paused or missed
    floor.product.kill9()
    floor.lab.rx(f"queue unpause member {interface_of(AGENTS - 1)}")  # nobody looks
    floor.product.start()
    wait_until("after the product's death", lambda: differences(shift) == [], 15)
    floor.lab.kill9()
    floor.lab.start()
    wait_until("after Asterisk's death", lambda: differences(shift) == [], 20)
    after = [shift.rows(place)[-1] for place in range(AGENTS)]
    assert after[:-1] == before[:-1]
    # The last one was unpaused while nobody looked: queue_log tells it, and the pause began anew.
    assert (after[-1].state, after[-1].reason) == (before[-1].state, before[-1].reason)
