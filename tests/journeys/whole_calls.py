"""Sixty real calls that do not stay where they began: the book equals queue_log, SIPp's log and CEL.

Held, transferred on the phone and by AMI, picked up, sent on from one queue to the next, placed to
people outside. Two products follow one Asterisk, on SQLite and on PostgreSQL; nobody has signed in.

Not in `make test` yet, but in `make long`: `*8` takes whatever has rung longest, so now and then one of the
four pick-ups finds nobody, and the counts below are not what was sent.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from crm_core.centre.plan import HotlinePlan, QueuePlan
from tests.harness import Product, a_product, wait_until
from tests.journeys import compare_books
from tests.journeys.centre import Api
from tests.lab.ami import Session, add_member
from tests.lab.asterisk import CARRIER, OVERFLOW, Laboratory
from tests.lab.postgres import Postgres
from tests.lab.scenarios import CallerBehaviour, Hold, Keys, PhoneBehaviour, Refer
from tests.lab.sipp import Caller, CallSeen, Sipp, callers, phones

pytestmark = [pytest.mark.asterisk, pytest.mark.postgresql]

SECOND = timedelta(seconds=1)
AT_ONCE = timedelta(milliseconds=50)
"""Between AMI's stamp of a channel and CEL's."""
CARRIERS = "zuoxi-trunk"
SEAT = "127.0.0.1"
BLIND_TO, ATTENDED_TO = "8010", "8009"

PHONES = (
    PhoneBehaviour(answer_after_ms=400),
    PhoneBehaviour(answer_after_ms=400, acts=[Refer(900, BLIND_TO)]),
    PhoneBehaviour(answer_after_ms=400, acts=[Hold(500, 1500)]),
    PhoneBehaviour(
        answer_after_ms=400, acts=[Keys(500, f"*2,{ATTENDED_TO}")], hang_up_after_ms=2000
    ),
    PhoneBehaviour(answer_after_ms=None),
    PhoneBehaviour(answer_after_ms=400),
)
"""By group; the last are people outside."""

MEMBERS: dict[str, Sequence[str]] = {
    "support": ("8001", "8002"),
    "by_ami": ("8003", "8004", "8005"),
    "sales": ("8006", "8007", "8008"),
    "blind": ("8101", "8102", "8103"),
    "holding": ("8201", "8202", "8203"),
    "attended": ("8301", "8302", "8303"),
    "picked": ("8401", "8402"),
    "hurried": ("8406", "8407", "8408"),
}
"""Queue → seats. What happens to a call follows from whose phone answers it."""

HOTLINES = {queue: str(4001 + place) for place, queue in enumerate(MEMBERS)}


@dataclass(frozen=True)
class Batch:
    name: str
    number: str
    count: int
    behaviour: CallerBehaviour
    from_seat: str | None = None
    per_second: float = 1


BATCHES = (
    Batch("plain", HOTLINES["support"], 6, CallerBehaviour(talk_ms=1500)),
    Batch("blind", HOTLINES["blind"], 8, CallerBehaviour(talk_ms=4000)),
    Batch("by_ami", HOTLINES["by_ami"], 6, CallerBehaviour(talk_ms=5000)),
    Batch("holding", HOTLINES["holding"], 10, CallerBehaviour(talk_ms=3500)),
    Batch("attended", HOTLINES["attended"], 8, CallerBehaviour(talk_ms=8000)),
    Batch("overflow", OVERFLOW, 6, CallerBehaviour(talk_ms=1500)),
    # Gone while the second queue looks for somebody, or before.
    Batch("impatient", OVERFLOW, 4, CallerBehaviour(patience_ms=1000)),
    Batch("outbound", "013800138000", 4, CallerBehaviour(talk_ms=1500), from_seat="8009"),
    Batch("internal", "8010", 4, CallerBehaviour(talk_ms=1500), from_seat="8002"),
)
PICK_UPS = 4
CALLS = sum(batch.count for batch in BATCHES) + PICK_UPS


@dataclass
class Hour:
    """What happened, as everybody saw it."""

    lab: Laboratory
    products: dict[str, Product]
    tokens: dict[str, str]
    began_at: datetime
    ended_at: datetime
    by_callers: list[CallSeen]
    by_phones: list[CallSeen]

    def calls(self, database: str) -> list[dict[str, Any]]:
        return Api(self.products[database], self.tokens[database]).calls()

    def period(self) -> list[str]:
        return ["--from", self.began_at.isoformat(), "--to", self.ended_at.isoformat()]


@pytest.fixture(scope="module")
def hour(
    installed: None, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hour]:
    with ExitStack() as stack:
        lab = stack.enter_context(Laboratory())
        lab.stop()
        lab.plan = replace(
            lab.plan,
            queues=tuple(
                QueuePlan(
                    name=queue, title=queue, ring_seconds=20, wrap_up_seconds=0, missed_rings=2
                )
                for queue in MEMBERS
            ),
            hotlines=tuple(HotlinePlan(number=n, queue=queue) for queue, n in HOTLINES.items()),
        )
        lab.configure()
        lab.start()
        folder = tmp_path_factory.mktemp("hour")
        databases = {
            "sqlite": {},
            "postgresql": {"ZUOXI_DATABASE_URL": stack.enter_context(postgres.fresh_database())},
        }
        products = {
            name: stack.enter_context(
                a_product(folder / name, {"ZUOXI_PBX_URLS": lab.url, **environ})
            )
            for name, environ in databases.items()
        }
        tokens = {name: furnish(one) for name, one in products.items()}
        for product in products.values():
            product.start()
        control = stack.enter_context(Session(lab))
        for queue, seats in MEMBERS.items():
            for seat in seats:
                add_member(control, queue, seat, f"1{seat[1:]}")
        ringing = [
            stack.enter_context(phones(lab, behaviour, group=group))
            for group, behaviour in enumerate(PHONES)
        ]
        began_at = datetime.now(UTC).replace(microsecond=0)  # as queue_log cuts its moments
        with transferring(lab, control, MEMBERS["by_ami"]):
            batches = [stack.enter_context(ring(lab, n, one)) for n, one in enumerate(BATCHES)]
            for batch in batches:
                batch.wait(60)
        batches += pick_ups(lab)
        wait_until("all calls are over", lambda: "0 active ch" in channels(lab), 20)
        time.sleep(1.5)  # the last rows of queue_log are on their way
        yield Hour(
            lab=lab,
            products=products,
            tokens=tokens,
            began_at=began_at,
            ended_at=datetime.now(UTC) + SECOND,
            by_callers=[one for batch in batches for one in batch.calls],
            by_phones=[one for group in ringing for one in group.calls],
        )


def furnish(product: Product) -> str:
    """The queues and nobody: the products only follow. The token of a program that sees everything."""
    common = {"strategy": "rrmemory", "ring_seconds": 20, "wrap_up_seconds": 0}
    setup = {
        "pbx": "lab",
        "projects": [{"name": "华东售后", "client": "华东设备", "default": True}],
        "queues": [
            {"name": queue, "title": queue, "project": "华东售后", **common} for queue in MEMBERS
        ],
    }
    product.folder.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(setup, allow_unicode=True)
    (product.folder / "centre.yaml").write_text(text, encoding="utf-8")
    product.zuoxi("import", "setup", "centre.yaml")
    return product.zuoxi("token", "create", "tests", "--role", "admin").strip()


def ring(lab: Laboratory, place: int, batch: Batch) -> Sipp:
    """Each caller has a number of the own, but who dials at a seat."""
    who = [
        Caller(number=batch.from_seat or f"139{1000 * place + each:08}")
        for each in range(batch.count)
    ]
    return callers(
        lab,
        batch.number,
        who,
        batch.behaviour,
        per_second=batch.per_second,
        source=SEAT if batch.from_seat else CARRIER,
    )


def pick_ups(lab: Laboratory) -> list[Sipp]:
    """One after the other: `*8` takes whatever rings."""
    found = []
    for place in range(PICK_UPS):
        who = Caller(number=f"139{90_000_000 + place}")
        with callers(lab, HOTLINES["picked"], [who], CallerBehaviour(talk_ms=1500)) as call:
            wait_until("it rings", lambda: "!Ringing!" in channels(lab), 10)
            behaviour = CallerBehaviour(talk_ms=None)
            with callers(lab, "*8", [Caller(number="8010")], behaviour, source=SEAT) as taking:
                call.wait(20)
                taking.wait(20)
                found += [call, taking]
    return found


def channels(lab: Laboratory) -> str:
    return lab.rx("core show channels concise") + lab.rx("core show channels count")


@contextmanager
def transferring(lab: Laboratory, control: Session, seats: Sequence[str]) -> Iterator[None]:
    """Whatever these seats talk is sent on by AMI after a second, as the desk's button does."""
    over, done = threading.Event(), set()

    def send() -> None:
        while not over.wait(0.2):
            for line in lab.rx("core show channels concise").splitlines():
                parts = line.split("!")
                name, seconds = parts[0], parts[-3]
                mine = name.removeprefix("PJSIP/")[:4] in seats and parts[4] == "Up"
                if mine and int(seconds) >= 1 and name not in done:
                    done.add(name)
                    where = {"Context": "zuoxi-seats", "Exten": BLIND_TO}
                    control.send("BlindTransfer", Channel=name, **where)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()


def test_there_was_something_of_everything(hour: Hour) -> None:
    calls = hour.calls("sqlite")
    outcomes = Counter(one["outcome"] for call in calls for one in call["passes"])
    sent = Counter((one["kind"], one["result"]) for call in calls for one in call["transfers"])
    directions = Counter(call["direction"] for call in calls)
    held = sum(any(leg["hold_seconds"] for leg in call["legs"]) for call in calls)
    print(f"{len(calls)} calls {dict(directions)}, {outcomes}, {sent}, {held} held")  # noqa: T201
    assert len(calls) == CALLS
    assert sent["blind", "succeeded"] == 8 + 6
    assert sent["attended", "succeeded"] == 8
    assert sent["pickup", "succeeded"] == PICK_UPS
    assert outcomes["timeout"] == 6
    assert outcomes["abandoned"] == 4
    assert (directions["outbound"], directions["internal"]) == (4, 4)
    assert held == 10 + 8  # who consults by a key keeps the caller on hold
    assert {call["confidence"] for call in calls} == {"complete"}


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_reconcile_finds_no_difference(hour: Hour, database: str) -> None:
    said = hour.products[database].zuoxi("reconcile", *hour.period())
    print(said.splitlines()[-1])  # noqa: T201
    assert said.splitlines()[-1].endswith(" passes compared, 0 differences"), said


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_an_independent_script_agrees(hour: Hour, database: str) -> None:
    arguments = (hour.products[database].url, hour.tokens[database])
    done = subprocess.run(
        [
            *(sys.executable, compare_books.__file__, str(hour.lab.queue_log), *arguments),
            *(hour.began_at.isoformat(), hour.ended_at.isoformat()),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith(" passes, 0 differences")


def test_per_call_sipp_agrees_on_answered_and_on_the_moments(hour: Hour) -> None:
    by_number = {call["caller_number_raw"]: call for call in hour.calls("sqlite")}
    seen = [one for one in hour.by_callers if one.number and one.number.startswith("139")]
    assert len(seen) == CALLS - 8
    for one in seen:
        call = by_number[one.number]
        first = min(
            (row["answered_at"] for row in call["passes"] if row["answered_at"]), default=None
        )
        assert (one.answered_at is not None) == (first is not None), (one, call)
        assert near(call["started_at"], one.began_at), (one, call)
        if one.answered_at is not None and first is not None:
            assert near(first, one.answered_at), (one, call)
        assert one.ended_at is not None
        assert near(call["ended_at"], one.ended_at), (one, call)


def test_per_phone_sipp_agrees_on_talk_and_hold(hour: Hour) -> None:
    legs = legs_of(hour.calls("sqlite"))
    compared = 0
    for one in hour.by_phones:
        if one.answered_at is None or one.ended_at is None or one.seat not in legs:
            continue
        # Two may ring at one seat within a moment: the caller's number tells them apart.
        mine = [leg for leg in legs[one.seat] if leg["number"] == one.number]
        leg = nearest(mine or legs[one.seat], one.began_at)
        moments = {what: at for at, what in one.acts}
        # A phone that refers stays until it hears what became of it; its talk is over at once.
        over = moments.get("referred", one.ended_at)
        talked = (over - one.answered_at).total_seconds()
        assert abs(leg["talk_seconds"] + leg["hold_seconds"] - talked) <= 1, (one, leg)
        if "resumed" in moments:
            held = (moments["resumed"] - moments["held"]).total_seconds()
            assert abs(leg["hold_seconds"] - held) <= 1, (one, leg)
        compared += 1
    print(f"{compared} phones' calls compared with SIPp")  # noqa: T201
    assert compared >= CALLS - 4 - 4


def test_per_leg_cel_agrees_on_the_seconds_talked(hour: Hour) -> None:
    """CEL is Asterisk's own record of every leg: when it entered a bridge, and left it."""
    legs = legs_of(hour.calls("sqlite"))
    compared = 0
    for device, began_at, talked in bridged(hour.lab):
        if device not in legs or began_at < hour.began_at:
            continue
        leg = nearest(legs[device], began_at, AT_ONCE)
        assert abs(leg["talk_seconds"] + leg["hold_seconds"] - talked) <= 1, (device, leg, talked)
        compared += 1
    print(f"{compared} legs compared with CEL")  # noqa: T201
    # Of each call that was answered the agent's side and who rang, and of each transfer the third.
    assert compared >= 2 * (CALLS - 4 - 8 - PICK_UPS) + 14 + 8


def near(stamp: str, moment: datetime) -> bool:
    return abs(datetime.fromisoformat(stamp) - moment) <= SECOND


def legs_of(calls: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Seat, or the carrier with the number of who rang → its legs."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for call in calls:
        for leg in call["legs"]:
            outside = CARRIERS + (call["caller_number_raw"] or "")
            seat = leg["agent"]["interface"] if leg["agent"] else outside
            number = {"number": call["caller_number_raw"]}
            found[seat.removeprefix("PJSIP/")].append({**leg, **number})
    return found


def nearest(
    legs: list[dict[str, Any]], began_at: datetime, within: timedelta = SECOND
) -> dict[str, Any]:
    def distance(leg: dict[str, Any]) -> timedelta:
        return abs(datetime.fromisoformat(leg["started_at"]) - began_at)

    found = min(legs, key=distance)
    assert distance(found) <= within, (began_at, legs)
    return found


def bridged(lab: Laboratory) -> list[tuple[str, datetime, float]]:
    """Seat or carrier, the moment its channel began, and the seconds that it was in bridges."""
    began: dict[str, tuple[str, float]] = {}
    entered: dict[str, float] = {}
    total: dict[str, float] = defaultdict(float)
    with lab.cel_log.open(encoding="utf-8", errors="replace") as file:
        for what, moment, number, unique_id, _linked, channel, _extra in csv.reader(file):
            if what == "CHAN_START":
                device = channel.removeprefix("PJSIP/").rpartition("-")[0]
                outside = device == CARRIERS
                began[unique_id] = device + number if outside else device, float(moment)
            elif what == "BRIDGE_ENTER":
                entered.setdefault(unique_id, float(moment))
            elif what in ("BRIDGE_EXIT", "CHAN_END") and unique_id in entered:
                total[unique_id] += float(moment) - entered.pop(unique_id)
    return [
        (device, datetime.fromtimestamp(at, UTC), total[unique_id])
        for unique_id, (device, at) in began.items()
        if total[unique_id]
    ]
