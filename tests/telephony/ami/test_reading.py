"""AMI messages at the door: what Asterisk writes is understood, what it never writes is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.ami.messages import (
    KINDS,
    AmiMessage,
    FullyBooted,
    Hangup,
    Newchannel,
    QueueMemberItem,
    QueueMemberPause,
    StatusItem,
)
from telephony.ami.reading import Malformed, Reader

RECEIVED = datetime(2026, 11, 24, 10, tzinfo=UTC)


def parse(raw: bytes, received_at: datetime, system_name: str | None = None) -> AmiMessage | None:
    """By a reader that has seen nothing yet."""
    return Reader(system_name=system_name).read(raw, received_at)


def event(name: str, *lines: str, stamped: bool = True) -> bytes:
    envelope = ["Privilege: call,all"]
    if stamped:
        envelope += ["Timestamp: 1795516416.877140", "SystemName: lab"]
    return "\r\n".join([f"Event: {name}", *envelope, *lines]).encode()


def test_headers_become_fields() -> None:
    found = parse(
        event(
            "Newchannel",
            "Channel: PJSIP/trunk-00000000",
            "CallerIDNum: 13800138000",
            "CallerIDName: 王建国",
            "Exten: 4001",
            "Uniqueid: lab-1795516416.0",
            "Linkedid: lab-1795516416.0",
        ),
        RECEIVED,
    )
    assert isinstance(found, Newchannel)
    assert (found.caller_id_num, found.caller_id_name) == ("13800138000", "王建国")
    assert (found.unique_id, found.linked_id) == ("lab-1795516416.0", "lab-1795516416.0")
    assert found.at == datetime.fromtimestamp(1795516416, UTC) + timedelta(microseconds=877140)
    assert not found.at_is_receipt


def test_without_a_stamp_the_moment_of_receipt_stands_and_the_message_says_so() -> None:
    found = parse(event("Hangup", "Cause: 16", stamped=False), RECEIVED)
    assert found is not None
    assert (found.at, found.at_is_receipt) == (RECEIVED, True)


def test_event_that_nobody_wants_is_none_whatever_stands_in_it() -> None:
    assert parse(b"Event: VarSet\r\nValue: \x00\x01", RECEIVED) is None
    assert parse(b"Response: Success\r\nMessage: x", RECEIVED) is None


@pytest.mark.parametrize("empty", ["CallerIDName: ", "CallerIDName: <unknown>", "CallerIDName:"])
def test_unknown_and_empty_are_none(empty: str) -> None:
    found = parse(event("Newchannel", empty), RECEIVED)
    assert isinstance(found, Newchannel)
    assert found.caller_id_name is None


@pytest.mark.parametrize(
    ("escaped", "name"),
    [
        (r"O\'Hara", "O'Hara"),
        (r"\"quoted\"", '"quoted"'),
        (r"back\\slash", "back\\slash"),
        (r"two\nlines", "twolines"),
    ],
)
def test_escaped_name_is_unescaped_and_never_holds_a_line_break(escaped: str, name: str) -> None:
    found = parse(event("Newchannel", f"CallerIDName: {escaped}"), RECEIVED)
    assert isinstance(found, Newchannel)
    assert found.caller_id_name == name


def test_bytes_that_are_no_utf8_are_kept_readable() -> None:
    found = parse(event("Newchannel") + b"\r\nExten: \xcd\xf5\xbd", RECEIVED)
    assert isinstance(found, Newchannel)
    assert found.exten == r"\xcd\xf5\xbd"


def test_unknown_header_is_no_reason_to_refuse_even_when_it_comes_twice() -> None:
    raw = event("Hangup", "Cause: 16", "ChanVariable: ZX_A=1", "ChanVariable: ZX_B=2", "New: x")
    found = parse(raw, RECEIVED)
    assert isinstance(found, Hangup)
    assert found.cause == 16


@pytest.mark.parametrize(
    "raw",
    [
        event("Hangup", "Uniqueid: 1.0", "Uniqueid: 2.0"),
        event("Hangup", "Event: AgentConnect"),
        event("Hangup", "Timestamp: 1795516416.877140"),
        b"Event: Hangup\r\nUniqueid: 1.0\r\nTimestamp: 1795516416.877140\r\nPrivilege: call,all",
        b"Event: Hangup\r\nTimestamp: 1795516416.877140",
        event("Hangup", "no colon at all"),
        *(
            event("Newchannel", f"{header}: 1{control}2")
            for header in ("Channel", "Uniqueid", "Linkedid", "Context")
            for control in ("\x00", "\x1b", "\x7f", "\x85", "\n", "\r")
        ),
    ],
)
def test_what_asterisk_never_writes_is_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        parse(raw, RECEIVED)


@pytest.mark.parametrize("header", ["CallerIDName", "CallerIDNum", "Exten"])
@pytest.mark.parametrize("control", ["\x00", "\x1b", "\x7f", "\x85", "\nb: ", "\r"])
def test_control_character_in_what_a_caller_writes_costs_that_character_only(
    header: str, control: str
) -> None:
    reader = Reader()
    for honest in range(2):  # read carefully, and again when the shape is known
        raw = event("Newchannel", f"{header}: 王{control}五", "Channel: PJSIP/x", "Uniqueid: 1.0")
        found = reader.read(raw, RECEIVED)
        assert isinstance(found, Newchannel)
        assert (found.channel, found.unique_id) == ("PJSIP/x", "1.0")
        values = {found.caller_id_name, found.caller_id_num, found.exten}
        assert values == {None, f"王\ufffd{control[1:]}五"}
        assert reader.mended == honest + 1


def test_reason_of_a_pause_is_what_people_write_and_the_queue_is_not() -> None:
    reader = Reader()
    found = reader.read(event("QueueMemberPause", "Queue: q", "PausedReason: 午\x07休"), RECEIVED)
    assert isinstance(found, QueueMemberPause)
    assert (found.paused_reason, reader.mended) == ("午\ufffd休", 1)
    with pytest.raises(Malformed, match="Queue"):
        reader.read(event("QueueMemberPause", "Queue: q\x07"), RECEIVED)


def test_control_character_where_nobody_reads_is_nobodys_business() -> None:
    reader = Reader()
    for value in ("x", "x\x00\ny", "x\ry"):
        found = reader.read(event("Hangup", f"AccountCode: {value}", "Cause: 16"), RECEIVED)
        assert isinstance(found, Hangup)
        assert found.cause == 16
    assert reader.mended == 0


def test_channel_variables_are_mended_too() -> None:
    reader = Reader()
    found = reader.read(event("Status", "Variable: A=1\x002", "Uniqueid: 1.0"), RECEIVED)
    assert isinstance(found, StatusItem)
    assert (found.variables, reader.mended) == ((("A", "1\ufffd2"),), 1)


def test_reader_counts_what_it_was_not_told_to_want() -> None:
    reader = Reader({Hangup})
    assert reader.read(event("Newchannel"), RECEIVED) is None
    assert reader.read(b"Event: Newchannel", RECEIVED) is None
    assert reader.ignored == {b"Newchannel": 2}
    reader.want({Newchannel})
    assert isinstance(reader.read(event("Newchannel"), RECEIVED), Newchannel)
    assert isinstance(reader.read(event("Hangup"), RECEIVED), Hangup)


def test_event_of_another_system_is_refused_where_the_name_is_ours() -> None:
    with pytest.raises(Malformed, match="SystemName"):
        parse(event("Hangup"), RECEIVED, "another")
    assert isinstance(parse(event("Hangup"), RECEIVED, "lab"), Hangup)


def test_answers_to_our_own_actions_and_the_greeting_carry_no_system_name() -> None:
    item = b"Event: QueueMember\r\nQueue: q\r\nName: 1001\r\nLocation: PJSIP/8001\r\nActionID: a"
    found = parse(item, RECEIVED, "lab")
    assert isinstance(found, QueueMemberItem)
    assert (found.member_name, found.interface) == ("1001", "PJSIP/8001")
    booted = parse(b"Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: 7", RECEIVED, "lab")
    assert isinstance(booted, FullyBooted)
    assert booted.uptime == 7


def test_channel_variables_of_a_status_item_the_first_of_a_name_stands() -> None:
    raw = event("Status", "Variable: A=1", "Variable: B=x=y", "Variable: A=2", stamped=False)
    found = parse(raw, RECEIVED)
    assert isinstance(found, StatusItem)
    assert found.variables == (("A", "1"), ("B", "x=y"))


@given(
    st.sampled_from(sorted(KINDS)),
    st.lists(st.binary(max_size=40), max_size=8),
)
def test_any_bytes_are_a_message_or_malformed_and_nothing_else(
    name: bytes, lines: list[bytes]
) -> None:
    raw = b"\r\n".join([b"Event: " + name, *lines])
    try:
        found = parse(raw, RECEIVED)
    except Malformed:
        return
    assert found is not None


@given(value=st.text(max_size=60), header=st.sampled_from(["CallerIDName", "CallerIDNum", "Exten"]))
def test_no_value_of_a_caller_changes_another_field(value: str, header: str) -> None:
    honest = ["Context: in", "Uniqueid: 1.0", "Linkedid: 1.0", "Channel: PJSIP/x"]
    raw = event("Newchannel", f"{header}: {value}", *honest)
    try:
        found = parse(raw, RECEIVED)
    except Malformed:
        return
    assert isinstance(found, Newchannel)
    assert (found.context, found.unique_id, found.linked_id, found.channel) == (
        "in",
        "1.0",
        "1.0",
        "PJSIP/x",
    )
