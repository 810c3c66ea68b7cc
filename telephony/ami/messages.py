"""AMI messages as typed values: headers are parsed once, here at the door. Pure.

Classes keep Asterisk's spelling; a field is the header's name in snake_case (`Uniqueid` →
`unique_id`). `parse` takes the bytes of one message without the blank line that ends it, and answers
None for an event nobody wants (the name is looked at before anything else is). What a caller can set
stands in some headers, so every message is hostile input: `Malformed` is raised for the four things
that Asterisk itself never sends (reliability: quarantine), and for nothing else.

A busy centre sends some thousand messages a second, nearly all of them in a handful of shapes: which
headers, in which order. The first of a shape is read carefully (`_carefully`); what that accepted
becomes a regular expression, and the next of the same shape is checked and cut up by it in one go.
Whatever does not fit a shape to the last byte is read carefully again.

Asterisk writes `<unknown>` for an empty name or number: None here. Names in channel snapshots are
C-escaped (`O\\'Hara`), and cut at 79 bytes, in the middle of a character if need be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from crm_core.ids import BootId

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Malformed(ValueError):
    """A message that Asterisk did not write so: kept in the flight recorder, counted, never folded."""


@dataclass(slots=True)
class AmiMessage:
    """`at` is Asterisk's stamp, or the moment of receipt where there is none (`at_is_receipt`).

    Nobody changes a message. It is not frozen all the same: to make a frozen one takes 1.3 µs longer,
    as long as a fifth of all that is done about it (measured, P5).
    """

    at: datetime
    at_is_receipt: bool


@dataclass(slots=True)
class _OfChannel(AmiMessage):
    """A snapshot of one channel."""

    channel: str | None
    channel_state_desc: str | None
    caller_id_num: str | None
    caller_id_name: str | None
    connected_line_num: str | None
    context: str | None
    exten: str | None
    unique_id: str | None
    linked_id: str | None


@dataclass(slots=True)
class Newchannel(_OfChannel):
    pass


@dataclass(slots=True)
class Newstate(_OfChannel):
    pass


@dataclass(slots=True)
class Hangup(_OfChannel):
    cause: int | None
    cause_txt: str | None


@dataclass(slots=True)
class Hold(_OfChannel):
    pass


@dataclass(slots=True)
class Unhold(_OfChannel):
    pass


@dataclass(slots=True)
class Rename(AmiMessage):
    """A masquerade gave a channel another name: state is keyed by Uniqueid, never by name."""

    channel: str | None
    new_name: str | None
    unique_id: str | None


@dataclass(slots=True)
class _OfTwoChannels(_OfChannel):
    """A snapshot of a channel and of the one it rings; for an Originate the first is missing."""

    dest_channel: str | None
    dest_caller_id_num: str | None
    dest_context: str | None
    dest_unique_id: str | None
    dest_linked_id: str | None


@dataclass(slots=True)
class DialBegin(_OfTwoChannels):
    dial_string: str | None


@dataclass(slots=True)
class DialState(_OfTwoChannels):
    dial_status: str | None


@dataclass(slots=True)
class DialEnd(_OfTwoChannels):
    """`dial_status`: ANSWER, BUSY, CANCEL, CHANUNAVAIL, CONGESTION, NOANSWER, ABORT …"""

    dial_status: str | None


@dataclass(slots=True)
class _OfBridge(AmiMessage):
    bridge_unique_id: str | None
    bridge_type: str | None
    bridge_technology: str | None


@dataclass(slots=True)
class BridgeCreate(_OfBridge):
    pass


@dataclass(slots=True)
class BridgeDestroy(_OfBridge):
    pass


@dataclass(slots=True)
class BridgeEnter(_OfBridge):
    """`swap_unique_id`: the channel this one takes the place of."""

    channel: str | None
    unique_id: str | None
    linked_id: str | None
    swap_unique_id: str | None


@dataclass(slots=True)
class BridgeLeave(_OfBridge):
    channel: str | None
    unique_id: str | None
    linked_id: str | None


@dataclass(slots=True)
class BridgeMerge(AmiMessage):
    to_bridge_unique_id: str | None
    from_bridge_unique_id: str | None


@dataclass(slots=True)
class QueueCallerJoin(_OfChannel):
    queue: str | None
    position: int | None
    count: int | None


@dataclass(slots=True)
class QueueCallerLeave(_OfChannel):
    """Comes before AgentConnect too: alone it does not mean abandoned."""

    queue: str | None
    position: int | None
    count: int | None


@dataclass(slots=True)
class QueueCallerAbandon(_OfChannel):
    """Sent for every exit without an agent, time-outs too (434 of 434 measured)."""

    queue: str | None
    position: int | None
    original_position: int | None
    hold_time: int | None


@dataclass(slots=True)
class AgentCalled(_OfTwoChannels):
    queue: str | None
    interface: str | None
    member_name: str | None


@dataclass(slots=True)
class AgentConnect(_OfTwoChannels):
    """`ring_time` and `hold_time` in seconds."""

    queue: str | None
    interface: str | None
    member_name: str | None
    ring_time: int | None
    hold_time: int | None


@dataclass(slots=True)
class AgentComplete(_OfTwoChannels):
    """`reason`: caller, agent or transfer. May come without Uniqueid when the caller is gone."""

    queue: str | None
    interface: str | None
    member_name: str | None
    hold_time: int | None
    talk_time: int | None
    reason: str | None


@dataclass(slots=True)
class AgentRingNoAnswer(_OfTwoChannels):
    """`ring_time` in milliseconds."""

    queue: str | None
    interface: str | None
    member_name: str | None
    ring_time: int | None


@dataclass(slots=True)
class AgentDump(_OfTwoChannels):
    queue: str | None
    interface: str | None
    member_name: str | None


@dataclass(slots=True)
class _OfMember(AmiMessage):
    queue: str | None
    interface: str | None
    member_name: str | None
    state_interface: str | None
    paused: bool
    paused_reason: str | None
    in_call: bool
    status: int | None
    """The device's state: 1 not in use, 2 in use, 5 unavailable, 6 ringing …"""


@dataclass(slots=True)
class QueueMemberStatus(_OfMember):
    pass


@dataclass(slots=True)
class QueueMemberAdded(_OfMember):
    pass


@dataclass(slots=True)
class QueueMemberRemoved(_OfMember):
    pass


@dataclass(slots=True)
class QueueMemberPause(_OfMember):
    pass


@dataclass(slots=True)
class LocalBridge(AmiMessage):
    local_one_channel: str | None
    local_one_unique_id: str | None
    local_two_channel: str | None
    local_two_unique_id: str | None


@dataclass(slots=True)
class BlindTransfer(AmiMessage):
    result: str | None
    transferer_channel: str | None
    transferer_unique_id: str | None
    transferee_channel: str | None
    transferee_unique_id: str | None
    context: str | None
    extension: str | None


@dataclass(slots=True)
class AttendedTransfer(AmiMessage):
    result: str | None
    orig_transferer_unique_id: str | None
    second_transferer_unique_id: str | None
    transferee_unique_id: str | None
    transfer_target_unique_id: str | None
    dest_type: str | None


@dataclass(slots=True)
class Pickup(AmiMessage):
    channel: str | None
    unique_id: str | None
    target_channel: str | None
    target_unique_id: str | None


@dataclass(slots=True)
class OriginateResponse(AmiMessage):
    response: str | None
    unique_id: str | None
    reason: str | None


@dataclass(slots=True)
class FullyBooted(AmiMessage):
    """First event of a session. `uptime` in seconds, a second or two off."""

    uptime: int | None


@dataclass(slots=True)
class Shutdown(AmiMessage):
    pass


# --- items of snapshots ---------------------------------------------------------------------------


@dataclass(slots=True)
class StatusItem(_OfChannel):
    """`Status`: one live channel. `seconds` since it was created."""

    seconds: int | None
    bridge_id: str | None
    application: str | None
    """The application it is in, e.g. Queue."""
    data: str | None
    variables: tuple[tuple[str, str], ...]
    """The channel variables that were asked for."""


@dataclass(slots=True)
class CoreShowChannelItem(_OfChannel):
    """`CoreShowChannel`: one live channel; `duration` is `hh:mm:ss`."""

    duration: str | None
    bridge_id: str | None
    application: str | None
    application_data: str | None


@dataclass(slots=True)
class QueueParams(AmiMessage):
    queue: str | None
    calls: int | None


@dataclass(slots=True)
class QueueMemberItem(_OfMember):
    """`QueueMember` of QueueStatus, where interface and name are `Location` and `Name`."""


@dataclass(slots=True)
class QueueEntry(AmiMessage):
    """One waiting caller; `wait` in seconds."""

    queue: str | None
    position: int | None
    channel: str | None
    unique_id: str | None
    caller_id_num: str | None
    caller_id_name: str | None
    wait: int | None


@dataclass(slots=True)
class BridgeListItem(_OfBridge):
    bridge_num_channels: int | None


# --- what the link itself has to say, in the same line as the messages -----------------------------


@dataclass(slots=True)
class SnapshotBegan(AmiMessage):
    """A resync begins: items and live events follow in wire order."""

    boot: BootId


@dataclass(slots=True)
class SnapshotEnded(AmiMessage):
    """The resync is complete: what was open and did not show up is over."""

    boot: BootId


@dataclass(slots=True)
class LinkLost(AmiMessage):
    """Nothing is heard from here on."""


# --- headers to fields ----------------------------------------------------------------------------

_NAMES = {
    "caller_id_num": "CallerIDNum",
    "caller_id_name": "CallerIDName",
    "dest_caller_id_num": "DestCallerIDNum",
    "unique_id": "Uniqueid",
    "linked_id": "Linkedid",
    "dest_unique_id": "DestUniqueid",
    "dest_linked_id": "DestLinkedid",
    "bridge_unique_id": "BridgeUniqueid",
    "swap_unique_id": "SwapUniqueid",
    "to_bridge_unique_id": "ToBridgeUniqueid",
    "from_bridge_unique_id": "FromBridgeUniqueid",
    "cause_txt": "Cause-txt",
    "new_name": "Newname",
    "bridge_id": "BridgeID",
    "local_one_unique_id": "LocalOneUniqueid",
    "local_two_unique_id": "LocalTwoUniqueid",
    "transferer_unique_id": "TransfererUniqueid",
    "transferee_unique_id": "TransfereeUniqueid",
    "orig_transferer_unique_id": "OrigTransfererUniqueid",
    "second_transferer_unique_id": "SecondTransfererUniqueid",
    "transfer_target_unique_id": "TransferTargetUniqueid",
    "target_unique_id": "TargetUniqueid",
}

_OWN_NAMES: Mapping[type[AmiMessage], Mapping[str, str]] = {
    QueueMemberItem: {"interface": "Location", "member_name": "Name"},
    CoreShowChannelItem: {"bridge_id": "BridgeId"},
    QueueEntry: {},
    Hold: {},
}

_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def _text(value: str | None) -> str | None:
    return None if not value or value == "<unknown>" else value


def _name(value: str | None) -> str | None:
    """A C-escaped name; what an escape would make a control character of is left out."""
    if not value or value == "<unknown>":
        return None
    if "\\" not in value:
        return value
    return _ESCAPE.sub(lambda found: "" if found[1] in _ESCAPED else found[1], value) or None


def _number(value: str | None) -> int | None:
    return int(value) if value and value.isascii() and value.isdecimal() else None


def _claim(value: str | None) -> bool:
    return value == "1"


_ESCAPED_FIELDS = {"caller_id_name"}
_CONVERSIONS: Mapping[str, Callable[[str | None], Any]] = {
    "str | None": _text,
    "int | None": _number,
    "bool": _claim,
}

_Fields = tuple[tuple[str, Callable[[str | None], Any]], ...]


def _fields_of(kind: type[AmiMessage]) -> _Fields:
    own = _OWN_NAMES.get(kind, {})
    found = []
    for field in fields(kind)[2:]:
        header = own.get(field.name) or _NAMES.get(field.name)
        header = header or "".join(part.capitalize() for part in field.name.split("_"))
        if field.name == "variables":
            continue
        convert = _name if field.name in _ESCAPED_FIELDS else _CONVERSIONS[str(field.type)]
        found.append((header, convert))
    return tuple(found)


_EVENTS: Mapping[bytes, type[AmiMessage]] = {
    **{
        kind.__name__.encode(): kind
        for kind in (
            Newchannel, Newstate, Hangup, Hold, Unhold, Rename, DialBegin, DialState, DialEnd,
            BridgeCreate, BridgeDestroy, BridgeEnter, BridgeLeave, BridgeMerge,
            QueueCallerJoin, QueueCallerLeave, QueueCallerAbandon,
            AgentCalled, AgentConnect, AgentComplete, AgentRingNoAnswer, AgentDump,
            QueueMemberStatus, QueueMemberAdded, QueueMemberRemoved, QueueMemberPause,
            LocalBridge, BlindTransfer, AttendedTransfer, Pickup, OriginateResponse,
            FullyBooted, Shutdown, QueueParams, QueueEntry, BridgeListItem,
        )
    },
    b"Status": StatusItem,
    b"CoreShowChannel": CoreShowChannelItem,
    b"QueueMember": QueueMemberItem,
}  # fmt: skip

WANTED = frozenset(_EVENTS)
"""Names of the events that become messages; the others are counted by who reads the bytes."""

_FIELDS: Mapping[type[AmiMessage], _Fields] = {kind: _fields_of(kind) for kind in _EVENTS.values()}
_SINGLE: Mapping[type[AmiMessage], frozenset[str]] = {
    kind: frozenset(
        {"Event", "Privilege", "Timestamp", "SystemName", "ActionID", *(name for name, _ in known)}
    )
    for kind, known in _FIELDS.items()
}

_CONTROL = bytes([*range(32), 127])
_C1 = re.compile("[\x80-\x9f]")
_MOST_BYTES = 1 << 20


def event_name(raw: bytes) -> bytes | None:
    """The event's name, without parsing the rest; None for a response."""
    if not raw.startswith(b"Event: "):
        return None
    end = raw.find(b"\r\n")
    return raw[7:] if end < 0 else raw[7:end]


def by_name(kinds: Iterable[type[AmiMessage]]) -> Mapping[bytes, type[AmiMessage]]:
    """Name of the event → what `read` makes of it, of these kinds only."""
    wanted = frozenset(kinds)
    return {name: kind for name, kind in _EVENTS.items() if kind in wanted}


def parse(raw: bytes, received_at: datetime, system_name: str | None = None) -> AmiMessage | None:
    """The message, or None for one that is not wanted. Raises `Malformed`."""
    kind = _EVENTS.get(event_name(raw) or b"")
    return None if kind is None else read(raw, kind, received_at, system_name)


def read(
    raw: bytes, kind: type[AmiMessage], received_at: datetime, system_name: str | None = None
) -> AmiMessage:
    """The event `raw`, whose name is that of `kind`. Raises `Malformed`.

    `system_name` is what our own `asterisk.conf` set there: an event that is not the answer to an
    action of ours and bears another, or none, is not Asterisk's. None: a foreign site, not checked.
    """
    if system_name is None:
        text = raw.decode("utf-8", "backslashreplace")
        for shape in _SHAPES[kind]:
            if found := shape.pattern.fullmatch(text):
                return shape.message(found, received_at)
    return _carefully(raw, kind, received_at, system_name)


def _carefully(
    raw: bytes, kind: type[AmiMessage], received_at: datetime, system_name: str | None = None
) -> AmiMessage:
    if len(raw) > _MOST_BYTES:
        raise Malformed("longer than a megabyte")
    text = raw.decode("utf-8", "backslashreplace")
    lines = text.split("\r\n")
    # Deleting and counting bytes is ten times faster than a regular expression over the text.
    if len(raw.translate(None, _CONTROL)) + 2 * (len(lines) - 1) != len(raw) or (
        b"\xc2" in raw and _C1.search(text)
    ):
        raise Malformed("a control character in a value")
    headers = _headers(lines, _SINGLE[kind])
    at, is_receipt = _moment(headers, received_at)
    if (
        system_name is not None
        and "ActionID" not in headers
        and kind is not FullyBooted
        and headers.get("SystemName") != system_name
    ):
        raise Malformed("another SystemName than ours")
    get = headers.get
    values = [convert(get(header)) for header, convert in _FIELDS[kind]]
    if kind is StatusItem:
        values.append(_variables(text))
    else:
        _learn(kind, lines)
    return kind(at, is_receipt, *values)


def _headers(lines: list[str], single: frozenset[str]) -> dict[str, str]:
    try:
        headers = dict([line.split(": ", 1) for line in lines])
    except ValueError:
        headers = {}
        for line in lines:
            header, colon, value = line.partition(":")
            if not colon:
                raise Malformed("a line without a colon") from None
            headers.setdefault(header, value[1:] if value.startswith(" ") else value)
    if len(headers) != len(lines):
        _refuse_doubled(lines, single)
    if ("Timestamp" in headers and not lines[2].startswith("Timestamp: ")) or (
        "Privilege" in headers and not lines[1].startswith("Privilege: ")
    ):
        raise Malformed("an envelope out of order")
    return headers


def _refuse_doubled(lines: list[str], single: frozenset[str]) -> None:
    seen: set[str] = set()
    for line in lines:
        header = line.partition(":")[0]
        if header in seen and header in single:
            raise Malformed(f"{header} comes twice")
        seen.add(header)


def _moment(headers: Mapping[str, str], received_at: datetime) -> tuple[datetime, bool]:
    stamp = headers.get("Timestamp", "")
    # 1795516416.877140: ten digits, a point, six; anything else is a foreign site's business.
    if len(stamp) != 17 or stamp[10] != "." or not (stamp[:10] + stamp[11:]).isdecimal():
        return received_at, True
    return _EPOCH + timedelta(seconds=int(stamp[:10]), microseconds=int(stamp[11:])), False


# --- shapes ---------------------------------------------------------------------------------------

_MOST_SHAPES = 8
"""Of one kind; a version of Asterisk has one or two. A caller who could invent more starts them anew."""

_CHARACTER = r"[^\x00-\x1f\x7f-\x9f]"
_VALUE = f"(?:<unknown>(?![^\r])|({_CHARACTER}++)?)"
"""Empty and `<unknown>` leave the group out, which makes them None."""
_STAMP = r"([0-9]{10}\.[0-9]{6})"


@dataclass(frozen=True, slots=True)
class _Shape:
    """The headers of one kind of message in their order, as one pattern over the whole of it.

    `places` are the groups of the fields, in the order of the fields; `conversions` those fields
    that are more than text, `escaped` those where a backslash means something; `stamp` is the group
    of the Timestamp, 0 where there is none.
    """

    kind: type[AmiMessage]
    pattern: re.Pattern[str]
    places: tuple[int, ...]
    conversions: tuple[tuple[int, Callable[[str | None], Any]], ...]
    escaped: tuple[tuple[int, Callable[[str | None], Any]], ...]
    stamp: int

    def message(self, found: re.Match[str], received_at: datetime) -> AmiMessage:
        values: Any = found.group(*self.places)
        conversions = self.conversions
        if "\\" in found.string:
            conversions += self.escaped
        if conversions:
            values = list(values)
            for place, convert in conversions:
                values[place] = convert(values[place])
        if not self.stamp:
            return self.kind(received_at, True, *values)
        # A double tells microseconds apart until the year 2242.
        return self.kind(datetime.fromtimestamp(float(found[self.stamp]), UTC), False, *values)


_SHAPES: Mapping[type[AmiMessage], list[_Shape]] = {kind: [] for kind in _EVENTS.values()}


def _learn(kind: type[AmiMessage], lines: Sequence[str]) -> None:
    """From a message that was read carefully and found good: the pattern of all that look like it."""
    names = [line.partition(": ")[0] for line in lines]
    # `Match.group` gives a tuple for two groups and more; the kinds with fewer fields are rare.
    if len(_FIELDS[kind]) < 2 or any(": " not in line for line in lines):
        return
    wanted = {header for header, _ in _FIELDS[kind]}
    groups: dict[str, int] = {}
    parts = [re.escape(lines[0])]
    for name, line in zip(names[1:], lines[1:], strict=True):
        value = f"{_CHARACTER}*+"
        if name == "Timestamp" and re.fullmatch(_STAMP, line.removeprefix("Timestamp: ")):
            value = _STAMP
        elif name in wanted and name not in groups:
            value = _VALUE
        if value in (_STAMP, _VALUE):
            groups[name] = len(groups) + 1
        parts.append(f"{re.escape(name)}: {value}")
    missing = len(groups) + 1  # the last group can never take part: None
    converted = [
        (place, convert) for place, (_, convert) in enumerate(_FIELDS[kind]) if convert is not _text
    ]
    if len(_SHAPES[kind]) >= _MOST_SHAPES:
        _SHAPES[kind].clear()
    _SHAPES[kind].append(
        _Shape(
            kind=kind,
            pattern=re.compile("\r\n".join(parts) + "(?:|((?!)))"),
            places=tuple(groups.get(header, missing) for header, _ in _FIELDS[kind]),
            conversions=tuple(each for each in converted if each[1] is not _name),
            escaped=tuple(each for each in converted if each[1] is _name),
            stamp=groups.get("Timestamp", 0),
        )
    )


def _variables(text: str) -> tuple[tuple[str, str], ...]:
    """`Variable: NAME=value` (and `ChanVariable`) of a Status item, the first of each name."""
    found: dict[str, str] = {}
    for line in text.split("\r\n"):
        header, _, value = line.partition(": ")
        if header in ("Variable", "ChanVariable"):
            name, equals, content = value.partition("=")
            if equals:
                found.setdefault(name, content)
    return tuple(found.items())
