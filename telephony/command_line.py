"""`zuoxi record | replay | doctor`: what one Asterisk says, folded again, and what is wrong with it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm_core.command_line.terminal import branch, chosen_pbxs, say, settings, until_told
from crm_core.errors import SettingError

if TYPE_CHECKING:
    from crm_core.findings import Finding
    from crm_core.settings import Settings


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
    asked = add(
        "doctor",
        doctor,
        "say what is wrong with Asterisk and with this installation, each with its cure; exit 1 if any",
    )
    asked.add_argument(
        "--live",
        action="store_true",
        help="only whether the running service beats: exit 0 or 1 (for compose and systemd)",
    )


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


def doctor(given: argparse.Namespace) -> int:
    """`zuoxi doctor`: exit 1 if anything is wrong. Changes nothing."""
    import asyncio

    known = settings(log_level="error")
    if given.live:
        from crm_core.installation import silent_feeds, silent_pages

        silent = [*silent_pages(known), *asyncio.run(silent_feeds(known))]
        if silent:
            say(*silent, sep="\n")
        return 1 if silent else 0
    from crm_core.findings import told

    found = asyncio.run(_examined(known))
    for finding in found:
        say(*told(finding), sep="\n")
    say("nothing is wrong" if not found else f"{len(found)} things are wrong")
    return 1 if found else 0


async def _examined(known: Settings) -> list[Finding]:
    """This installation first, then each Asterisk."""
    from crm_core.installation import look_at
    from telephony.doctor import findings
    from telephony.doctor.looking import look

    found, plans = await look_at(known)
    for pbx in known.pbxs:
        if not pbx.demo:
            found += findings(await look(pbx, plans[pbx.pbx]))
    return found
