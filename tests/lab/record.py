"""Golden traces: each story played on a real Asterisk, its AMI bytes and queue_log kept as received.

A trace is a folder of `tests/traces/`: `ami.jsonl`, a recording made to be read in a diff (one JSON
object a line, bytes in `text`, or `base64` where a chunk is not UTF-8), `queue_log`, and `story.md`.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from telephony.dialplan import EVENTS_ACCOUNT
from tests.lab.ami import Session, add_member
from tests.lab.asterisk import Laboratory
from tests.lab.sipp import phones
from tests.lab.stories import STORIES
from tests.lab.story import Story

TRACES = Path(__file__).resolve().parents[1] / "traces"

# In this order, each with the event that ends its answer. CoreStatus answers in its response.
SNAPSHOT = (
    ("CoreStatus", None),
    ("Status", "StatusComplete"),
    ("QueueStatus", "QueueStatusComplete"),
    ("CoreShowChannels", "CoreShowChannelsComplete"),
    ("BridgeList", "BridgeListComplete"),
)


def record(names: Sequence[str], traces: Path = TRACES) -> list[Path]:
    """Play and record the named stories, or all. Each in a laboratory that has just started."""
    known = {story.name: story for story in STORIES}
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise SystemExit(f"No such story: {', '.join(unknown)}. There are: {', '.join(known)}")
    return [record_story(known[name], traces / name) for name in names or known]


def record_story(story: Story, to: Path) -> Path:
    to.mkdir(parents=True, exist_ok=True)
    with Laboratory(answer_first=story.answer_first) as lab:
        with ExitStack() as stack:
            for group, behaviour in enumerate(story.phones):
                if behaviour is not None:
                    stack.enter_context(phones(lab, behaviour, group=group))
            control = stack.enter_context(Session(lab))
            for member in story.members:
                add_member(control, member.queue, member.seat, member.agent)
            _record_events(lab, story, to / "ami.jsonl")
        shutil.copyfile(lab.queue_log, to / "queue_log")
    (to / "story.md").write_text(story.text + "\n")
    return to


def _record_events(lab: Laboratory, story: Story, path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        tape = _Tape(file)
        tape.event("open")
        with Session(lab, EVENTS_ACCOUNT, tape.chunk) as events:
            events.wait_for(b"Event: FullyBooted\r\n")
            for action, last in SNAPSHOT:
                events.act(action, until=last)
            story.play(lab)
            events.quiet()
        tape.event("close")


class _Tape:
    """One connection, written down as it is heard."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._offset = 0

    def chunk(self, data: bytes) -> None:
        try:
            self._line(offset=self._offset, text=data.decode())
        except UnicodeDecodeError:
            self._line(offset=self._offset, base64=base64.b64encode(data).decode())
        self._offset += len(data)

    def event(self, what: str) -> None:
        self._line(event=what)

    def _line(self, **rest: Any) -> None:
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        line = {"at": at, "pbx": "lab", "feed": "ami", "session": "events", "connection": 1, **rest}
        self._file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
