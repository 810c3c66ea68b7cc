"""`zuoxi record | replay`: the bytes of one Asterisk into a file, and a file into calls."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from crm_core.command_line.terminal import branch, chosen_pbxs, say, settings, until_told
from crm_core.errors import SettingError


def declare(commands: Any) -> None:
    add = branch(commands)
    one = add("record", record, "record what Asterisk sends, byte for byte")
    one.add_argument("file", type=Path, help="where to; existing files are not overwritten")
    one.add_argument("--pbx", metavar="NAME", help="which of ZUOXI_PBX_URLS (default: the first)")
    one.add_argument(
        "--seconds", type=float, metavar="N", help="stop after N seconds (default: Ctrl-C)"
    )
    again = add("replay", replay, "fold a recording into calls, one JSON a line, by call_id")
    again.add_argument("file", type=Path, help="a recording of `zuoxi record` or ZUOXI_VAR")


def record(given: argparse.Namespace) -> int:
    """`zuoxi record`: until the time is over or Ctrl-C."""
    import asyncio
    import contextlib

    from telephony.record import record

    pbx = chosen_pbxs(settings(), given.pbx)[0]
    if given.file.exists():
        raise SettingError(f"{given.file} is there already; choose another name")
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(until_told(record(pbx, given.file, given.seconds)))
    say(f"recorded into {given.file}; fold it with: zuoxi replay {given.file}")
    return 0


def replay(given: argparse.Namespace) -> int:
    """`zuoxi replay`: one JSON call per line, sorted by call_id."""
    import orjson

    from telephony.calls.replay import replay
    from telephony.flight_recorder import read
    from telephony.service import OUR_CONTEXTS

    try:
        for call in replay(read(given.file), OUR_CONTEXTS):
            say(orjson.dumps(call, option=orjson.OPT_UTC_Z).decode())
    except OSError as wrong:
        raise SettingError(f"cannot read {given.file}: {wrong.strerror}") from None
    return 0
