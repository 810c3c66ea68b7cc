"""What a shape reads in one go is what careful reading finds, to the last byte, and refuses as much."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.ami import reading
from telephony.ami.messages import KINDS, AmiMessage, Hangup, Newchannel, by_name
from telephony.ami.reading import Malformed, Reader
from telephony.flight_recorder import read as read_recording

RECEIVED = datetime(2026, 11, 24, 10, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TRACES = Path(__file__).resolve().parents[2] / "traces"


def carefully(raw: bytes) -> AmiMessage | str:
    """What careful reading says."""
    return outcome(Reader(), raw)


def outcome(reader: Reader, raw: bytes) -> AmiMessage | str:
    """The message, or why there is none."""
    try:
        found = reader.read(raw, RECEIVED)
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
    {field.header for known in reading._FIELDS.values() for field in known}
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
    name=st.sampled_from(sorted(KINDS)),
    headers=st.lists(st.sampled_from(HEADERS), max_size=14),
    stamp=st.sampled_from([None, "1795516416.877140", "1795516416.8", "", "17955164160.77140"]),
    values=st.lists(VALUES, min_size=14, max_size=14),
)
def test_second_of_a_shape_is_read_as_if_it_were_the_first(
    name: bytes, headers: list[str], stamp: str | None, values: list[str]
) -> None:
    raw = a_message(name, list(zip(headers, values, strict=False)), stamp)
    wanted = carefully(raw)
    reader, ones = Reader(), [(header, "1") for header in headers]
    outcome(reader, a_message(name, ones, "1795516416.877140"))
    outcome(reader, a_message(name, ones, stamp))
    assert outcome(reader, raw) == wanted
    assert outcome(reader, raw) == wanted


def test_every_recorded_message_is_read_alike_the_second_time() -> None:
    reader, seen = Reader(), 0
    for recording in sorted(TRACES.glob("*/ami.jsonl")):
        data = b"".join(chunk.data for chunk in read_recording(recording))
        for raw in data.split(b"\r\n\r\n"):
            wanted = Reader().read(raw, RECEIVED)
            if wanted is None:
                continue
            outcome(reader, raw)
            assert outcome(reader, raw) == wanted
            seen += 1
    assert seen > 200


def a_channel(**values: str) -> bytes:
    headers = {"Channel": "PJSIP/x-1", "CallerIDName": "x", "Uniqueid": "1.0", "Context": "in"}
    return a_message(b"Newchannel", list({**headers, **values}.items()), "1795516416.877140")


def test_shape_is_used_and_only_for_what_fits_it(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader()
    reader.read(a_channel(), RECEIVED)

    def not_again(*_: object) -> None:
        raise AssertionError("read carefully a second time")

    monkeypatch.setattr(reader, "_carefully", not_again)
    raw = a_channel(CallerIDName="王小明", Context="内", Channel="<unknown>")
    found = reader.read(raw, RECEIVED)
    assert isinstance(found, Newchannel)
    assert (found.caller_id_name, found.context, found.channel) == ("王小明", "内", None)
    with pytest.raises(AssertionError):
        reader.read(a_channel(New="x"), RECEIVED)


def test_fields_that_are_more_than_text_are_read_by_a_shape_too() -> None:
    reader = Reader()
    for cause in ("16", "21", "", "x"):
        raw = a_message(b"Hangup", [("Uniqueid", "1.0"), ("Cause", cause)], None)
        found = reader.read(raw, RECEIVED)
        assert isinstance(found, Hangup)
        assert found.cause == (int(cause) if cause.isdecimal() else None)


@pytest.mark.parametrize(
    "evil",
    [
        "x\r\nUniqueid: 2.0",
        "x\r\nEvent: AgentConnect",
        "x\r\nTimestamp: 1795516416.877140",
        "x\r\nno colon at all",
        "\r\n",
    ],
)
@pytest.mark.parametrize("header", ["Channel", "CallerIDName", "Context"])
def test_line_that_a_caller_adds_is_refused_by_a_shape_too(evil: str, header: str) -> None:
    reader = a_reader_that_knows_shapes()
    with pytest.raises(Malformed):
        reader.read(a_channel(**{header: evil}), RECEIVED)


@pytest.mark.parametrize("control", ["x\ry", "x\ny", "x\x00", "x\x1b[0m", "x\x7f", "x\x85"])
@pytest.mark.parametrize("header", ["Channel", "Uniqueid", "Context"])
def test_control_character_in_an_identity_is_refused_by_a_shape_too(
    control: str, header: str
) -> None:
    reader = a_reader_that_knows_shapes()
    with pytest.raises(Malformed, match=header):
        reader.read(a_channel(**{header: control}), RECEIVED)


def a_reader_that_knows_shapes() -> Reader:
    reader = Reader()
    for honest in (a_channel(), a_channel(New="x"), a_channel(SystemName="lab")):
        reader.read(honest, RECEIVED)
    return reader


def test_caller_who_invents_shapes_fills_no_memory_and_hides_no_honest_one() -> None:
    reader = Reader()
    for count in range(100):
        reader.read(a_channel(**{f"X-{count}": "y"}), RECEIVED)
        assert len(reader._shapes[b"Event: Newchannel"]) <= Reader.MOST_SHAPES
    found = reader.read(a_channel(), RECEIVED)
    assert isinstance(found, Newchannel)
    assert found.unique_id == "1.0"


@pytest.mark.parametrize("odd", ["\x00", "\u738b"])
def test_odd_value_teaches_no_shape_that_is_known_already(odd: str) -> None:
    reader = Reader()
    reader.read(a_channel(), RECEIVED)
    (honest,) = reader._shapes[b"Event: Newchannel"].values()
    for header in ("CallerIDName", "Channel") if odd.isprintable() else ("CallerIDName",):
        reader.read(a_channel(**{header: odd}), RECEIVED)
        (known,) = reader._shapes[b"Event: Newchannel"].values()
        assert known is honest


def test_shape_learnt_from_an_odd_stamp_reads_honest_ones() -> None:
    reader, headers = Reader(), [("Uniqueid", "1.0"), ("Cause", "16")]
    reader.read(a_message(b"Hangup", headers, "1795516416"), RECEIVED)
    found = reader.read(a_message(b"Hangup", headers, "1795516416.877140"), RECEIVED)
    assert found is not None
    assert not found.at_is_receipt


@given(
    seconds=st.integers(min_value=1_000_000_000, max_value=4_102_444_800),
    micros=st.integers(min_value=0, max_value=999_999),
)
def test_stamp_is_exact_to_the_microsecond(seconds: int, micros: int) -> None:
    raw = a_message(b"Hangup", [("Cause", "16"), ("Uniqueid", "1.0")], f"{seconds}.{micros:06d}")
    reader = Reader()
    for _ in range(2):
        found = reader.read(raw, RECEIVED)
        assert found is not None
        assert found.at == EPOCH + timedelta(seconds=seconds, microseconds=micros)
        assert found.at.tzinfo is UTC
        assert not found.at_is_receipt


def test_system_name_is_compared_every_time() -> None:
    raw = a_channel(SystemName="lab")
    ours, another = Reader(system_name="lab"), Reader(system_name="another")
    for _ in range(2):
        assert isinstance(ours.read(raw, RECEIVED), Newchannel)
        with pytest.raises(Malformed, match="SystemName"):
            another.read(raw, RECEIVED)


def test_every_kind_that_is_wanted_has_a_name_and_its_fields_a_header() -> None:
    assert set(reading._FIELDS) == set(KINDS.values())
    named = by_name({Newchannel, Hangup})
    assert named == {b"Newchannel": Newchannel, b"Hangup": Hangup}
    headers = [field.header for known in reading._FIELDS.values() for field in known]
    assert all(re.fullmatch(r"[A-Z][A-Za-z-]*", header) for header in headers)
    assert [field.name for field in fields(AmiMessage)] == ["at", "at_is_receipt"]
