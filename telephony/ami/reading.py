"""From the bytes of an AMI message to its typed value. Pure.

What a caller can set stands in some headers, so every message is hostile input. `Malformed` is raised
for the four things that Asterisk itself never sends (reliability: quarantine), and for nothing else;
a control character in what people write (names, numbers, reasons) costs that character only.

A busy centre sends some thousand messages a second, nearly all of them in a handful of shapes: which
headers, in which order. The first of a shape is read carefully (`_carefully`); what that accepted
becomes a regular expression, and the next of the same shape is checked and cut up by it in one go.
Whatever does not fit a shape to the last byte is read carefully again.

Asterisk writes `<unknown>` for an empty name or number: None here. Names in channel snapshots are
C-escaped (`O\\'Hara`), and cut at 79 bytes, in the middle of a character if need be.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from telephony.ami.messages import (
    KINDS,
    AmiMessage,
    CoreShowChannelItem,
    FullyBooted,
    QueueMemberItem,
    StatusItem,
    by_name,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_from_timestamp = datetime.fromtimestamp


class Malformed(ValueError):
    """A message that Asterisk did not write so: kept in the flight recorder, counted, never folded."""


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
    "to_bridge_unique_id": "ToBridgeUniqueid",
    "from_bridge_unique_id": "FromBridgeUniqueid",
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
}

_ESCAPED_FIELDS = {"caller_id_name"}

_FREE_TEXT = frozenset(
    {
        *("caller_id_num", "caller_id_name", "dest_caller_id_num", "exten", "extension"),
        *("member_name", "paused_reason", "data", "application_data"),
    }
)
"""What callers, agents and administrators write. By all other fields something is known or found."""

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


_Convert = Callable[[str | None], Any]
_CONVERSIONS: Mapping[str, _Convert] = {
    "str | None": _text,
    "int | None": _number,
    "bool": _claim,
}


class _Field(NamedTuple):
    """Where a field comes from. `free`: people write it, so that a character of it may be bad."""

    header: str
    convert: _Convert
    free: bool


def _fields_of(kind: type[AmiMessage]) -> tuple[_Field, ...]:
    own = _OWN_NAMES.get(kind, {})
    found = []
    for field in fields(kind)[2:]:
        header = own.get(field.name) or _NAMES.get(field.name)
        header = header or "".join(part.capitalize() for part in field.name.split("_"))
        if field.name == "variables":
            continue
        convert = _name if field.name in _ESCAPED_FIELDS else _CONVERSIONS[str(field.type)]
        found.append(_Field(header, convert, field.name in _FREE_TEXT))
    return tuple(found)


_FIELDS: Mapping[type[AmiMessage], tuple[_Field, ...]] = {
    kind: _fields_of(kind) for kind in KINDS.values()
}
_SINGLE: Mapping[type[AmiMessage], frozenset[str]] = {
    kind: frozenset(
        {"Event", "Privilege", "Timestamp", "SystemName", "ActionID", *(each[0] for each in known)}
    )
    for kind, known in _FIELDS.items()
}

# --- shapes ---------------------------------------------------------------------------------------

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_UNKNOWN = "<unknown>(?![^\r])"
"""This and an empty value leave the group out, which makes them None."""
_IDENTITY = f"(?:{_UNKNOWN}|([ -~]++)|)"
"""Asterisk makes them up; were one not ASCII, its message is read carefully, and as well."""
_VALUE = f"(?:{_UNKNOWN}|([ -~]++[^\x00-\x1f\x7f-\x9f]*+|[^\x00-\x1f\x7f-\x9f]++)|)"
"""ASCII first: one range is looked up twice as fast as what is not in two."""
_UNREAD = "[^\r]*+"
_STAMP = r"([0-9]{10}\.[0-9]{6})"
"""1795516416.877140; anything else is a foreign site's business."""


_Shape = Callable[[str, datetime], AmiMessage | None]
"""The message in a text that was received then; None: the text is of another shape."""

_Shapes = dict[tuple[str, ...], _Shape]
"""Of one kind of message, by its headers in their order."""


def _shape_of(kind: type[AmiMessage], headers: Sequence[str]) -> _Shape:
    """Of the messages of this kind that have these headers, in this order, and nothing odd in them."""
    wanted = {field.header for field in _FIELDS[kind]}
    groups: dict[str, int] = {}
    parts = []
    for header in headers:
        value = _UNREAD
        if header == "Timestamp":
            value = _STAMP
        elif header in wanted and header not in groups:
            value = _IDENTITY if header.endswith(("id", "Channel")) else _VALUE
        if value is not _UNREAD:
            groups[header] = len(groups) + 1
        parts.append(f"{re.escape(header)}: {value}")
    missing = len(groups) + 1  # the last group can never take part: None
    return _reader(
        kind,
        re.compile("\r\n".join(parts) + "(?:|((?!)))").fullmatch,
        tuple(groups.get(field.header, missing) for field in _FIELDS[kind]),
        groups.get("Timestamp", 0),
    )


def _reader(
    kind: type[AmiMessage],
    fullmatch: Callable[[str], re.Match[str] | None],
    places: tuple[int, ...],
    stamp: int,
) -> _Shape:
    """`places` are the groups of the fields, in their order; `stamp` the Timestamp's, 0: there is none."""
    converted = [
        (place, field.convert)
        for place, field in enumerate(_FIELDS[kind])
        if field.convert is not _text
    ]
    always = tuple(each for each in converted if each[1] is not _name)
    escaped = tuple(each for each in converted if each[1] is _name)

    def read(text: str, received_at: datetime) -> AmiMessage | None:
        found = fullmatch(text)
        if found is None:
            return None
        values: Any = found.group(*places)
        conversions = always + escaped if escaped and "\\" in text else always
        if conversions:
            values = list(values)
            for place, convert in conversions:
                values[place] = convert(values[place])
        if not stamp:
            return kind(received_at, True, *values)
        # A double tells microseconds apart until the year 2242.
        return kind(_from_timestamp(float(found[stamp]), UTC), False, *values)

    return read


# --- reading --------------------------------------------------------------------------------------


class Reader:
    """Reads what one Asterisk sends. Events of other kinds than `kinds` are only counted.

    `system_name` is what our own `asterisk.conf` set there: an event that is not the answer to an
    action of ours and bears another, or none, is not Asterisk's. None: a foreign site, not checked.
    """

    MOST_SHAPES: Final = 8
    """Of one kind; a version of Asterisk has one or two. A caller who could invent more starts them
    anew."""

    def __init__(
        self, kinds: Iterable[type[AmiMessage]] = KINDS.values(), system_name: str | None = None
    ) -> None:
        self.ignored: Counter[bytes] = Counter()
        """Events nobody wants, by name."""
        self.mended = 0
        """Values that held a control character: U+FFFD stands for it."""
        self._system_name = system_name
        self._kinds: dict[bytes, type[AmiMessage]] = {}
        self._shapes: dict[bytes, _Shapes] = {}
        self.want(kinds)

    def want(self, kinds: Iterable[type[AmiMessage]]) -> None:
        """Read these too from now on."""
        for name, kind in by_name(kinds).items():
            self._kinds[b"Event: " + name] = kind
            self._shapes.setdefault(b"Event: " + name, {})

    def read(self, raw: bytes, received_at: datetime) -> AmiMessage | None:
        """The message in `raw`, which lacks the blank line that ended it; None for one that nobody
        wants (its name is looked at before anything else is). Raises `Malformed`.
        """
        end = raw.find(b"\r\n")
        first = raw if end < 0 else raw[:end]
        shapes = self._shapes.get(first)
        if shapes is None:
            self.ignored[first[7:]] += 1
            return None
        text = raw.decode("utf-8", "backslashreplace")
        for shape in shapes.values():
            message = shape(text, received_at)
            if message is not None:
                return message
        return self._carefully(text, self._kinds[first], shapes, received_at)

    def _carefully(
        self, text: str, kind: type[AmiMessage], shapes: _Shapes, received_at: datetime
    ) -> AmiMessage:
        lines = text.split("\r\n")
        headers = _headers(lines, _SINGLE[kind])
        self._check_sender(kind, headers)
        values = [self._value(field, headers.get(field.header)) for field in _FIELDS[kind]]
        if kind is StatusItem:
            values.append(tuple(self._variables(lines)))
        elif self._system_name is None:
            self._learn(kind, lines, shapes)
        return kind(*_moment(headers, received_at), *values)

    def _learn(self, kind: type[AmiMessage], lines: Sequence[str], shapes: _Shapes) -> None:
        """From a message that was found good: the shape of all that look like it."""
        # `Match.group` gives a tuple for two groups and more; the kinds with fewer fields are rare.
        if len(_FIELDS[kind]) < 2 or any(": " not in line for line in lines):
            return
        headers = tuple(line.partition(": ")[0] for line in lines)
        if headers in shapes:
            return  # there was something odd in a value
        if len(shapes) >= self.MOST_SHAPES:
            shapes.clear()
        shapes[headers] = _shape_of(kind, headers)

    def _check_sender(self, kind: type[AmiMessage], headers: Mapping[str, str]) -> None:
        if self._system_name is None or "ActionID" in headers or kind is FullyBooted:
            return
        if headers.get("SystemName") != self._system_name:
            raise Malformed("another SystemName than ours")

    def _value(self, field: _Field, value: str | None) -> Any:
        if value and _CONTROL.search(value):
            if not field.free:
                raise Malformed(f"a control character in {field.header}")
            value = self._mended(value)
        return field.convert(value)

    def _mended(self, value: str) -> str:
        mended = _CONTROL.sub("\ufffd", value)
        self.mended += mended != value
        return mended

    def _variables(self, lines: Iterable[str]) -> Iterable[tuple[str, str]]:
        """`Variable: NAME=value` (and `ChanVariable`) of a Status item, the first of each name."""
        seen = set()
        for line in lines:
            header, _, value = line.partition(": ")
            name, equals, content = value.partition("=")
            if header in ("Variable", "ChanVariable") and equals and name not in seen:
                seen.add(name)
                yield self._mended(name), self._mended(content)


def _headers(lines: list[str], single: frozenset[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        header, colon, value = line.partition(":")
        if not colon:
            raise Malformed("a line without a colon")
        if header in headers and header in single:
            raise Malformed(f"{header} comes twice")
        headers.setdefault(header, value.removeprefix(" "))
    order = [line.partition(":")[0] for line in lines[:3]]
    for place, header in ((1, "Privilege"), (2, "Timestamp")):
        if header in headers and order[place : place + 1] != [header]:
            raise Malformed("an envelope out of order")
    return headers


def _moment(headers: Mapping[str, str], received_at: datetime) -> tuple[datetime, bool]:
    stamp = headers.get("Timestamp", "")
    if not re.fullmatch(_STAMP, stamp):
        return received_at, True
    return _EPOCH + timedelta(seconds=int(stamp[:10]), microseconds=int(stamp[11:])), False
