"""A floor with wrap-up and missed rings on the laboratory's Asterisk, and an agent's desk by HTTP."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx2
import yaml

from crm_core.centre.plan import HotlinePlan, QueuePlan, SeatPlan, Strategy, SwitchPlan
from tests.harness import Product, a_product, wait_until
from tests.journeys.centre import PASSWORD, Api, extension_of, number_of
from tests.lab.asterisk import Laboratory

QUEUES = (
    QueuePlan(name="support", title="售后支持", ring_seconds=2, wrap_up_seconds=2),
    QueuePlan(
        name="sales", title="销售", strategy=Strategy.RINGALL, ring_seconds=2, wrap_up_seconds=1
    ),
    QueuePlan(
        name="members", title="会员", strategy=Strategy.LEASTRECENT, ring_seconds=2,
        wrap_up_seconds=2,
    ),
)  # fmt: skip
HOTLINES = {"support": "4001", "sales": "4002", "members": "4003"}
EVERY_QUEUE = tuple(HOTLINES)


def a_plan(lab: Laboratory, agents: int, *, belt: bool) -> SwitchPlan:
    """Without the belt Asterisk knows of no wrap-up: what keeps calls away is the product alone."""
    return SwitchPlan(
        queues=QUEUES if belt else tuple(replace(queue, wrap_up_seconds=0) for queue in QUEUES),
        hotlines=tuple(HotlinePlan(number=n, queue=queue) for queue, n in HOTLINES.items()),
        seats=tuple(
            SeatPlan(
                extension=extension_of(place),
                interface=interface_of(place),
                contact=f"sip:{extension_of(place)}@127.0.0.1:{lab.ports.phones[place // 10]}",
            )
            for place in range(agents)
        ),
    )


def interface_of(place: int) -> str:
    return f"PJSIP/{extension_of(place)}"


def a_setup(agents: int) -> str:
    setup: dict[str, Any] = {
        "pbx": "lab",
        "projects": [{"name": "华东售后", "default": True}],
        "queues": [
            {
                "name": queue.name,
                "title": queue.title,
                "strategy": queue.strategy.value,
                "ring_seconds": queue.ring_seconds,
                "wrap_up_seconds": queue.wrap_up_seconds,
            }
            for queue in QUEUES
        ],
        "hotlines": [
            {"number": number, "name": queue, "queue": queue} for queue, number in HOTLINES.items()
        ],
        "seats": [
            {"extension": extension_of(place), "contact": f"sip:{extension_of(place)}@127.0.0.1"}
            for place in range(agents)
        ],
        "people": [
            {
                "name": f"agent{place}",
                "full_name": f"坐席{place}",
                "agent_number": number_of(place),
                "roles": ["agent"],
                "queues": list(EVERY_QUEUE),
                "extension": extension_of(place),
                "password": PASSWORD,
            }
            for place in range(agents)
        ],
    }
    return yaml.safe_dump(setup, allow_unicode=True)


@dataclass
class Floor:
    lab: Laboratory
    product: Product
    token: str

    def agent(self, place: int) -> dict[str, Any] | None:
        """As `/api/v1/live` has it; None: not signed in."""
        agents = Api(self.product, self.token).get("/api/v1/live")["agents"]
        here = [one for one in agents if one["agent"]["number"] == number_of(place)]
        return here[0] if here else None

    def state(self, place: int) -> str:
        agent = self.agent(place)
        return str(agent["state"]) if agent is not None else "offline"

    def until(self, place: int, state: str, seconds: float = 10) -> None:
        wait_until(f"agent {place} is {state}", lambda: self.state(place) == state, seconds)

    def pauses(self, place: int) -> list[str | None]:
        """The reason of the member's pause in each of the three queues, as Asterisk shows it."""
        return pauses(self.lab, interface_of(place))

    def until_paused(self, place: int, reason: str | None, seconds: float = 5) -> None:
        wait_until(
            f"agent {place} is paused by {reason} in three queues; {self.pauses(place)}",
            lambda: self.pauses(place) == [reason] * 3,
            seconds,
        )

    def until_rows(self, place: int, *states: str) -> None:
        """These are all the states of the agent that are recorded."""
        wait_until(
            f"rows {states}; {self.rows(place)}",
            lambda: [state for state, _ in self.rows(place)] == list(states),
            3,
        )

    def rows(self, place: int) -> list[tuple[str, str | None]]:
        """(state, reason) of `agent_states`, oldest first."""
        found = self.database(
            "SELECT state, reason FROM agent_states JOIN users ON users.id = user_id "
            "WHERE users.name = ? ORDER BY began_at",
            f"agent{place}",
        )
        return [(state, reason) for state, reason in found]

    def database(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.product.folder / "zuoxi.db") as connection:
            rows = connection.execute(query, values).fetchall()
        connection.close()
        return rows


def pauses(lab: Laboratory, interface: str) -> list[str | None]:
    """Queue by queue; None: not paused."""
    rows = [row for row in lab.rx("queue show").splitlines() if f"({interface})" in row]
    return [
        found[1] if (found := re.search(r"paused(?::(.*?))? was", row)) else None for row in rows
    ]


@contextmanager
def a_floor(folder: Path, agents: int, *, belt: bool = False) -> Iterator[Floor]:
    """Asterisk and the product, nobody signed in."""
    with ExitStack() as stack:
        lab = stack.enter_context(Laboratory())
        lab.stop()
        lab.plan = a_plan(lab, agents, belt=belt)
        lab.configure()
        lab.start()
        product = stack.enter_context(a_product(folder, {"ZUOXI_PBX_URLS": lab.url}))
        product.folder.mkdir(parents=True, exist_ok=True)
        (product.folder / "floor.yaml").write_text(a_setup(agents), encoding="utf-8")
        product.zuoxi("import", "setup", "floor.yaml")
        token = product.zuoxi("token", "create", "tests", "--role", "admin").strip()
        product.start()
        yield Floor(lab, product, token)


class Desk:
    """One agent's browser, as far as forms go. Leaving it signs out."""

    def __init__(self, floor: Floor, place: int) -> None:
        url = floor.product.url
        self.floor, self.place = floor, place
        self._client = httpx2.Client(base_url=url, headers={"Origin": url}, timeout=20)

    def __enter__(self) -> Self:
        data = {"name": f"agent{self.place}", "password": PASSWORD, **self._hidden("/sign-in")}
        found = self._client.post("/sign-in", data=data)
        assert found.status_code == 303, found.text
        # Browsers send a Secure cookie to http on loopback; this client does not.
        self._client.headers["Cookie"] = found.headers["set-cookie"].partition(";")[0]
        device = {"device": f"lab/{extension_of(self.place)}", **self._hidden("/device")}
        found = self._client.post("/device", data=device)
        assert found.status_code == 303, found.text
        self._csrf = self._hidden("/device")["csrf_token"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            assert self.post("/sign-out") == 303
        self._client.close()

    def pause(self, reason: str) -> int:
        return self.post("/desk/pause", reason=reason)

    def ready(self) -> int:
        return self.post("/desk/ready")

    def extend(self) -> int:
        return self.post("/desk/wrap-up/extend")

    def post(self, path: str, **fields: str) -> int:
        """The status of the answer."""
        headers = {"X-CSRF-Token": self._csrf, "Idempotency-Key": uuid4().hex}
        return int(self._client.post(path, data=fields, headers=headers).status_code)

    def _hidden(self, page: str) -> dict[str, str]:
        text = self._client.get(page).text
        fields = re.findall(r"<input\b[^>]*type=\"hidden\"[^>]*>", text)
        return {
            name[1]: value[1]
            for field in fields
            if (name := re.search(r'name="([^"]*)"', field))
            and (value := re.search(r'value="([^"]*)"', field))
        }
