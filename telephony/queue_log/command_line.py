"""`zuoxi import queue-log`: your own year in one minute."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from crm_core.command_line.terminal import say, settings
from crm_core.errors import SettingError

if TYPE_CHECKING:
    from crm_core.ids import PbxId
    from crm_core.settings import Settings
    from telephony.queue_log.importing import Imported

LISTED = 1_000
"""So many bad pieces are listed one by one; the others are counted."""

USUAL_PBX = "main"

EXPLAINED = """\
Give the files in any order, packed by gzip or not; pieces that overlap are told once. Nothing is
written but the call log: no Asterisk is asked, nobody is called, a running Zuoxi need not be stopped.
Calls become `queue_log_only`: moments are whole seconds, and what only AMI could have told is unknown.
Again changes nothing. A piece that is no row is listed with file, line and reason, all others go in;
exit 1 if there are any.

--members: a table (xlsx, or csv in UTF-8 or GB18030) with the members' names as they stand in queue_log
in the first column and agent numbers in the second, so that old calls count for the right people:
  name,number
  张三,1001
  SIP/8002,1002"""


def declare(add: Callable[..., argparse.ArgumentParser]) -> None:
    one = add(
        "queue-log",
        import_queue_log,
        "calls from old queue_log files of any Asterisk: your own year in one minute",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EXPLAINED,
    )
    one.add_argument("files", type=Path, nargs="+", metavar="FILE")
    one.add_argument(
        "--pbx",
        metavar="NAME",
        help=f"whose calls they are (default: the one of ZUOXI_PBX_URLS; {USUAL_PBX} if it is empty)",
    )
    one.add_argument(
        "--members", type=Path, metavar="XLSX", help="agent numbers by members' names, see below"
    )


def import_queue_log(given: argparse.Namespace) -> int:
    """`zuoxi import queue-log`: good rows become calls, the others are listed, exit 1 if any."""
    import gc

    import uvloop

    gc.set_threshold(50_000, 20, 100)  # a hundred thousand facts at a time are no garbage
    known = settings()
    pbx, terminal = _pbx(known, given.pbx), sys.stderr.isatty()

    def progress(rows: int, calls: int) -> None:
        if terminal:
            sys.stderr.write(f"\r{rows:,} rows, {calls:,} calls ")

    async def work() -> Imported:
        from crm_core.db import engine_of
        from crm_core.migrations import upgrade
        from crm_core.sheets import pairs_of
        from telephony.queue_log.importing import import_queue_log, utc_now

        numbers = pairs_of(given.members) if given.members else None
        await upgrade(known.database_url)
        engine = engine_of(known.database_url)
        try:
            return await import_queue_log(
                engine,
                given.files,
                pbx,
                now=utc_now(),
                region=known.region,
                numbers=numbers,
                progress=progress,
            )
        finally:
            await engine.dispose()

    done = uvloop.run(work())
    if terminal:
        sys.stderr.write("\r")
    _report(done, len(given.files), pbx)
    return 1 if done.bad else 0


def _report(done: Imported, files: int, pbx: str) -> None:
    for piece in done.bad[:LISTED]:
        say(piece)
    if len(done.bad) > LISTED:
        say(f"and {len(done.bad) - LISTED} more")
    say(
        f"{pbx}: {done.rows} rows of {files} {'file' if files == 1 else 'files'} read, "
        f"{done.calls} calls; {done.new_facts} new rows, {done.new_calls} new calls"
        + (f"; {len(done.bad)} bad pieces" if done.bad else "")
    )


def _pbx(known: Settings, name: str | None) -> PbxId:
    from crm_core.settings import pbx_id

    if name is not None:
        return pbx_id(name)
    real = [each.pbx for each in known.pbxs if not each.demo]
    if len(real) > 1:
        raise SettingError(f"--pbx NAME is needed: ZUOXI_PBX_URLS has {', '.join(real)}")
    return real[0] if real else pbx_id(USUAL_PBX)
