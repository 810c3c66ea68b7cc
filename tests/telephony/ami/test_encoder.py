"""No value can add a header or an action to what is sent: every frame is read back and compared."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_core.errors import Invalid
from telephony.ami import actions, encoder
from telephony.ami.actions import Action

ROOT = Path(__file__).resolve().parents[3]
KINDS = [
    kind
    for kind in vars(actions).values()
    if isinstance(kind, type) and issubclass(kind, Action) and kind is not Action
]

HOSTILE = [
    "a\r\n\r\nAction: Command\r\nCommand: core stop now",
    "a\nAction: Originate",
    "a\r\nVariable: CDR(accountcode)=x",
    "a\rb",
    "a\x00b",
    "a\x0bb",
    "a\x0cb",
    "a\x85b",
    "a\u2028b",
    "a\u2029b",
    "\ufeffa",
    "\ud800",
    " a",
    "a ",
    "",
    "x" * 1024,
    "王" * 400,
    "${SHELL(id)}",
    "PJSIP/1&PJSIP/2",
    "PJSIP/1,30",
    "=cmd|' /C calc'!A0",
]

letters = st.one_of(
    st.characters(),
    st.sampled_from("\r\n\0\x0b\x0c\x85\u2028|,;&/@=+-'\"\\<>${}()` "),
)
texts = st.one_of(st.text(letters, max_size=30), st.sampled_from(HOSTILE))


def an_action(kind: type[Action], values: list[str]) -> Action:
    """`kind` with `values` in its text fields, in turn."""
    given_values = iter(values * 8)
    fields: dict[str, Any] = {}
    for name, (_, rule) in kind.HEADERS.items():
        if rule == "claim":
            fields[name] = len(values) % 2 == 0
        elif rule == "count":
            fields[name] = len(values)
        else:
            fields[name] = next(given_values)
    return kind(**fields)


def frame_of(action: Action) -> bytes | None:
    try:
        return encoder.encode(encoder.headers_of(action, "id-1"))
    except Invalid:
        return None


def asterisk_reads(frame: bytes) -> list[list[str]]:
    """As Asterisk's own get_input and astman read: CR LF or LF ends a line, an empty one an action.

    Written apart from `encoder.read_back`, on bytes, so that one mistake is not made twice.
    """
    found: list[list[str]] = [[]]
    line = bytearray()
    for place, byte in enumerate(frame):
        if byte == 0x0A:
            if line.endswith(b"\r"):
                del line[-1]
            if line:
                found[-1].append(line.decode("utf-8", "replace").split(":")[0])
            elif found[-1]:
                found.append([])
            line.clear()
        else:
            assert byte != 0, f"a NUL at {place}"
            line.append(byte)
    assert not line
    return [action for action in found if action]


checked = {"values": 0, "sent": 0}


@settings(max_examples=900, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(texts, min_size=115, max_size=120))
def test_no_value_adds_a_header_or_an_action(values: list[str]) -> None:
    for count, value in enumerate(values):
        kind = KINDS[count % len(KINDS)]
        frame = frame_of(an_action(kind, [value, values[count - 1]]))
        checked["values"] += 1
        if frame is None:
            continue
        checked["sent"] += 1
        wanted = {"Action", "ActionID", *(header for header, _ in kind.HEADERS.values())}
        read = asterisk_reads(frame)
        assert len(read) == 1
        assert read[0][:2] == ["Action", "ActionID"]
        assert len(set(read[0])) == len(read[0])
        assert set(read[0]) <= wanted
        assert all(len(line) <= 1000 for line in frame.split(b"\r\n"))


def test_at_least_a_hundred_thousand_values_were_tried_and_some_were_sent() -> None:
    assert checked["values"] >= 100_000
    assert checked["sent"] > 1_000


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.HEADERS], ids=lambda k: k.__name__)
def test_hostile_value_in_every_field_leaves_the_frame_what_it_was(
    kind: type[Action], value: str
) -> None:
    frame = frame_of(an_action(kind, [value]))
    assert frame is None or len(asterisk_reads(frame)) == 1


@pytest.mark.parametrize("value", HOSTILE[:12])
def test_what_would_break_a_line_is_refused_with_a_sentence(value: str) -> None:
    with pytest.raises(Invalid, match="cannot be sent to Asterisk as queue"):
        encoder.headers_of(
            actions.QueueRemove(queue=value, interface="PJSIP/8001"), action_id="id-1"
        )


def test_honest_values_are_sent_as_they_are() -> None:
    add = actions.QueueAdd(queue="售后 支持", interface="PJSIP/8001", member_name="1001", penalty=2)
    assert (
        frame_of(add)
        == (
            "Action: QueueAdd\r\nActionID: id-1\r\nQueue: 售后 支持\r\nInterface: PJSIP/8001\r\n"
            "MemberName: 1001\r\nPenalty: 2\r\nPaused: false\r\n\r\n"
        ).encode()
    )


def test_secret_is_not_shown_when_it_is_refused() -> None:
    with pytest.raises(Invalid) as wrong:
        encoder.headers_of(actions.Login(username="u", secret="top\nsecret", events="on"), "id-1")
    assert "top" not in str(wrong.value)


def test_frame_that_would_be_read_otherwise_is_refused_even_if_a_rule_let_it_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(encoder.RULES, "queue", lambda _: True)
    for evil in HOSTILE[:3]:
        assert frame_of(actions.QueueRemove(queue=evil, interface="PJSIP/8001")) is None


def writes_to_a_socket(source: str) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"write", "writelines", "send", "sendall", "sendto"}
        and ast.unparse(node.func.value) not in {"self._file", "file", "dialplan", "sys.stderr"}
    ]


def test_nothing_else_in_telephony_writes_to_a_connection() -> None:
    # FastAGI is another wire: its one writer quotes (`agi.server.quoted`)
    allowed = {"telephony/ami/encoder.py", "telephony/ami/link.py", "telephony/agi/server.py"}
    allowed |= {"telephony/queue_log/importing.py"}  # writes to the database
    found = {
        str(file.relative_to(ROOT)): writes_to_a_socket(file.read_text("utf-8"))
        for file in (ROOT / "telephony").rglob("*.py")
        # the demonstration PBX is Asterisk's side of the wire
        if "demo_pbx" not in file.parts
    }
    assert {name for name, lines in found.items() if lines} <= allowed
    assert len(found["telephony/agi/server.py"]) == 1
    # link.py only calls encoder.send
    link = (ROOT / "telephony/ami/link.py").read_text("utf-8")
    lines = [link.splitlines()[number - 1].strip() for number in found["telephony/ami/link.py"]]
    assert lines == ["encoder.send(self.transport, headers)"]
