"""Four kinds of process on PostgreSQL and Redis, and a real Asterisk: what one of them loses, the others
keep. Each is killed once, Redis is emptied and away, PostgreSQL is away; the books agree afterwards."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import urlopen

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

from tests.harness import wait_until
from tests.journeys.centre import HOTLINES, Api, a_plan, furnish, sign_in
from tests.journeys.split import SERVICES, Split, a_split
from tests.lab.asterisk import Laboratory
from tests.lab.postgres import Postgres
from tests.lab.redis import RedisServer
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Caller, callers, phones

pytestmark = [pytest.mark.asterisk, pytest.mark.redis, pytest.mark.postgresql]

QUICK, SLOW = (10, 11, 12, 13), (20,)
"""Who answers after a moment (group 1: support), and who lets it ring (group 2: sales)."""


class Installation:
    """The product, the PBX it follows, and the parts below it."""

    def __init__(
        self, lab: Laboratory, split: Split, token: str, postgres: Postgres, redis: RedisServer
    ) -> None:
        self.lab, self.split, self.token = lab, split, token
        self.postgres, self.redis = postgres, redis
        self.api = Api(split, token)

    def link(self) -> dict[str, Any]:
        links = self.api.get("/api/v1/live")["links"]
        found: dict[str, Any] = links[0] if links else {"state": "none", "reason": None}
        return found

    def link_is(self, state: str) -> bool:
        with contextlib.suppress(OSError, AssertionError):
            return bool(self.link()["state"] == state)
        return False

    def readiness(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.load(urlopen(f"{self.split.url}/readyz"))
        return {each["part"]: each for each in answer["parts"]}


@pytest.fixture(scope="module")
def site(
    installed: None, tmp_path_factory: pytest.TempPathFactory, postgres: Postgres
) -> Iterator[Installation]:
    with ExitStack() as stack:
        lab = stack.enter_context(Laboratory())
        lab.stop()
        lab.plan = a_plan(lab)
        lab.configure()
        lab.start()
        redis = stack.enter_context(RedisServer())
        folder = tmp_path_factory.mktemp("split")
        split = stack.enter_context(a_split(folder, lab.url, postgres, redis))
        token = furnish(split)
        split.start()
        for place in (*QUICK, *SLOW):
            sign_in(split, place)
        for group, behaviour in (
            (1, PhoneBehaviour(answer_after_ms=300)),
            (2, PhoneBehaviour(answer_after_ms=9_000)),
        ):
            stack.enter_context(phones(lab, behaviour, group=group))
        wanted = 2 * len(QUICK) + len(SLOW)
        wait_until(
            "members are there", lambda: lab.rx("queue show").count("(dynamic)") == wanted, 10
        )
        yield Installation(lab, split, token, postgres, redis)


@contextmanager
def listening(site: Installation) -> Iterator[list[dict[str, Any]]]:
    """The frames that a program hears; it comes back, with what it heard last, as browsers do."""
    heard: list[dict[str, Any]] = []
    over = threading.Event()

    def listen() -> None:
        while not over.is_set():
            since = next((f"?since={f['seq']}" for f in reversed(heard)), "")
            address = f"ws://127.0.0.1:{site.split.port}/api/v1/events{since}"
            headers = {"Authorization": f"Bearer {site.token}"}
            with (
                contextlib.suppress(OSError, ConnectionClosed, InvalidHandshake, TimeoutError),
                connect(address, additional_headers=headers, max_size=None) as socket,
            ):
                while not over.is_set():
                    with contextlib.suppress(TimeoutError):
                        heard.append(json.loads(socket.recv(timeout=0.2)))
            over.wait(0.1)

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        wait_until("the socket is open", lambda: heard, 5)
        yield heard
    finally:
        over.set()
        thread.join()


def pops(heard: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """(call, attempt) of every pop, those of snapshots too."""
    found = [frame for frame in heard if frame["type"] == "call.offered"]
    found += [pop for frame in heard if frame["type"] == "snapshot" for pop in frame["pops"]]
    return [(one["call"]["call_id"], one["attempt"]) for one in found]


def a_call(site: Installation, queue: str, number: str, **how: int) -> Any:
    return callers(
        site.lab, HOTLINES[queue], [Caller(number=number, name="赵女士")], CallerBehaviour(**how)
    )


def test_a_call_goes_through_four_processes_to_a_pop_and_a_row(site: Installation) -> None:
    parts = site.readiness()
    services = {"service crm_core", "service routing", "service telephony lab", "service agent_ui"}
    assert services <= parts.keys()
    assert all(part["ok"] for part in parts.values()), parts
    with listening(site) as heard, a_call(site, "support", "13800000001", talk_ms=500) as call:
        call.wait(20)
        wait_until("it popped", lambda: pops(heard), 5)
    assert len(pops(heard)) == 1

    def row() -> bool:
        rows = site.api.calls()
        return len(rows) == 1 and rows[0]["passes"][0]["outcome"] == "answered"

    wait_until("its row is whole", row, 5)


def test_a_standby_takes_over_within_five_seconds(site: Installation) -> None:
    site.split.start_service("telephony 2")
    wait_until(
        "it stands by",
        lambda: "1 stand by" in site.readiness()["service telephony lab"]["says"],
        15,
    )
    killed_at = datetime.now(UTC)
    site.split.kill_service("telephony")

    def follows() -> bool:
        link = site.link()
        heard = datetime.fromisoformat(link["heard_until"])
        return link["state"] == "up" and heard > killed_at + timedelta(seconds=0.2)

    left = wait_until("the other one follows Asterisk", follows, 5)
    assert left > 0
    with listening(site) as heard, a_call(site, "support", "13800000002", talk_ms=300) as call:
        call.wait(20)
        wait_until("it popped", lambda: pops(heard), 5)
    site.split.kill_service("telephony 2")
    site.split.start_service("telephony")
    wait_until("the link is up", lambda: site.link_is("up"), 15)


def test_a_ring_is_on_the_screen_soon_after_redis_is_back(site: Installation) -> None:
    with listening(site) as heard, ExitStack() as stack:
        site.redis.stop()
        wait_until("the desk says so", lambda: site.link_is("down"), 5)
        assert site.link()["reason"] == "the bus between the services is away"
        call = stack.enter_context(a_call(site, "sales", "13800000003", talk_ms=300))
        time.sleep(2.0)
        before = len(pops(heard))
        site.redis.start()
        # Two seconds at most on a machine of its own; here eight programs may share two cores.
        left = wait_until("it popped", lambda: len(pops(heard)) > before, 5)
        print(f"popped {5 - left:.2f} s after Redis was back")  # noqa: T201
        wait_until("the link is up", lambda: site.link_is("up"), 5)
        call.wait(30)


def test_every_process_is_killed_redis_emptied_postgresql_away_and_nothing_is_lost(
    site: Installation,
) -> None:
    began_at = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=60)
    numbers = [Caller(number=f"139000000{place:02}", name="钱先生") for place in range(30)]
    with listening(site) as heard, ExitStack() as stack:
        batch = callers(
            site.lab, HOTLINES["support"], numbers, CallerBehaviour(talk_ms=900), per_second=2
        )
        stack.enter_context(batch)
        for service in SERVICES:
            time.sleep(1.0)
            site.split.kill_service(service)
            time.sleep(0.5)
            site.split.start_service(service)
        time.sleep(1.0)
        site.redis.flush()
        time.sleep(1.5)
        site.redis.stop()
        time.sleep(1.0)
        site.redis.start()
        time.sleep(1.0)
        with database_away(site):
            time.sleep(3.0)
        batch.wait(90)
        wait_until("the link is up", lambda: site.link_is("up"), 15)
        wait_until("everything is recorded", lambda: not open_calls(site), 20)
    said = site.split.zuoxi(
        "reconcile",
        "--from", began_at.isoformat(),
        "--to", (datetime.now(UTC) + timedelta(seconds=1)).isoformat(),
        code=None,
    )  # fmt: skip
    assert said.splitlines()[-1].endswith("passes compared, 0 differences"), said
    told = pops(heard)
    assert len(told) == len(set(told)), "a pop came twice"


@contextmanager
def database_away(site: Installation) -> Iterator[None]:
    """Every connection of the product's database is cut, leases among them, and none is let in."""
    name = site.split.environ["ZUOXI_DATABASE_URL"].rpartition("/")[2]
    site.postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    site.postgres.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )
    try:
        yield
    finally:
        site.postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def open_calls(site: Installation) -> list[str]:
    try:
        live = site.api.get("/api/v1/live")["calls"]
        return [each["call_id"] for each in (*live, *site.api.calls()) if not each.get("ended_at")]
    except (OSError, AssertionError):
        return ["unknown"]
