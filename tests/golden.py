"""What is compared with a committed copy: golden traces, every `--help`, the description of the API.

Golden traces are recordings of a real Asterisk, and the calls that they must become.
`python -m tests.golden` writes all of it anew; review the change by `git diff`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import orjson

from crm_core.call_log.records import CallRecord
from telephony.ami.messages import AmiMessage
from telephony.calls.replay import replay
from telephony.flight_recorder import Chunk, read
from telephony.service import OUR_CONTEXTS

TRACES = Path(__file__).parent / "traces"
EXPECTED = "expected.jsonl"
HELP = Path(__file__).parent / "help"
OPENAPI = Path(__file__).parent / "openapi.json"

HELP_OF: tuple[tuple[str, ...], ...] = (
    (),
    ("run",),
    ("demo",),
    ("migrate",),
    *(("user", what) for what in ("add", "passwd", "disable", "list")),
    ("user",),
    ("token",),
    ("token", "create"),
    ("import",),
    ("import", "setup"),
    ("import", "customers"),
    ("import", "queue-log"),
    ("export",),
    ("export", "setup"),
    ("record",),
    ("replay",),
    ("reconcile",),
    ("doctor",),
)
"""Every command of `zuoxi`."""


def help_of(command: tuple[str, ...]) -> str:
    """What `--help` prints on a terminal of a hundred columns."""
    done = subprocess.run(
        [sys.executable, "-m", "zuoxi", *command, "--help"],
        cwd=Path(__file__).parent.parent,
        env={**os.environ, "COLUMNS": "100", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def openapi() -> bytes:
    """The description of `/api/v1`, as `GET /api/v1/openapi.json` answers it, indented."""
    from fastapi import FastAPI

    from agent_ui.api.docs import description_of
    from agent_ui.app import ROUTERS

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    for router in ROUTERS:
        app.router.routes.extend(router.routes)
    found = description_of(app)
    return orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def stories() -> list[str]:
    return sorted(folder.name for folder in TRACES.iterdir() if (folder / "ami.jsonl").is_file())


def chunks_of(story: str) -> list[Chunk]:
    """The recording of a story, its queue_log as one more chunk at the end."""
    folder = TRACES / story
    chunks = list(read(folder / "ami.jsonl"))
    rows = (folder / "queue_log").read_bytes()
    last = chunks[-1].at if chunks else datetime(2026, 1, 1, tzinfo=UTC)
    return [*chunks, Chunk(at=last, pbx=chunks[0].pbx, feed="queue_log", data=rows)]


def calls_of(story: str) -> list[CallRecord]:
    return replay(chunks_of(story), OUR_CONTEXTS)


def as_lines(calls: Iterable[CallRecord]) -> bytes:
    """One JSON object a line, as `zuoxi replay` prints them."""
    option = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
    return b"".join(orjson.dumps(call, option=option) for call in calls)


def messages_of(story: str) -> list[AmiMessage]:
    """What the tracker is fed when this recording is replayed."""
    from telephony.ami.reading import Reader

    reader = Reader()
    found: list[AmiMessage] = []
    data = b"".join(chunk.data for chunk in chunks_of(story) if chunk.feed == "ami")
    for raw in data.split(b"\r\n\r\n"):
        message = reader.read(raw, datetime(2026, 11, 24, tzinfo=UTC))
        if message is not None:
            found.append(message)
    return found


def main() -> int:
    for story in stories():
        (TRACES / story / EXPECTED).write_bytes(as_lines(calls_of(story)))
    HELP.mkdir(exist_ok=True)
    for command in HELP_OF:
        name = "-".join(command) or "zuoxi"
        (HELP / f"{name}.txt").write_text(help_of(command), encoding="utf-8")
    OPENAPI.write_bytes(openapi())
    return 0


if __name__ == "__main__":
    sys.exit(main())
