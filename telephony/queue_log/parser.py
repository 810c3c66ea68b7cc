"""Bytes of a `queue_log` file in, rows out.

A row is `epoch|uniqueid|queue|agent|VERB|data…`, one a line, written without any escaping and
without looking at write errors. So a full disk leaves a torn row with the next one glued to it, and
a caller's number may hold pipes and line breaks. What cannot be trusted is counted and left out:
AMI saw the same call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

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

FREE_TEXT = frozenset({"ENTERQUEUE", "DID", "INFO", "WITHDRAW", "ZX_DIALLED"})
"""Rows with somebody else's words in them. What looks like a row inside one is a forgery, as far as
anybody can tell, and is never taken for a glued row."""

HEADER = re.compile(rb"(\d{10})\|([^|]*)\|([^|]*)\|([^|]*)\|([A-Z][A-Z_]*)(?=\||$)")
EPOCH = re.compile(rb"(?=\d{10}\|)")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Row:
    """One row, whole and plausible. `at` has whole seconds."""

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


class QueueLogParser:
    """Fed any pieces of the file in order; a row is answered once its line break has been seen."""

    def __init__(self) -> None:
        self.quarantined = 0
        """Pieces that were not rows, or rows that cannot be trusted."""
        self._rest = b""
        self._doubtful = 0
        """Bytes that may still belong to a caller's number with a line break in it."""

    def feed(self, data: bytes) -> list[Row]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_ROW:
            self.quarantined += 1
            self._rest = b""
        return [row for line in lines for row in self._rows(line.rstrip(b"\r"))]

    def _rows(self, line: bytes) -> list[Row]:
        doubted, self._doubtful = self._doubtful > 0, max(0, self._doubtful - len(line) - 1)
        if doubted:
            self.quarantined += 1
            return []
        found: list[Row] = []
        place = 0
        while place < len(line):
            header = _header(line, place)
            if header is None or header.start() > place:
                self.quarantined += 1  # the beginning of a torn row, or none at all
            if header is None:
                break
            verb = header[5].decode()
            glued = None if verb in FREE_TEXT else _header(line, header.end())
            if glued is not None:
                self.quarantined += 1  # without its line break nobody knows where it was torn
                place = glued.start()
                continue
            if row := self._row(header, line[header.end() + 1 :]):
                found.append(row)
            break
        return found

    def _row(self, header: re.Match[bytes], data: bytes) -> Row | None:
        unique_id, queue, agent, verb = (_text(header[i]) for i in (2, 3, 4, 5))
        row = Row(
            at=datetime.fromtimestamp(int(header[1]), UTC),
            unique_id=unique_id,
            queue=queue,
            agent=agent,
            verb=verb,
            data=tuple(_text(data).split("|")),
        )
        if verb == "ENTERQUEUE" and (len(row.data) < 3 or row.number(-1) is None):
            # No position at the end: the number goes on in the next line. A pass was entered all
            # the same, and what follows may be rows that the caller wrote.
            self._doubtful = NUMBER_BYTES
            self.quarantined += 1
            return Row(row.at, unique_id, queue, agent, verb, ("", "", ""))
        numbers = REQUIRED_NUMBERS.get(verb, ())
        clean = not any(CONTROL.search(part) for part in (unique_id, queue, agent))
        if not clean or any(row.number(place) is None for place in numbers):
            self.quarantined += 1
            return None
        return row


def _header(line: bytes, place: int) -> re.Match[bytes] | None:
    """The first beginning of a row at or after `place`."""
    for epoch in EPOCH.finditer(line, place):
        header = HEADER.match(line, epoch.start())
        if header and (verb := header[5].decode()) and _is_verb(verb):
            return header
    return None


def _is_verb(verb: str) -> bool:
    return verb in REQUIRED_NUMBERS or verb in OTHER_VERBS


def _text(value: bytes) -> str:
    return value.decode("utf-8", errors="backslashreplace")
