"""A centre of thirty agents on the laboratory's Asterisk, and the API and sign-in as people use them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from typing import Any
from uuid import uuid4

import httpx2
import yaml

from crm_core.centre.plan import HotlinePlan, QueuePlan, SeatPlan, Strategy, SwitchPlan
from tests.harness import Product
from tests.lab.asterisk import Laboratory

AGENTS = 30
PASSWORD = "a-password-of-the-laboratory"
GROUPS = 3
"""Ten seats each: 8001-8010, 8101-8110, 8201-8210; a group is one SIPp that behaves one way."""

QUEUES = (
    QueuePlan(
        name="support", title="售后支持", ring_seconds=2, max_wait_seconds=60, wrap_up_seconds=0
    ),
    QueuePlan(
        name="sales",
        title="销售",
        strategy=Strategy.RINGALL,
        ring_seconds=15,
        max_wait_seconds=60,
        wrap_up_seconds=0,
    ),
    QueuePlan(
        name="hurried", title="短等待", ring_seconds=2, max_wait_seconds=3, wrap_up_seconds=0
    ),
)
HOTLINES = {"support": "4001", "sales": "4002", "hurried": "4003"}

QUEUES_OF_GROUP = (("support", "sales"), ("support", "hurried"), ("sales",))
"""Group 0 answers quickly, group 1 never, group 2 answers more slowly than group 0."""


def extension_of(place: int) -> str:
    """The seat of the n-th agent, from 0."""
    return str(8001 + 100 * (place // 10) + place % 10)


def number_of(place: int) -> str:
    """The agent number of the n-th agent."""
    return str(1001 + place)


def a_plan(lab: Laboratory) -> SwitchPlan:
    return SwitchPlan(
        queues=QUEUES,
        hotlines=tuple(
            HotlinePlan(number=number, queue=queue) for queue, number in HOTLINES.items()
        ),
        seats=tuple(
            SeatPlan(
                extension=extension_of(place),
                interface=f"PJSIP/{extension_of(place)}",
                contact=f"sip:{extension_of(place)}@127.0.0.1:{lab.ports.phones[place // 10]}",
            )
            for place in range(AGENTS)
        ),
    )


def a_setup(*, with_seats: bool = True) -> str:
    """The set-up file. Without seats a second product can follow the same PBX and touch nothing."""
    setup: dict[str, Any] = {
        "pbx": "lab",
        "projects": [{"name": "华东售后", "client": "华东设备", "default": True}],
        "queues": [
            {
                "name": queue.name,
                "title": queue.title,
                "project": "华东售后",
                "strategy": queue.strategy.value,
                "ring_seconds": queue.ring_seconds,
                "max_wait_seconds": queue.max_wait_seconds,
                "wrap_up_seconds": queue.wrap_up_seconds,
            }
            for queue in QUEUES
        ],
        "hotlines": [
            {"number": number, "name": f"热线 {queue}", "greeting": "您好。", "queue": queue}
            for queue, number in HOTLINES.items()
        ],
        "teams": [{"name": "一班", "project": "华东售后"}],
        "people": [
            {
                "name": f"agent{place}",
                "full_name": f"坐席{place}",
                "agent_number": number_of(place),
                "roles": ["agent"],
                "team": "一班",
                "queues": list(QUEUES_OF_GROUP[place // 10]),
                "password": PASSWORD,
                **({"extension": extension_of(place)} if with_seats else {}),
            }
            for place in range(AGENTS)
        ],
    }
    if with_seats:
        setup["seats"] = [
            {"extension": extension_of(place), "contact": f"sip:{extension_of(place)}@127.0.0.1"}
            for place in range(AGENTS)
        ]
    return yaml.safe_dump(setup, allow_unicode=True)


def furnish(product: Product, *, with_seats: bool = True) -> str:
    """Import the set-up; the token of a program that sees everything."""
    product.folder.mkdir(parents=True, exist_ok=True)
    (product.folder / "centre.yaml").write_text(a_setup(with_seats=with_seats), encoding="utf-8")
    product.zuoxi("import", "setup", "centre.yaml")
    return product.zuoxi("token", "create", "tests", "--role", "admin").strip()


def sign_in(product: Product, place: int) -> None:
    """As a browser does it: the page, the form, the device."""
    with httpx2.Client(base_url=product.url, headers={"Origin": product.url}) as client:
        _sign_in(client, place)


def _sign_in(client: httpx2.Client, place: int) -> None:
    found = client.post(
        "/sign-in",
        data={"name": f"agent{place}", "password": PASSWORD, **_hidden(client, "/sign-in")},
    )
    assert found.status_code == 303, found.text
    # Browsers send a Secure cookie to http on loopback; this client does not.
    client.headers["Cookie"] = found.headers["set-cookie"].partition(";")[0]
    device = client.post(
        "/device",
        data={"device": f"lab/{extension_of(place)}", **_hidden(client, "/device")},
    )
    assert (device.status_code, device.headers.get("location")) == (303, "/desk"), device.text


def _hidden(client: httpx2.Client, page: str) -> dict[str, str]:
    """The hidden fields of a page's form: the CSRF token among them."""
    text = client.get(page).text
    fields = re.findall(r"<input\b[^>]*type=\"hidden\"[^>]*>", text)
    return {
        name[1]: value[1]
        for field in fields
        if (name := re.search(r'name="([^"]*)"', field))
        and (value := re.search(r'value="([^"]*)"', field))
    }


def everybody_signs_in(product: Product) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda place: sign_in(product, place), range(AGENTS)))


@contextmanager
def missed_and_back(product: Product, places: Sequence[int]) -> Iterator[None]:
    """These agents press the key that brings them back a second after each missed ring."""
    over = Event()

    def press(place: int) -> None:
        with httpx2.Client(base_url=product.url, headers={"Origin": product.url}) as client:
            _sign_in(client, place)
            token = _hidden(client, "/device")["csrf_token"]
            while not over.wait(1.0):
                headers = {"X-CSRF-Token": token, "Idempotency-Key": uuid4().hex}
                client.post("/desk/ready", headers=headers, timeout=20)

    with ThreadPoolExecutor(len(places)) as pool:
        pressing = [pool.submit(press, place) for place in places]
        try:
            yield
        finally:
            over.set()
        for one in pressing:
            one.result()


@dataclass(frozen=True)
class Api:
    product: Product
    token: str

    def calls(self, **query: str | datetime) -> list[dict[str, Any]]:
        """All pages of /api/v1/calls."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        asked = {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in query.items()
        }
        while True:
            page = self.get("/api/v1/calls", **asked, **({"cursor": cursor} if cursor else {}))
            found += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    def get(self, path: str, **query: str) -> Any:
        answer = httpx2.get(
            self.product.url + path,
            params=query,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()
