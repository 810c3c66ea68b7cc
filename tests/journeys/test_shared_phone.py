"""One SIP phone, three shifts: it registers with the five values of the seat's page, three agents sit
down at it in turn, forget to sign out, and the product crashes in between. Every call is credited to
who sat there.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
import yaml

from tests.harness import Product, a_product, wait_until
from tests.journeys.centre import PASSWORD, Api
from tests.lab.asterisk import Laboratory
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Caller, callers, phones, register

pytestmark = pytest.mark.asterisk

SEAT, HOTLINE, QUEUE = "8001", "4001", "support"
SECRET = "the-first-secret-of-8001"
AGENTS = {"early": "1001", "late": "1002", "night": "1003"}


def a_setup() -> str:
    setup = {
        "pbx": "lab",
        "projects": [{"name": "售后", "default": True}],
        "queues": [{"name": QUEUE, "title": "售后支持", "ring_seconds": 5, "wrap_up_seconds": 0}],
        "hotlines": [{"number": HOTLINE, "name": "热线", "queue": QUEUE}],
        "seats": [{"extension": SEAT, "secret": SECRET}],
        "people": [
            {
                "name": name,
                "full_name": f"坐席{number}",
                "agent_number": number,
                "roles": ["agent"],
                "queues": [QUEUE],
                "password": PASSWORD,
            }
            for name, number in AGENTS.items()
        ]
        + [{"name": "root", "roles": ["admin"], "password": PASSWORD}],
    }
    return yaml.safe_dump(setup, allow_unicode=True)


class Page:
    """Somebody's browser, without a window: signed in, and its forms."""

    def __init__(self, product: Product, name: str) -> None:
        self._url = product.url
        form = {"name": name, "password": PASSWORD, "next": "/"}
        origin = {"Origin": self._url}
        found = httpx2.post(f"{self._url}/sign-in", data=form, headers=origin)
        assert found.status_code == 303, found.text
        # Browsers send a Secure cookie to http on loopback; this client does not.
        self._headers = {**origin, "Cookie": found.headers["set-cookie"].partition(";")[0]}

    def get(self, path: str) -> str:
        return httpx2.get(f"{self._url}{path}", headers=self._headers).text

    def post(self, path: str, page: str, **form: str) -> httpx2.Response:
        """A form of `page`."""
        token = _found(r'name="csrf-token" content="([^"]*)"', page)
        data = {"csrf_token": token, **form}
        return httpx2.post(f"{self._url}{path}", data=data, headers=self._headers)


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found is not None, (pattern, text)
    return found.group(1).strip()


def sits_down(product: Product, name: str) -> None:
    """At the one phone, whoever has forgotten to leave it; not before it has been hung up."""
    page = Page(product, name)

    def taken() -> bool:
        asked = page.get(f"/device?from=lab/{SEAT}")
        form = {"device": f"lab/{SEAT}"}
        if 'name="from"' in asked:
            form["from"] = _found(r'name="from" value="(\d+)"', asked)
        answer = page.post("/device", asked, **form)
        if "正在通话" in answer.text:
            return False
        assert (answer.status_code, answer.headers.get("location")) == (303, "/desk"), answer.text
        return True

    wait_until("the phone is free to be taken", taken, 10)


@dataclass
class Shifts:
    """The centre, and who sat at the phone when each caller's call was answered."""

    lab: Laboratory
    product: Product
    token: str
    expected: dict[str, str] = field(default_factory=dict)

    def waits_for_member(self, name: str) -> None:
        """Asterisk's queue has the phone under this agent's number, and nobody else."""
        member = re.compile(rf"^\s+(\d+) \(PJSIP/{SEAT}\)", re.MULTILINE)
        wait_until(
            f"{name} is the member",
            lambda: member.findall(self.lab.rx(f"queue show {QUEUE}")) == [AGENTS[name]],
            15,
        )

    @contextmanager
    def a_call(self, credited_to: str, talk_ms: int = 300) -> Iterator[None]:
        """Somebody calls while this agent sits there; the block is left when the call is over."""
        number = f"1380000{len(self.expected):04}"
        self.expected[number] = AGENTS[credited_to]
        behaviour = CallerBehaviour(talk_ms=talk_ms)
        with callers(self.lab, HOTLINE, [Caller(number=number)], behaviour) as caller:
            wait_until(
                "the call is answered",
                lambda: any(one.answered_at is not None for one in caller.calls),
                15,
            )
            yield
            caller.wait(20)

    def calls(self, credited_to: str, count: int = 2) -> None:
        for _ in range(count):
            with self.a_call(credited_to):
                pass

    def crash(self) -> None:
        self.product.kill9()

    def asterisk_was_not_told(self, former: str) -> None:
        """As if the crash had come before the queue heard of the new holder."""
        member = f"member PJSIP/{SEAT}"
        self.lab.rx(f"queue remove {member} from {QUEUE}")
        self.lab.rx(f"queue add {member} to {QUEUE} penalty 0 as {AGENTS[former]}")
        # queue_log cuts its moments to whole seconds: within the second of the take-over nobody could
        # say whose call it was.
        second = math.ceil(time.time())
        wait_until("another second has begun", lambda: time.time() > second, 2)

    def wake(self) -> None:
        self.product.start()

    def credited(self) -> dict[str, list[str | None]]:
        """Caller's number → the agent numbers of its answered passes and of its answered rings."""
        return {
            call["caller_number_raw"]: sorted(
                {
                    one["agent"] and one["agent"]["number"]
                    for stay in call["passes"]
                    for one in (stay, *stay["attempts"])
                    if stay["outcome"] == "answered"
                },
                key=str,
            )
            for call in Api(self.product, self.token).calls()
        }


@pytest.fixture(scope="module")
def shifts(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shifts]:
    """The product writes the seat into the folder that this Asterisk includes."""
    with ExitStack() as stack:
        lab = stack.enter_context(Laboratory())
        folder = tmp_path_factory.mktemp("shifts")
        settings = {
            "ZUOXI_PBX_URLS": f"{lab.url}&sip=127.0.0.1:{lab.ports.sip}",
            "ZUOXI_ASTERISK_CONF": str(lab.generated),
        }
        product = stack.enter_context(a_product(folder, settings))
        (folder / "centre.yaml").write_text(a_setup(), encoding="utf-8")
        product.zuoxi("import", "setup", "centre.yaml")
        token = product.zuoxi("token", "create", "tests", "--role", "admin").strip()
        product.start()
        wait_until("Asterisk has the seat", lambda: has_seat(lab), 15)
        yield Shifts(lab, product, token)


def has_seat(lab: Laboratory) -> bool:
    endpoints = lab.rx("pjsip show endpoints")
    return f" {SEAT}/" in endpoints and " 8101/" not in endpoints


def test_phone_registers_with_exactly_the_five_values_of_the_seats_page(shifts: Shifts) -> None:
    page = Page(shifts.product, "root")
    path = f"/seats/lab/{SEAT}"
    hidden = page.get(path)
    assert SECRET not in hidden
    shown = page.post(f"{path}/show", hidden).text
    value = {
        name: _found(rf'id="sip-{name}">([^<]*)<', shown)
        for name in ("host", "port", "transport", "user", "password", "display")
    }
    assert value["transport"] == "UDP"
    five: dict[str, Any] = {
        "host": value["host"],
        "port": int(value["port"]),
        "user": value["user"],
        "display_name": value["display"],
    }
    with pytest.raises(RuntimeError):
        register(shifts.lab, **five, password="not-the-password")
    assert "Avail" not in shifts.lab.rx("pjsip show contacts")
    register(shifts.lab, **five, password=value["password"])
    assert f"{SEAT}@127.0.0.1:{shifts.lab.ports.phones[0]}" in shifts.lab.rx("pjsip show contacts")


def test_every_call_is_credited_to_who_sat_at_the_phone(shifts: Shifts) -> None:
    began_at = datetime.now(UTC).replace(microsecond=0)
    with phones(shifts.lab, PhoneBehaviour(answer_after_ms=100)):
        sits_down(shifts.product, "early")
        shifts.waits_for_member("early")
        shifts.calls("early")
        # 早班 forgot to sign out.
        sits_down(shifts.product, "late")
        shifts.waits_for_member("late")
        shifts.calls("late")
        with shifts.a_call("late", talk_ms=4000):
            shifts.crash()
        shifts.wake()
        shifts.waits_for_member("late")
        shifts.calls("late", 1)
        # 中班 forgot, too; the product dies before it can tell Asterisk of the new holder.
        sits_down(shifts.product, "night")
        shifts.crash()
        shifts.asterisk_was_not_told("late")
        shifts.calls("night")
        shifts.wake()
        shifts.waits_for_member("night")
        shifts.calls("night")
        shifts.crash()
        shifts.wake()
        # Somebody takes the phone over in the first second after a crash.
        sits_down(shifts.product, "early")
        shifts.waits_for_member("early")
        shifts.calls("early", 1)
    wait_until(
        "everything is recorded",
        lambda: (
            len(shifts.credited()) == len(shifts.expected)
            and all(credited for credited in shifts.credited().values())
        ),
        15,
    )
    wrong = {
        number: (credited, shifts.expected[number])
        for number, credited in shifts.credited().items()
        if credited != [shifts.expected[number]]
    }
    print(f"{len(shifts.expected)} calls, {len(wrong)} credited to the wrong person")  # noqa: T201
    assert wrong == {}
    assert set(shifts.expected.values()) == set(AGENTS.values())
    ended_at = datetime.now(UTC) + timedelta(seconds=1)
    period = ("--from", began_at.isoformat(), "--to", ended_at.isoformat())
    said = shifts.product.zuoxi("reconcile", *period).splitlines()
    assert said[-1] == f"{len(shifts.expected)} passes compared, 0 differences"
