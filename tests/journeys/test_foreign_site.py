"""A site of somebody else's making: a hundred and twenty real calls, and nobody there has ever heard of us.

Own dialplan, members behind Local channels, Chinese queue names, no stamps: an AMI account and the path of
`queue_log` are all that Zuoxi gets. Nobody signs in; agents have their names all the same.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.harness import Product, a_product, wait_until
from tests.journeys.centre import PASSWORD, Api
from tests.journeys.test_real_calls import answering_phone, near, some_callers
from tests.lab.foreign import ForeignLaboratory, ForeignMember, ForeignQueue
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import CallSeen, callers, phones

pytestmark = pytest.mark.asterisk

SERVICE, SALES, HURRIED, AWAY = "售后服务", "销售", "快线", "投诉"

AT_WORK = {
    "100": "王芳",
    "101": "李雷",
    "102": "韩梅梅",
    "105": "周敏",
    "106": "李雷",
    "110": "孙丽",
}
"""Usual extension → who sits there: two of one name. 103 and 104 are nobody we know."""

PEOPLE = {**AT_WORK, "120": "李雷", "122": "赵倩"}

UNKNOWN = {"103": "前台", "104": "仓库"}


def member(extension: str) -> ForeignMember:
    return ForeignMember(extension=extension, name={**PEOPLE, **UNKNOWN}[extension])


QUEUES = (
    ForeignQueue(
        name=SERVICE,
        members=tuple(member(each) for each in ("100", "101", "102", "103", "106", "110")),
        ring_seconds=2,
    ),
    ForeignQueue(
        name=SALES, members=tuple(member(each) for each in ("104", "105")), strategy="ringall"
    ),
    ForeignQueue(name=HURRIED, members=(member("110"),), ring_seconds=2, max_wait_seconds=3),
    ForeignQueue(name=AWAY, members=tuple(member(each) for each in ("120", "122"))),
)
EXTENSIONS = {**dict.fromkeys((*AT_WORK, *UNKNOWN), 0), "110": 1, "120": 2, "122": 2}
"""The phone of 110 rings and nobody ever lifts it."""


def number_of(extension: str) -> str:
    return f"2{extension}"


def a_setup() -> str:
    """People with their usual extensions, and no seats: nobody signs in here."""
    setup: dict[str, Any] = {
        "pbx": "site",
        "projects": [{"name": "华东售后", "client": "华东设备", "default": True}],
        "queues": [
            {"name": queue.name, "title": f"{queue.name}队列", "project": "华东售后"}
            for queue in QUEUES
        ],
        "people": [
            {
                "name": f"agent{extension}",
                "full_name": name,
                "agent_number": number_of(extension),
                "roles": ["agent"],
                "extension": extension,
                "password": PASSWORD,
            }
            for extension, name in PEOPLE.items()
        ],
    }
    return yaml.safe_dump(setup, allow_unicode=True)


@contextmanager
def pops(product: Product, token: str) -> Iterator[list[dict[str, Any]]]:
    """The frames `call.offered` that come to the owner of this token."""
    found: list[dict[str, Any]] = []
    address = product.url.replace("http://", "ws://") + "/api/v1/events"
    headers = {"Authorization": f"Bearer {token}"}
    with connect(address, additional_headers=headers, compression=None) as socket:

        def read() -> None:
            try:
                found.extend(
                    frame
                    for message in socket
                    if (frame := json.loads(message))["type"] == "call.offered"
                )
            except ConnectionClosed:
                return

        reader = threading.Thread(target=read)
        reader.start()
        try:
            yield found
        finally:
            socket.close()
            reader.join(5)


@dataclass
class Morning:
    """What happened, as everybody saw it."""

    lab: ForeignLaboratory
    product: Product
    api: Api
    began_at: datetime
    ended_at: datetime
    by_callers: list[CallSeen]
    by_phones: list[CallSeen]
    pops_of_wang: list[dict[str, Any]]
    pops_of_all: list[dict[str, Any]]
    waiting: dict[str, int]
    """Queue → most callers that the live board showed waiting at once."""

    def period(self) -> list[str]:
        return ["--from", self.began_at.isoformat(), "--to", self.ended_at.isoformat()]


@pytest.fixture(scope="module")
def morning(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Morning]:
    with ExitStack() as stack:
        lab = stack.enter_context(ForeignLaboratory(QUEUES, EXTENSIONS))
        folder = tmp_path_factory.mktemp("foreign")
        product = stack.enter_context(a_product(folder, {"ZUOXI_PBX_URLS": lab.url}))
        (folder / "centre.yaml").write_text(a_setup(), encoding="utf-8")
        product.zuoxi("import", "setup", "centre.yaml")
        token = product.zuoxi("token", "create", "tests", "--role", "admin").strip()
        mine = product.zuoxi(
            "token", "create", "wang", "--role", "agent", "--user", "agent100"
        ).strip()
        product.start()
        api = Api(product, token)
        wait_until("the link is up", lambda: link_is_up(api), 10)
        lifting = stack.enter_context(phones(lab, PhoneBehaviour(answer_after_ms=300), group=0))
        never = stack.enter_context(phones(lab, PhoneBehaviour(answer_after_ms=None), group=1))
        pops_of_wang = stack.enter_context(pops(product, mine))
        pops_of_all = stack.enter_context(pops(product, token))
        began_at = datetime.now(UTC).replace(microsecond=0)  # as queue_log cuts its moments
        batches = [
            callers(lab, lab.did(SERVICE), some_callers(0, 64, hidden=3), per_second=3),
            callers(lab, lab.did(SALES), some_callers(1000, 30), per_second=2),
            callers(
                lab,
                lab.did(HURRIED),
                some_callers(2000, 15),
                CallerBehaviour(patience_ms=1500),
                per_second=1,
            ),
            callers(lab, lab.did(HURRIED), some_callers(3000, 15), per_second=1),
        ]
        for batch in batches:
            stack.enter_context(batch)
        waiting: dict[str, int] = {}
        while any(batch.is_running for batch in batches):
            time.sleep(0.2)
            for queue in api.get("/api/v1/live")["queues"]:
                name = queue["queue"]
                waiting[name] = max(waiting.get(name, 0), queue["waiting"])
        for batch in batches:
            batch.wait(60)
        wait_until("every call has ended", lambda: ended(api) == 124, 20)
        yield Morning(
            lab=lab,
            product=product,
            api=api,
            began_at=began_at,
            ended_at=datetime.now(UTC) + timedelta(seconds=1),
            by_callers=[one for batch in batches for one in batch.calls],
            by_phones=[*lifting.calls, *never.calls],
            pops_of_wang=pops_of_wang,
            pops_of_all=pops_of_all,
            waiting=waiting,
        )


def link_is_up(api: Api) -> bool:
    return [link["state"] for link in api.get("/api/v1/live")["links"]] == ["up"]


def ended(api: Api) -> int:
    return sum(
        call["ended_at"] is not None and all(one["outcome"] for one in call["passes"])
        for call in api.calls()
    )


def test_there_was_something_of_everything(morning: Morning) -> None:
    passes = [one for call in morning.api.calls() for one in call["passes"]]
    outcomes = Counter(one["outcome"] for one in passes)
    missed = sum(ring["result"] == "no_answer" for one in passes for ring in one["attempts"])
    print(f"{len(passes)} passes: {outcomes}, {missed} rings not answered")  # noqa: T201
    assert len(passes) == 124
    assert outcomes["answered"] >= 80
    assert outcomes["abandoned"] >= 10
    assert outcomes["timeout"] >= 10
    assert missed >= 4


def test_reconcile_finds_no_difference(morning: Morning) -> None:
    said = morning.product.zuoxi("reconcile", *morning.period())
    assert said.splitlines()[-1] == "124 passes compared, 0 differences"


def test_sipp_agrees_on_answered_on_whose_phone_and_on_the_moments(morning: Morning) -> None:
    """Whose phone it was names the agent, of two with one name as well."""
    by_number = {call["caller_number_raw"]: call for call in morning.api.calls()}
    seen = [one for one in morning.by_callers if one.number is not None]
    for one in seen:
        (stay,) = by_number[one.number]["passes"]
        assert (one.answered_at is not None) == (stay["outcome"] == "answered"), one
        assert near(stay["entered_at"], one.began_at), (one, stay)
        if one.answered_at is None:
            continue
        assert near(stay["answered_at"], one.answered_at), (one, stay)
        extension = answering_phone(morning.by_phones, one.number)
        assert extension is not None
        known = PEOPLE.get(extension)
        assert stay["agent"] == {
            "number": number_of(extension) if known else None,
            "name": known or UNKNOWN[extension],
            "interface": f"Local/{extension}@from-queue/n",
        }


def test_all_who_took_calls_are_credited_and_two_of_one_name_are_two(morning: Morning) -> None:
    answered = Counter(
        one["agent"]["number"]
        for call in morning.api.calls()
        for one in call["passes"]
        if one["agent"]
    )
    took = [number_of(extension) for extension in AT_WORK if extension != "110"]
    assert set(answered) == {*took, None}
    assert min(answered.values()) >= 3


def test_the_pop_comes_to_whose_phone_rings_and_to_nobody_else(morning: Morning) -> None:
    rung = {
        (call["call_id"], ring["agent"]["number"])
        for call in morning.api.calls()
        for one in call["passes"]
        for ring in one["attempts"]
    }
    mine = [frame["call"]["call_id"] for frame in morning.pops_of_wang]
    assert {frame["agent"]["number"] for frame in morning.pops_of_wang} == {number_of("100")}
    assert len(mine) == len(set(mine))
    assert set(mine) == {call for call, number in rung if number == number_of("100")}
    assert {
        (frame["call"]["call_id"], frame["agent"]["number"]) for frame in morning.pops_of_all
    } == rung


def test_live_queues_showed_who_waited_and_nobody_waits_at_the_end(morning: Morning) -> None:
    assert morning.waiting[HURRIED] >= 1
    queues = morning.api.get("/api/v1/live")["queues"]
    assert {queue["queue"]: queue["waiting"] for queue in queues} == dict.fromkeys(
        (SERVICE, SALES, HURRIED, AWAY), 0
    )


def test_a_call_of_a_site_without_stamps_says_so_and_nothing_was_left_out(morning: Morning) -> None:
    assert {call["confidence"] for call in morning.api.calls()} == {"complete"}
    assert "quarantine" not in morning.product.log()
    assert "left out" not in morning.product.log()


def test_what_queue_log_alone_saw_is_a_persons_unless_two_bear_the_name(morning: Morning) -> None:
    """Zuoxi was away: the file has the members' names and nothing else."""
    product, before = morning.product, len(morning.api.calls())
    product.kill9()
    began_at = datetime.now(UTC).replace(microsecond=0)
    with (
        phones(morning.lab, PhoneBehaviour(), group=2) as lifted,
        callers(morning.lab, morning.lab.did(AWAY), some_callers(4000, 12), per_second=4) as batch,
    ):
        batch.wait(30)
    product.start()
    wait_until("the calls are there", lambda: len(morning.api.calls()) == before + 12, 20)
    wait_until("each has an end", lambda: ended(morning.api) == before + 12, 10)
    phone_of = {one.number: one.seat for one in lifted.calls if one.answered_at}
    found = Counter[str]()
    for call in morning.api.calls(**{"from": began_at}):
        (stay,) = call["passes"]
        extension = phone_of[call["caller_number_raw"]]
        assert extension is not None
        assert call["confidence"] == "queue_log_only"
        found[PEOPLE[extension]] += 1
        if PEOPLE[extension] == "李雷":
            assert stay["agent"] == {"number": None, "name": "李雷", "interface": None}
        else:
            assert stay["agent"]["number"] == number_of(extension)
    assert set(found) == {"李雷", "赵倩"}
    end = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    said = product.zuoxi("reconcile", "--from", began_at.isoformat(), "--to", end)
    assert said.splitlines()[-1] == "12 passes compared, 0 differences"
