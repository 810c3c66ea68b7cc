"""Bytes of a `queue_log` file in, rows out.

A row is `epoch|uniqueid|queue|agent|VERB|data…`, one a line, written without any escaping and
without looking at write errors. So a full disk leaves a torn row with the next one glued to it, and
a caller's number may hold pipes and line breaks. What cannot be trusted is set aside, with its reason:
AMI saw the same call. Reading goes on at the next ten digits and pipe that begin a row.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

NUMBER_BYTES = 80
"""The longest caller number that Asterisk keeps: how far a line break in it can reach."""

LONGEST_ROW = 4096

REQUIRED_NUMBERS: dict[str, tuple[int, ...]] = {
    "COMPLETEAGENT": (-3, -2, -1),  # wait | talk | position
    "COMPLETECALLER": (-3, -2, -1),
    "BLINDTRANSFER": (-3, -2, -1),  # exten | context | wait | talk | position
    "ATTENDEDTRANSFER": (-3, -2, -1),  # kind | … | wait | talk | position
    "TRANSFER": (-3, -2, -1),  # before Asterisk 12: exten | context | wait | talk | position
    "CONNECT": (0,),  # wait | agent's channel | seconds it rang
    "ABANDON": (-1,),  # position | position at entry | wait
    "EXITWITHTIMEOUT": (-1,),
    "EXITEMPTY": (-1,),
    "EXITWITHKEY": (-1,),  # key | position | position at entry | wait
    "RINGNOANSWER": (0,),  # milliseconds
    "RINGCANCELED": (0,),
}
"""Places in a row's data (from its end where negative) that must hold whole numbers."""

OTHER_VERBS = frozenset(
    [
        "ENTERQUEUE",
        "AGENTDUMP",
        "WITHDRAW",
        "QUEUESTART",
        "CONFIGRELOAD",
        "DID",
        "INFO",
        "SYSCOMPAT",
        "ADDMEMBER",
        "REMOVEMEMBER",
        "PAUSE",
        "UNPAUSE",
        "PAUSEALL",
        "UNPAUSEALL",
        "PENALTY",
        "PRIORITY",
        "RINGINUSE",
        "AGENTLOGIN",
        "AGENTLOGOFF",
        "AGENTCALLBACKLOGIN",
        "AGENTCALLBACKLOGOFF",
        "ZX_LEFT",
        "ZX_DIALLED",
        "ZX_ENDED",
    ]
)

VERBS = OTHER_VERBS | REQUIRED_NUMBERS.keys()

FREE_TEXT = frozenset({"ENTERQUEUE", "DID", "INFO", "WITHDRAW", "ZX_DIALLED"})
"""Rows with somebody else's words in them. What looks like a row inside one is a forgery, as far as
anybody can tell, and is never taken for a glued row."""

HEADER = re.compile(rb"(\d{10})\|([^|]*)\|([^|]*)\|([^|]*)\|([A-Z][A-Z_]*)(?=\||$)")
EPOCH = re.compile(rb"(?=\d{10}\|)")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Row(NamedTuple):
    """One row, whole and plausible. `at` has whole seconds. (A tuple: a year has millions of them.)"""

    at: datetime
    unique_id: str
    queue: str
    agent: str
    verb: str
    data: tuple[str, ...]

    def number(self, place: int) -> int | None:
        """The whole number at this place of `data`, or None."""
        try:
            text = self.data[place]
        except IndexError:
            return None
        return int(text) if text.isdecimal() and text.isascii() and len(text) < 12 else None

    @property
    def caller_number(self) -> str | None:
        """Of ENTERQUEUE (`url|number|position`): the number, None where withheld or not a number."""
        number = "|".join(self.data[1:-1])
        return number if number and not CONTROL.search(number) and "|" not in number else None


@dataclass(frozen=True, slots=True)
class SetAside:
    """A piece of the file that told nothing, or less than it should have."""

    line: int
    """Counted from 1, from where reading began."""
    text: str
    reason: str


def _nobody(piece: SetAside) -> None:
    """Who does not ask is not told."""


class QueueLogParser:
    """Fed any pieces of the file in order; a row is answered once its line break has been seen.

    `tell` hears of every piece that is set aside.
    """

    def __init__(self, tell: Callable[[SetAside], None] = _nobody) -> None:
        self.quarantined = 0
        """Pieces that were not rows, or rows that cannot be trusted."""
        self.line = 0
        """The line that was read last."""
        self._tell = tell
        self._rest = b""
        self._doubtful = 0
        """Bytes that may still belong to a caller's number with a line break in it."""

    def feed(self, data: bytes) -> list[Row]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_ROW:
            self._set_aside(self._rest[:LONGEST_ROW], "longer than any row", self.line + 1)
            self._rest = b""
        found: list[Row] = []
        for line in lines:
            self.line += 1
            self._read(line.rstrip(b"\r"), found)
        return found

    def close(self) -> None:
        """Nothing follows: what has no line break was never finished."""
        if self._rest:
            self._set_aside(self._rest, "no line break at the end of the file", self.line + 1)
            self._rest = b""

    def _read(self, line: bytes, found: list[Row]) -> None:
        if self._doubtful > 0:
            self._doubtful = max(0, self._doubtful - len(line) - 1)
            self._set_aside(line, "may belong to the caller's number in a row before it")
            return
        place = 0
        while place < len(line):
            header = _header(line, place)
            if header is None:
                self._set_aside(line[place:], "not a row" if not place else "a torn row")
                return
            if header.start() > place:
                self._set_aside(line[place : header.start()], "a torn row")
            verb = header[5].decode()
            glued = None if verb in FREE_TEXT else _header(line, header.end())
            if glued is None:
                if row := self._row(header, line[header.start() :]):
                    found.append(row)
                return
            # Without its line break nobody knows where it was torn.
            place = glued.start()
            self._set_aside(line[header.start() : place], "torn: the next row is glued to it")

    def _row(self, header: re.Match[bytes], line: bytes) -> Row | None:
        _, unique_id, queue, agent, verb, *data = _text(line).split("|")
        row = Row(
            datetime.fromtimestamp(int(header[1]), UTC),
            unique_id,
            queue,
            agent,
            verb,
            tuple(data) or ("",),
        )
        if verb == "ENTERQUEUE" and (len(data) < 3 or row.number(-1) is None):
            # No position at the end: the number goes on in the next line. A pass was entered all
            # the same, and what follows may be rows that the caller wrote.
            self._doubtful = NUMBER_BYTES
            self._set_aside(line, "the caller's number has a line break in it")
            return row._replace(data=("", "", ""))
        for place in REQUIRED_NUMBERS.get(verb, ()):
            if row.number(place) is None:
                self._set_aside(line, f"{verb} without its whole numbers")
                return None
        if CONTROL.search(unique_id + queue + agent):
            self._set_aside(line, "a control character in a name")
            return None
        return row

    def _set_aside(self, text: bytes, reason: str, line: int | None = None) -> None:
        self.quarantined += 1
        self._tell(SetAside(line or self.line, _text(text), reason))


def _header(line: bytes, place: int) -> re.Match[bytes] | None:
    """The first beginning of a row at or after `place`."""
    header = HEADER.match(line, place)
    if header and header[5].decode() in VERBS:
        return header  # nearly always
    for epoch in EPOCH.finditer(line, place):
        header = HEADER.match(line, epoch.start())
        if header and header[5].decode() in VERBS:
            return header
    return None


def _text(value: bytes) -> str:
    return value.decode("utf-8", errors="backslashreplace")
