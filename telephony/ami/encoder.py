"""The only writer to an AMI socket: a typed action becomes one frame, or nothing is sent.

CR LF *and* a bare LF end a line in Asterisk, and text that becomes a line is the headline class of
telephony holes (one send became two actions: measured). So each value must match the rule of its
kind, and the finished frame is parsed back and compared before it leaves. Asterisk refuses lines
above 1,024 bytes and takes the first of two equal headers; neither can be made here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import fields

from crm_core.errors import Invalid
from telephony.ami.actions import Action

_LONGEST_LINE = 1000

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")


def _matching(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(value) is not None


def _printable(most: int) -> Callable[[str], bool]:
    def fits(value: str) -> bool:
        return (
            0 < len(value.encode("utf-8", "surrogatepass")) <= most
            and _UNPRINTABLE.search(value) is None
            and value == value.strip()
            and not any("\ud800" <= letter <= "\udfff" for letter in value)
        )

    return fits


RULES: dict[str, Callable[[str], bool]] = {
    "account": _matching(r"[A-Za-z0-9_.-]{1,64}"),
    "secret": _printable(128),
    "mask": _matching(r"on|off|[a-z]+(,[a-z]+)*"),
    "variables": _matching(r"[A-Za-z0-9_]*(,[A-Za-z0-9_]+)*"),
    "queue": _printable(79),
    "name": _printable(79),
    "interface": _matching(r"[A-Za-z0-9]{2,12}/[A-Za-z0-9_.@/+:;-]{1,110}"),
    "channel": _matching(r"[A-Za-z0-9]{2,12}/[A-Za-z0-9_.@/+:;=-]{1,110}"),
    "context": _matching(r"[a-z-]{1,79}"),
    "context_or_all": _matching(r"[a-z-]{0,79}"),
    "exten": _matching(r"[a-z]"),
    "target": _matching(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,78}"),
    "target_or_all": _matching(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,78})?"),
    "channel_id": _matching(r"[A-Za-z0-9]{1,32}-[0-9]{1,12}\.[0-9]{1,6}|zx-listen-[0-9a-f]{8,64}"),
    "digits": _matching(r"[0-9]{0,24}"),
    "digit": _matching(r"[0-9A-D*#]"),
    "variable": _matching(r"[A-Z][A-Z_]{0,40}"),
    "value": _matching(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,78})?"),
    "reason": lambda value: value == "" or _printable(79)(value),
    "module": _matching(r"[a-z0-9_]{1,40}(\.so)?"),
    "file": _matching(r"[a-z0-9_-]{1,40}(/[a-z0-9_-]{1,40})?\.conf"),
    "category": _matching(r"[\w.-]{0,79}"),
    "count": _matching(r"[0-9]{1,6}"),
    "spied": _matching(r"(ZX_LISTEN=[A-Za-z0-9.-]{1,150})?"),
    "claim": _matching(r"true|false"),
    "action_id": _matching(r"[A-Za-z0-9-]{1,64}"),
}
"""Kind of value → what it may be."""


def headers_of(action: Action, action_id: str) -> list[tuple[str, str]]:
    """Header by header, in order. Raises `Invalid` for a value that its kind does not allow."""
    found = [("Action", type(action).__name__), ("ActionID", _checked("action_id", action_id))]
    for field in fields(action):
        header, kind = action.HEADERS[field.name]
        value = getattr(action, field.name)
        text = ("true" if value else "false") if isinstance(value, bool) else str(value)
        if _checked(kind, text):
            found.append((header, text))
    return found


def _checked(kind: str, value: str) -> str:
    if not RULES[kind](value):
        shown = "(not shown)" if kind == "secret" else repr(value[:60])
        raise Invalid(f"{shown} cannot be sent to Asterisk as {kind}")
    return value


def encode(headers: list[tuple[str, str]]) -> bytes:
    """The frame. Raises `Invalid` if it would not be read back as exactly these headers."""
    lines = [f"{header}: {value}".encode() for header, value in headers]
    frame = b"\r\n".join(lines) + b"\r\n\r\n"
    if any(len(line) > _LONGEST_LINE for line in lines) or read_back(frame) != [headers]:
        raise Invalid(f"{headers[0][1]} cannot be sent to Asterisk: a value changes the frame")
    return frame


def read_back(data: bytes) -> list[list[tuple[str, str]]]:
    """`data` as Asterisk reads it: actions, each a list of headers; LF alone ends a line too."""
    actions: list[list[tuple[str, str]]] = []
    present: list[tuple[str, str]] = []
    for line in data.decode("utf-8").replace("\r\n", "\n").split("\n"):
        if line:
            header, _, value = line.partition(":")
            present.append((header, value.lstrip(" ")))
        elif present:
            actions.append(present)
            present = []
    return [*actions, present] if present else actions


def send(transport: asyncio.WriteTransport, headers: list[tuple[str, str]]) -> None:
    """Write one action. The one place in the project that writes to an AMI socket."""
    transport.write(encode(headers))
