"""A set-up is imported while the product runs: a new queue, seat and hotline take calls in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import yaml

from tests.harness import Product, a_product, wait_until
from tests.journeys.centre import a_plan, a_setup, extension_of, furnish
from tests.lab.ami import Session, add_member
from tests.lab.asterisk import Laboratory
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Caller, callers, phones

pytestmark = pytest.mark.asterisk

NEW_SEAT = "8009"
NEW_HOTLINE = "4009"
NEW_QUEUE = "later"


def a_larger_setup(lab: Laboratory) -> str:
    setup = yaml.safe_load(a_setup())
    setup["queues"].append({"name": NEW_QUEUE, "title": "后来", "project": "华东售后"})
    setup["hotlines"].append(
        {"number": NEW_HOTLINE, "name": "新热线", "greeting": "您好。", "queue": NEW_QUEUE}
    )
    setup["seats"].append(
        {"extension": "8019", "contact": f"sip:{NEW_SEAT}@127.0.0.1:{lab.ports.phones[0]}"}
    )
    text: str = yaml.safe_dump(setup, allow_unicode=True)
    return text


@pytest.fixture
def running(
    installed: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Laboratory, Product]]:
    """The product writes into the very folder that this Asterisk includes."""
    with ExitStack() as stack:
        lab = stack.enter_context(Laboratory())
        folder = tmp_path_factory.mktemp("changed")
        settings = {"ZUOXI_PBX_URLS": lab.url, "ZUOXI_ASTERISK_CONF": str(lab.generated)}
        product = stack.enter_context(a_product(folder, settings))
        furnish(product)
        product.start()
        yield lab, product


def test_new_queue_seat_and_hotline_take_a_call_without_a_restart(
    running: tuple[Laboratory, Product],
) -> None:
    lab, product = running
    wait_until("told at the start", lambda: "told Asterisk: zuoxi-ext" in product.log(), 10)
    plan = a_plan(lab)
    assert all(queue.name in lab.rx("queue show") for queue in plan.queues)
    assert "narrow" not in lab.rx("queue show")
    assert f"PJSIP/{extension_of(29)}" in lab.rx("dialplan show zuoxi-seats")

    (product.folder / "larger.yaml").write_text(a_larger_setup(lab), encoding="utf-8")
    imported = product.zuoxi("import", "setup", "larger.yaml")
    assert "A running Zuoxi tells Asterisk within seconds" in imported
    wait_until("the queue", lambda: NEW_QUEUE in lab.rx("queue show"), 15)
    wait_until("the number", lambda: NEW_HOTLINE in lab.rx("dialplan show zuoxi-hotlines"), 5)
    wait_until("the seat", lambda: " 8019" in lab.rx("pjsip show endpoints"), 5)

    with Session(lab) as control:
        add_member(control, NEW_QUEUE, "8019", "1099")
    with phones(lab, PhoneBehaviour(answer_after_ms=100)) as desk:
        with callers(
            lab, NEW_HOTLINE, [Caller(number="13800138000")], CallerBehaviour(talk_ms=300)
        ) as call:
            call.wait()
        (rang,) = desk.calls
    assert rang.number == "13800138000"
    assert lab.queue_log.read_text().count(f"|{NEW_QUEUE}|1099|CONNECT|") == 1
    site = lab.folder / "etc/asterisk/zuoxi-site/zuoxi-manager.conf"
    assert "secret = " in site.read_text()
