"""What a caller may choose (number, name, what is dialled) on the real Asterisk with our dialplan."""

from __future__ import annotations

import re
import time
from typing import NamedTuple

import pytest

from telephony.dialplan import EVENTS_ACCOUNT
from tests.lab.ami import Session
from tests.lab.asterisk import CARRIER, Laboratory
from tests.lab.raw_sip import ring_and_give_up
from tests.lab.scenarios import CallerBehaviour
from tests.lab.sipp import Caller, callers

pytestmark = pytest.mark.asterisk

HOST = CARRIER.encode()


def address(name: bytes, user: bytes = b"13800138000") -> bytes:
    return b'"' + name + b'" <sip:' + user + b"@" + HOST + b">"


NAMES = (
    "王小明".encode(), "阿里木·买买提".encode(), "ＡＢ（公司）".encode(), "👩‍💻".encode(),
    b"a\tb", b"a\x01b", b"a\x0bb", b"a\x0cb", b"a\x1bb", b"a\x7fb", b"a\xc2\x80b",
    b"a\xc2\x85Event: Hangup", b"a\xc2\x9fb", "a\u2028b".encode(), "a\u202eb".encode(), b"\xcd\xf5\xd0\xa1",
    b"\xe7\x8e", b"\xff\xfe", b"\xc0\x80", b"a|b|c", b"a,b,c", b"a;b", b"a&b", b"/etc/passwd", b"../../x",
    b"a=b", b"@x", b"-x", b"+x", b"O'Hara", b'a\\"b', b"a\\\\b", b"<script>alert(1)</script>",
    b"<img src=x onerror=alert(1)>", b"${EXTEN}", b"${SHELL(id)}", b"$[1+1]", b"{{7*7}}", b"`id`", b"$(id)",
    b"' OR 1=1 --", b"=HYPERLINK(1)", b"%0d%0aEvent: Hangup", b"x" * 79, b"x" * 500,
    ("王" * 26).encode(), ("王" * 200).encode(), b" ", b"NONE", b"QUEUESTART",
)  # fmt: skip
"""Names that reach the dialplan: quoted as SIP asks, whatever stands between the quotes."""

NUMBERS = (
    b"%0d%0aAction%3a%20Originate", b"%0d%0a%0d%0aEvent%3a%20Hangup%0d%0aUniqueid%3a%20x", b"138%0aX%3a%20y", b"138%0dX",
    b"138%00", b"138%7c9%7cABANDON", b"138%09", b"%",
)  # fmt: skip
"""Numbers with escapes: refused before there is a channel, since Asterisk 22 writes them unescaped."""

ALLOWED_NAME = re.compile(r"[a-zA-Z0-9 ._/@()\x2d\u00a0-\U0010ffff]*")


class Heard(NamedTuple):
    """What came of all hostile callers, one after the other."""

    events: list[list[tuple[str, str]]]
    rows: list[str]
    statuses: list[int]


def messages(received: bytes) -> list[list[tuple[str, str]]]:
    """As the strictest reader would: CR LF ends a line, nothing else does."""
    found = []
    for block in received.partition(b"\r\n")[2].decode().split("\r\n\r\n"):
        lines = [line.partition(": ") for line in block.split("\r\n") if line]
        found.append([(name, value) for name, _, value in lines])
    return [message for message in found if message]


def waits_until_quiet(lab: Laboratory) -> list[str]:
    """The rows when no caller is left."""
    while "0 active channels" not in lab.rx("core show channels count"):
        time.sleep(0.02)
    return lab.queue_log.read_text(errors="strict").splitlines()


def wait_in_the_queue(laboratory: Laboratory, events: Session, who: bytes) -> int:
    """A caller who gives up after entering; sooner, and the filter has not had its turn."""
    begin = len(events.received)
    return ring_and_give_up(
        laboratory,
        "4001",
        who,
        patience=lambda: events.wait_for(b"Event: QueueCallerJoin\r\n", begin=begin),
    )


@pytest.fixture(scope="module")
def heard(laboratory: Laboratory) -> Heard:
    before = len(laboratory.queue_log.read_text().splitlines())
    with Session(laboratory, EVENTS_ACCOUNT) as events:
        begin = len(events.received)
        statuses = [wait_in_the_queue(laboratory, events, address(name)) for name in NAMES]
        refused = [ring_and_give_up(laboratory, "4001", address(b"x", user)) for user in NUMBERS]
        rows = waits_until_quiet(laboratory)[before:]
        events.quiet()
        received = bytes(events.received[begin:])
    return Heard(messages(b"\r\n" + received), rows, [*statuses, *refused])


def test_a_hostile_name_rings_and_a_number_with_escapes_is_refused(heard: Heard) -> None:
    assert heard.statuses == [487] * len(NAMES) + [404] * len(NUMBERS)


def test_no_caller_adds_a_header_to_an_event(heard: Heard) -> None:
    shapes: dict[str, set[tuple[str, ...]]] = {}
    for event in heard.events:
        shapes.setdefault(event[0][1], set()).add(tuple(name for name, _ in event))
    assert {name: len(found) for name, found in shapes.items() if len(found) > 1} == {}
    assert len([event for event in heard.events if event[0][1] == "Newchannel"]) == len(NAMES)


def test_after_the_first_step_only_harmless_characters_are_left(heard: Heard) -> None:
    joined = [dict(event) for event in heard.events if event[0][1] in ("QueueCallerJoin", "Hangup")]
    names = {event["CallerIDName"] for event in joined if event["Exten"] == "s"} - {"<unknown>"}
    assert {"王小明", "阿里木.买买提", "OHara", "ab"} <= names
    assert [name for name in names if not ALLOWED_NAME.fullmatch(name)] == []
    assert {event["CallerIDNum"] for event in joined} == {"13800138000"}


def test_queue_log_has_nothing_but_the_rows_of_the_calls(heard: Heard) -> None:
    entered = [row for row in heard.rows if "|ENTERQUEUE|" in row]
    abandoned = [row for row in heard.rows if "|ABANDON|" in row]
    assert len(heard.rows) == len(entered) + len(abandoned)
    assert len(entered) == len(abandoned) == len(NAMES)
    wanted = re.compile(r"\d{10}\|lab-\d{10}\.\d+\|support\|NONE\|ENTERQUEUE\|\|13800138000\|\d+")
    assert [row for row in entered if not wanted.fullmatch(row)] == []


def test_an_escaped_digit_is_a_digit(laboratory: Laboratory) -> None:
    # The refusal looks at the header as PJSIP would write it: only what needs an escape has one.
    assert ring_and_give_up(laboratory, "4001", address(b"x", b"%31380013%38000")) == 487


@pytest.mark.parametrize(
    "header",
    [
        b"P-Asserted-Identity: <sip:1%0d%0aX: y@a>",
        b"Remote-Party-ID: <sip:1%0d%0aX: y@a>;party=calling",
    ],
)
def test_an_escape_in_what_the_carrier_asserts_is_refused_too(
    laboratory: Laboratory, header: bytes
) -> None:
    assert ring_and_give_up(laboratory, "4001", address(b"x"), header) == 404


@pytest.mark.parametrize("dialled", ["4001%0d%0aX", "4999", "8001", "s", "4001a", "%34001"])
def test_only_a_hotline_can_be_dialled_from_outside(laboratory: Laboratory, dialled: str) -> None:
    expected = 487 if dialled == "%34001" else 404
    assert ring_and_give_up(laboratory, dialled, address(b"x")) == expected


def test_a_caller_whose_number_is_an_extension_enters_the_queue(laboratory: Laboratory) -> None:
    with Session(laboratory, EVENTS_ACCOUNT) as events:
        with callers(
            laboratory, "4001", [Caller(number="8001")], CallerBehaviour(patience_ms=1000)
        ) as call:
            call.wait()
        events.quiet()
        said = [dict(event) for event in messages(bytes(events.received))]
    (channel,) = [event for event in said if event.get("Event") == "Newchannel"]
    assert channel["Channel"].startswith("PJSIP/zuoxi-trunk-")
    assert channel["Context"] == "zuoxi-inbound"
    assert [event["Queue"] for event in said if event.get("Event") == "QueueCallerJoin"] == [
        "support"
    ]


def test_a_stranger_on_another_address_reaches_nothing(laboratory: Laboratory) -> None:
    stranger = b'"x" <sip:13800138000@127.0.0.3>'
    assert ring_and_give_up(laboratory, "4001", stranger, source="127.0.0.3") == 401
