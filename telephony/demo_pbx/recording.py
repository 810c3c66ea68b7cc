"""A recorded call, read back: what the flight recorder and `queue_log` kept of it.

A recording is a folder with `ami.jsonl` (one JSON object a line; `text` or `base64` are the bytes of
the events session in the order of their `offset`) and `queue_log`. Only recordings of the laboratory
are read here, so a broken one is our own fault and ends the start.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

Headers = tuple[tuple[str, str], ...]
"""An AMI message as it stands on the wire: names may come twice, order is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of `queue_log`, without its time."""

    unique_id: str
    queue: str
    member: str
    verb: str
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    events: tuple[Headers, ...]
    """Asterisk's events, in wire order; answers to actions and their list items are left out."""
    rows: tuple[Row, ...]


def read(folder: Path) -> Recording:
    wire = b"".join(_chunks((folder / "ami.jsonl").read_text(encoding="utf-8")))
    blocks = wire.decode("utf-8", "replace").split("\r\n\r\n")
    messages = [_headers(block) for block in blocks]
    lines = (folder / "queue_log").read_text(encoding="utf-8").splitlines()
    return Recording(
        events=tuple(found for found in messages if _is_live(found)),
        rows=tuple(_row(line) for line in lines if line),
    )


def value(headers: Headers, name: str) -> str | None:
    """The first header of that name."""
    return next((text for found, text in headers if found == name), None)


def _chunks(lines: str) -> list[bytes]:
    found = []
    for line in lines.splitlines():
        entry = json.loads(line)
        if entry.get("session") != "events":
            continue
        if "text" in entry:
            found.append(str(entry["text"]).encode())
        elif "base64" in entry:
            found.append(base64.b64decode(entry["base64"]))
    return found


def _headers(block: str) -> Headers:
    lines = (line.partition(":") for line in block.split("\r\n"))
    return tuple((name, text.removeprefix(" ")) for name, colon, text in lines if colon)


def _is_live(headers: Headers) -> bool:
    """List items carry an ActionID, or belong to a list that is told by our own action's id."""
    return value(headers, "Event") is not None and value(headers, "Timestamp") is not None


def _row(line: str) -> Row:
    _, unique_id, queue, member, verb, *parameters = line.split("|")
    return Row(
        unique_id=unique_id,
        queue=queue,
        member=member,
        verb=verb,
        parameters=tuple(parameters),
    )
