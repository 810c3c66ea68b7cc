"""Real calls at the door: a better grade waits less, who knows the caller is rung first, and a product that
is down or silent costs nobody his call.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.harness import Product, a_product, wait_until
from tests.journeys.centre import (
    PASSWORD,
    Api,
    extension_of,
    missed_and_back,
    number_of,
    sign_in,
)
from tests.journeys.test_doctor import link_is_up
from tests.lab.asterisk import Laboratory
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Caller, Sipp, callers, phones

pytestmark = pytest.mark.asterisk

HOTLINE = "4001"
GRADES = {"13900000001": "", "13900000002": "C", "13900000003": "B", "13900000004": "A"}
"""In the order in which they call."""


def a_setup(lab: Laboratory) -> str:
    setup: dict[str, Any] = {
        "pbx": "lab",
        "projects": [{"name": "华东售后", "default": True}],
        "queues": [{"name": "support", "title": "售后", "ring_seconds": 5, "wrap_up_seconds": 0}],
        "hotlines": [
            {
                "number": HOTLINE,
                "name": "热线",
                "queue": "support",
                "priorities": {"A": 20, "B": 10},
                "last_agent_days": 30,
            }
        ],
        "seats": [
            {
                "extension": extension_of(place),
                "contact": f"sip:{extension_of(place)}@127.0.0.1:{lab.ports.phones[0]}",
            }
            for place in range(2)
        ],
        "people": [
            {
                "name": f"agent{place}",
                "full_name": f"坐席{place}",
                "agent_number": number_of(place),
                "roles": ["agent"],
                "queues": ["support"],
                "extension": extension_of(place),
                "password": PASSWORD,
            }
            for place in range(2)
        ],
    }
    return yaml.safe_dump(setup, allow_unicode=True)


@dataclass
class Site:
    lab: Laboratory
    product: Product
    api: Api

    @contextmanager
    def calling(self, number: str, talk_ms: int | None = 600) -> Iterator[Sipp]:
        behaviour = CallerBehaviour(talk_ms=talk_ms)
        with callers(self.lab, HOTLINE, [Caller(number=number)], behaviour) as call:
            yield call

    def calls(self, number: str, talk_ms: int = 600) -> dict[str, Any]:
        """Somebody calls and talks; the call's row, once it has ended."""
        before = len(self.ended(number))
        with self.calling(number, talk_ms) as call:
            call.wait(20)
        wait_until("the call has its end", lambda: len(self.ended(number)) > before, 10)
        return self.ended(number)[0]

    def ended(self, number: str) -> list[dict[str, Any]]:
        """The latest first."""
        return [
            call
            for call in self.api.calls()
            if call["caller_number_raw"] == number
            and call["ended_at"]
            and all(one["outcome"] for one in call["passes"])
        ]

    def waiting(self) -> int:
        return next(
            (
                q["waiting"]
                for q in self.api.get("/api/v1/live")["queues"]
                if q["queue"] == "support"
            ),
            0,
        )

    def states(self) -> dict[str, str]:
        agents = self.api.get("/api/v1/live")["agents"]
        return {agent["agent"]["number"]: agent["state"] for agent in agents}

    def puts_down(self, extension: str) -> None:
        """Who talks at this phone hangs up."""
        channels = self.lab.rx("core show channels concise")
        (channel,) = re.findall(rf"^(PJSIP/{extension}-\w+)!", channels, re.MULTILINE)
        self.lab.rx(f"channel request hangup {channel}")

    def everybody_is_ready(self, *places: int) -> None:
        wanted = dict.fromkeys(map(number_of, places), "ready")
        wait_until("everybody is ready", lambda: self.states() == wanted, 10)


@pytest.fixture(scope="module")
def site(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as stack:
        lab = stack.enter_context(Laboratory())
        folder = tmp_path_factory.mktemp("door")
        settings = {"ZUOXI_PBX_URLS": lab.url, "ZUOXI_ASTERISK_CONF": str(lab.generated)}
        product = stack.enter_context(a_product(folder, settings))
        (folder / "centre.yaml").write_text(a_setup(lab), encoding="utf-8")
        rows = [f"客户{number},{number},{grade}" for number, grade in GRADES.items()]
        (folder / "customers.csv").write_text("\n".join(["姓名,电话,等级", *rows]), "utf-8")
        product.zuoxi("import", "setup", "centre.yaml")
        product.zuoxi("import", "customers", "customers.csv")
        token = product.zuoxi("token", "create", "tests", "--role", "admin").strip()
        product.start()
        api = Api(product, token)
        wait_until("the link is up", lambda: link_is_up(api), 10)
        door = f"127.0.0.1:{product.agi_port}/door?pbx=lab"
        wait_until("the door is told", lambda: door in lab.rx("dialplan show globals"), 10)
        stack.enter_context(phones(lab, PhoneBehaviour(answer_after_ms=200)))
        yield Site(lab, product, api)


def test_a_better_grade_is_served_before_who_waits_longer(site: Site) -> None:
    sign_in(site.product, 0)
    site.everybody_is_ready(0)
    with ExitStack() as stack:
        first = stack.enter_context(site.calling("13900000009", talk_ms=None))
        wait_until("the agent talks", lambda: site.states()[number_of(0)] == "talking", 10)
        waiting = []
        for place, number in enumerate(GRADES, start=1):
            waiting.append(stack.enter_context(site.calling(number, talk_ms=200)))
            wait_until(f"{number} waits", lambda place=place: site.waiting() == place, 10)
        site.puts_down(extension_of(0))
        for call in (first, *waiting):
            call.wait(30)
    wait_until("all have ended", lambda: all(site.ended(number) for number in GRADES), 10)
    answered = {number: site.ended(number)[0]["passes"][0]["answered_at"] for number in GRADES}
    served = [GRADES[number] for number in sorted(GRADES, key=answered.__getitem__)]
    assert served == ["A", "B", "", "C"]


def test_who_talked_with_the_caller_last_is_rung_first_if_ready(site: Site) -> None:
    """rrmemory alone would ring the other one with every second call."""
    sign_in(site.product, 1)
    site.everybody_is_ready(0, 1)
    number = "13900000100"
    mine = site.calls(number)["passes"][0]["agent"]["number"]
    # Whoever took a call without a queue writes it up: a key ends that.
    with missed_and_back(site.product, range(2)):
        for _ in range(2):
            site.everybody_is_ready(0, 1)
            again = site.calls(number)
            assert (again["passes"], again["direction"]) == ([], "inbound")
            agents = [leg["agent"]["number"] for leg in again["legs"] if leg["party"] == "agent"]
            assert agents == [mine]
        site.everybody_is_ready(0, 1)
        with site.calling(number, talk_ms=4000) as busy:
            wait_until("the last agent talks", lambda: site.states()[mine] == "talking", 10)
            with site.calling(number) as second:
                second.wait(15)
            busy.wait(15)
        wait_until("both have ended", lambda: len(site.ended(number)) == 5, 10)
        site.everybody_is_ready(0, 1)
    other = number_of(1) if mine == number_of(0) else number_of(0)
    (taken,) = [call["passes"] for call in site.ended(number)[:2] if call["passes"]]
    assert [one["agent"]["number"] for one in taken] == [other]


def test_strangers_at_the_door_cost_no_caller_his_way(site: Site) -> None:
    """Silent, dribbling, lying: each has a connection of his own, for a second."""
    with ExitStack() as stack, missed_and_back(site.product, range(2)):
        site.everybody_is_ready(0, 1)
        for said in (b"", b"agi_network: yes\n", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 9000) * 15:
            stranger = socket.create_connection(("127.0.0.1", site.product.agi_port))
            stack.enter_context(stranger)
            with contextlib.suppress(OSError):
                stranger.sendall(said)
        assert site.calls("13900000100")["passes"] == []
        site.everybody_is_ready(0, 1)


def test_reconcile_agrees_with_calls_that_came_by_the_door(site: Site) -> None:
    said = site.product.zuoxi(
        "reconcile", "--from", "2026-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z"
    )
    assert said.splitlines()[-1].endswith(" 0 differences")


def connects(site: Site) -> int:
    return site.lab.queue_log.read_text().count("|CONNECT|")


def test_a_silent_product_and_then_a_dead_one_cost_nobody_a_call(site: Site) -> None:
    site.everybody_is_ready(0, 1)
    before = connects(site)
    assert site.product.process is not None
    os.kill(site.product.process.pid, signal.SIGSTOP)
    try:
        with site.calling("13900000100") as call:
            call.wait(15)
    finally:
        os.kill(site.product.process.pid, signal.SIGCONT)
    site.everybody_is_ready(0, 1)
    site.product.kill9()
    with site.calling("13900000100") as call:
        call.wait(15)
    wait_until("both were connected by their queue", lambda: connects(site) == before + 2, 5)
