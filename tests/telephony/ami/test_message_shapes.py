"""What a shape reads in one go is what careful reading finds, to the last byte, and refuses as much."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.ami import messages
from telephony.ami.messages import (
    WANTED,
    AmiMessage,
    Hangup,
    Malformed,
    Newchannel,
    parse,
    read,
)
from telephony.flight_recorder import read as read_recording

RECEIVED = datetime(2026, 11, 24, 10, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TRACES = Path(__file__).resolve().parents[2] / "traces"


@pytest.fixture(autouse=True)
def no_shape_is_known() -> Iterator[None]:
    forget()
    yield
    forget()


def forget() -> None:
    for shapes in messages._SHAPES.values():
        shapes.clear()


def carefully(raw: bytes) -> AmiMessage | str:
    """What careful reading says; None of it is learnt."""
    forget()
    found = outcome(raw)
    forget()
    return found


def outcome(raw: bytes) -> AmiMessage | str:
    """The message, or why there is none."""
    try:
        found = parse(raw, RECEIVED)
    except Malformed as wrong:
        return str(wrong)
    assert found is not None
    return found


def a_message(name: bytes, headers: list[tuple[str, str]], stamp: str | None) -> bytes:
    lines = ["Event: " + name.decode(), "Privilege: call,all"]
    if stamp is not None:
        lines.append(f"Timestamp: {stamp}")
    return "\r\n".join([*lines, *(f"{header}: {value}" for header, value in headers)]).encode()


HEADERS = sorted(
    {header for known in messages._FIELDS.values() for header, _ in known}
    | {"ChannelState", "Language", "SystemName", "ActionID"}
)
VALUES = st.one_of(
    st.sampled_from(
        [
            *("", "<unknown>", "<unknown>x", " <unknown>", "1", "0", "16", "-1", "٣", "a: b", ": "),
            *(
                "王小明",
                "O\\'Hara",
                "two\\nlines",
                "\\",
                "x\x85y",
                "x\x1by",
                "x\ry",
                "x\ny",
                "x\x7f",
            ),
            *("x\r\nUniqueid: 2", "x\r\n", " x ", "\ufeff", "\u2028", "\U0001f600"),
        ]
    ),
    st.text(max_size=12),
)


@settings(max_examples=600, deadline=None)
@given(
    name=st.sampled_from(sorted(WANTED)),
    headers=st.lists(st.sampled_from(HEADERS), max_size=14),
    stamp=st.sampled_from([None, "1795516416.877140", "1795516416.8", "", "17955164160.77140"]),
    values=st.lists(VALUES, min_size=14, max_size=14),
)
def test_second_of_a_shape_is_read_as_if_it_were_the_first(
    name: bytes, headers: list[str], stamp: str | None, values: list[str]
) -> None:
    raw = a_message(name, list(zip(headers, values, strict=False)), stamp)
    wanted = carefully(raw)
    honest = a_message(name, [(header, "1") for header in headers], "1795516416.877140")
    outcome(honest)
    outcome(a_message(name, [(header, "1") for header in headers], stamp))
    assert outcome(raw) == wanted
    assert outcome(raw) == wanted


def test_every_recorded_message_is_read_alike_the_second_time() -> None:
    seen = 0
    for recording in sorted(TRACES.glob("*/ami.jsonl")):
        data = b"".join(chunk.data for chunk in read_recording(recording))
        for raw in data.split(b"\r\n\r\n"):
            if messages.event_name(raw) not in WANTED:
                continue
            wanted = carefully(raw)
            assert isinstance(wanted, AmiMessage)
            outcome(raw)
            assert outcome(raw) == wanted
            seen += 1
    assert seen > 200


def a_hangup(**values: str) -> bytes:
    headers = {"Channel": "PJSIP/x-1", "CallerIDName": "x", "Uniqueid": "1.0", "Cause": "16"}
    return a_message(b"Hangup", list({**headers, **values}.items()), "1795516416.877140")


def test_shape_is_used_and_only_for_what_fits_it(monkeypatch: pytest.MonkeyPatch) -> None:
    parse(a_hangup(), RECEIVED)

    def not_again(*_: object) -> None:
        raise AssertionError("read carefully a second time")

    monkeypatch.setattr(messages, "_carefully", not_again)
    found = parse(a_hangup(CallerIDName="王小明", Cause="21", Channel="<unknown>"), RECEIVED)
    assert isinstance(found, Hangup)
    assert (found.caller_id_name, found.cause, found.channel) == ("王小明", 21, None)
    with pytest.raises(AssertionError):
        parse(a_hangup(New="x"), RECEIVED)


@pytest.mark.parametrize(
    "evil",
    [
        "x\r\nUniqueid: 2.0",
        "x\r\nEvent: AgentConnect",
        "x\r\nTimestamp: 1795516416.877140",
        "x\r\nno colon at all",
        *("x\ry", "x\ny", "x\x00", "x\x1b[0m", "x\x7f", "x\x85", "\r\n"),
    ],
)
@pytest.mark.parametrize("header", ["Channel", "CallerIDName", "Cause"])
def test_what_a_caller_writes_is_refused_by_a_shape_too(evil: str, header: str) -> None:
    for honest in (a_hangup(), a_hangup(New="x"), a_hangup(SystemName="lab")):
        parse(honest, RECEIVED)
    with pytest.raises(Malformed):
        parse(a_hangup(**{header: evil}), RECEIVED)


def test_caller_who_invents_shapes_fills_no_memory_and_hides_no_honest_one() -> None:
    for count in range(100):
        parse(a_hangup(**{f"X-{count}": "y"}), RECEIVED)
        assert len(messages._SHAPES[Hangup]) <= messages._MOST_SHAPES
    found = parse(a_hangup(), RECEIVED)
    assert isinstance(found, Hangup)
    assert found.unique_id == "1.0"


@given(
    seconds=st.integers(min_value=1_000_000_000, max_value=4_102_444_800),
    micros=st.integers(min_value=0, max_value=999_999),
)
def test_stamp_is_exact_to_the_microsecond(seconds: int, micros: int) -> None:
    raw = a_message(b"Hangup", [("Cause", "16"), ("Uniqueid", "1.0")], f"{seconds}.{micros:06d}")
    for _ in range(2):
        found = parse(raw, RECEIVED)
        assert found is not None
        assert found.at == EPOCH + timedelta(seconds=seconds, microseconds=micros)
        assert found.at.tzinfo is UTC
        assert not found.at_is_receipt


def test_system_name_is_compared_whether_the_shape_is_known_or_not() -> None:
    raw = a_hangup(SystemName="lab")
    for _ in range(2):
        assert isinstance(read(raw, Hangup, RECEIVED, "lab"), Hangup)
        with pytest.raises(Malformed, match="SystemName"):
            read(raw, Hangup, RECEIVED, "another")
        parse(raw, RECEIVED)


def test_every_kind_that_is_wanted_has_a_name_and_its_fields_a_header() -> None:
    for name in WANTED:
        (kind,) = messages.by_name(set(messages._EVENTS.values())).keys() & {name}
        assert messages._EVENTS[kind] in messages._FIELDS
    named = messages.by_name({Newchannel, Hangup})
    assert named == {b"Newchannel": Newchannel, b"Hangup": Hangup}
    headers = [header for known in messages._FIELDS.values() for header, _ in known]
    assert all(re.fullmatch(r"[A-Z][A-Za-z-]*", header) for header in headers)
    assert [field.name for field in fields(AmiMessage)] == ["at", "at_is_receipt"]
