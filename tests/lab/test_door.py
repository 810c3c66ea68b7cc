"""The dialplan at the door: told, it goes there; whatever else happens, the call goes to its own queue."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from crm_core.commands import WayIn
from telephony import dialplan
from telephony.agi.door import assignment
from telephony.agi.server import quoted
from tests.harness import free_port, wait_until
from tests.lab.ami import Session, add_member
from tests.lab.asterisk import Laboratory
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Caller, callers, phones
from tests.lab.story import HOTLINES

pytestmark = pytest.mark.asterisk

Connection = socketserver.StreamRequestHandler


def says(line: str) -> Callable[[Connection], None]:
    def answer(connection: Connection) -> None:
        while connection.rfile.readline().strip():
            pass
        connection.wfile.write(f"{line}\n".encode())
        connection.rfile.readline()

    return answer


def way(way_in: WayIn) -> Callable[[Connection], None]:
    name, value = assignment(way_in)
    return says(f"SET VARIABLE {quoted(name)} {quoted(value)}")


def is_silent(connection: Connection) -> None:
    connection.rfile.read()


def is_gone(connection: Connection) -> None:
    connection.connection.close()


@contextmanager
def somebody(answer: Callable[[Connection], None]) -> Iterator[int]:
    """A stranger at a port, who answers like this."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            answer(self)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.02,))
        serving.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            serving.join()


@contextmanager
def door_at(lab: Laboratory, port: int) -> Iterator[None]:
    address = f"agi://127.0.0.1:{port}/door?pbx=lab"
    try:
        dialplan.write(dialplan.render_plan(lab.plan, address), lab.generated)
        lab.rx("dialplan reload")
        yield
    finally:
        dialplan.write(dialplan.render_plan(lab.plan), lab.generated)
        lab.rx("dialplan reload")


def rows_of_a_call(lab: Laboratory, number: str) -> list[str]:
    """Somebody rings the hotline of `support`; what queue_log has of it once it is over."""
    before = len(lab.queue_log.read_text().splitlines())
    with callers(
        lab, HOTLINES["support"], [Caller(number=number)], CallerBehaviour(talk_ms=300)
    ) as call:
        call.wait(20)

    def rows() -> list[str]:
        return lab.queue_log.read_text().splitlines()[before:]

    wait_until(
        "the call's last row", lambda: any("COMPLETE" in r or "ENDED" in r for r in rows()), 5
    )
    return rows()


@pytest.fixture(scope="module")
def staffed(laboratory: Laboratory) -> Iterator[Laboratory]:
    with (
        Session(laboratory) as control,
        phones(laboratory, PhoneBehaviour(), group=0),
        phones(laboratory, PhoneBehaviour(answer_after_ms=None), group=1),
    ):
        add_member(control, "support", "8001", "1001")
        add_member(control, "sales", "8002", "1002")
        try:
            yield laboratory
        finally:
            control.act("QueueRemove", Queue="support", Interface="PJSIP/8001")
            control.act("QueueRemove", Queue="sales", Interface="PJSIP/8002")


STRANGERS = {
    "silence": is_silent,
    "a closed connection": is_gone,
    "nonsense": says("SET VARIABLE"),
    "no AGI at all": lambda connection: connection.wfile.write(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
}


@pytest.mark.parametrize("stranger", STRANGERS)
def test_without_an_answer_a_call_goes_to_the_queue_of_its_hotline(
    staffed: Laboratory, stranger: str
) -> None:
    with somebody(STRANGERS[stranger]) as port, door_at(staffed, port):
        began = time.monotonic()
        rows = rows_of_a_call(staffed, "13800138001")
        assert time.monotonic() - began < 10  # absolute silence costs one second of it
    assert sum("|support|NONE|ENTERQUEUE|" in row for row in rows) == 1
    assert sum("|support|1001|COMPLETECALLER|" in row for row in rows) == 1


def test_where_nobody_listens_a_call_goes_to_the_queue_of_its_hotline(staffed: Laboratory) -> None:
    with door_at(staffed, free_port()):
        rows = rows_of_a_call(staffed, "13800138002")
    assert sum("|support|1001|COMPLETECALLER|" in row for row in rows) == 1


def test_a_call_goes_where_the_door_says_with_its_priority(staffed: Laboratory) -> None:
    told = way(WayIn(queue="sales", max_wait_seconds=9, priority=7))
    with somebody(told) as port, door_at(staffed, port), Session(staffed, "zuoxi-events") as events:
        rows = rows_of_a_call(staffed, "13800138003")
        events.quiet()
    assert sum("|sales|1002|COMPLETECALLER|" in row for row in rows) == 1
    assert not any("|support|" in row for row in rows)


def test_the_last_agent_is_rung_before_the_queue_and_may_take_it(staffed: Laboratory) -> None:
    told = way(WayIn(queue="support", max_wait_seconds=9, first="PJSIP/8005", first_seconds=2))
    with somebody(told) as port, door_at(staffed, port):
        rows = rows_of_a_call(staffed, "13800138004")
    assert not any("ENTERQUEUE" in row for row in rows)
    (dialled,) = [row for row in rows if "ZX_DIALLED" in row]
    assert dialled.endswith("|ZX_DIALLED|13800138004|8005|PJSIP/8005")
    (ended,) = [row for row in rows if "ZX_ENDED" in row]
    assert "|ZX_ENDED|ANSWER|" in ended


@pytest.mark.parametrize("first", ["PJSIP/8101", "PJSIP/9999"], ids=["no answer", "no phone"])
def test_a_last_agent_who_does_not_answer_costs_his_seconds_and_no_more(
    staffed: Laboratory, first: str
) -> None:
    told = way(WayIn(queue="support", max_wait_seconds=9, first=first, first_seconds=1))
    with somebody(told) as port, door_at(staffed, port):
        rows = rows_of_a_call(staffed, "13800138005")
    assert sum("|support|1001|COMPLETECALLER|" in row for row in rows) == 1
    assert not any("ZX_ENDED" in row for row in rows)
