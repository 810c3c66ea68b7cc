"""The composition root and the command line `zuoxi`: the one place that knows all four packages.

Here is what needs more than one of them: `run`, `demo`, `reconcile`. The others stand in the package
they are about: `migrate`, `user`, `token`, `import`, `export` in `crm_core/command_line/`, `record`,
`replay` and `doctor` in `telephony/command_line.py`, `import queue-log` in
`telephony/queue_log/command_line.py`. Heavy imports stand inside the commands that need them: `zuoxi --help`
starts like bare Python.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm_core import VERSION
from crm_core.command_line import export_files, import_files, migrate, token, user
from crm_core.command_line.terminal import (
    branch,
    calm_the_collector,
    chosen_pbxs,
    run_loop,
    say,
    settings,
)
from crm_core.errors import SettingError, ZuoxiError
from telephony import command_line as recordings
from telephony.queue_log import command_line as old_queue_logs

if TYPE_CHECKING:
    import contextlib
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncEngine

    from crm_core.bus import Bus
    from crm_core.call_log.reconcile_dials import DialDifference
    from crm_core.call_log.totals import Totals
    from crm_core.settings import PbxUrl, Settings
    from telephony.commands import Commands

Prepare = Callable[["AsyncEngine"], Coroutine[Any, Any, Sequence[str]]]
"""Fills the database; its lines are shown once everything is up."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 1 differences or refused, 2 wrong call."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.run is None:
        parser.print_help()
        return 2
    try:
        code: int = given.run(given)
    except ZuoxiError as wrong:
        say(f"zuoxi: {wrong.detail}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zuoxi",
        description="Zuoxi (坐席), the agent's seat: a call centre on Asterisk.",
        epilog="Settings are environment variables, see .env.example.",
    )
    parser.add_argument("--version", action="version", version=f"zuoxi {VERSION}")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    add = branch(commands)
    add("run", run, "serve the desk, follow Asterisk, record every call")
    demo = add(
        "demo", run_demo, "the desk with a ringing phone: built-in demonstration PBX, SQLite"
    )
    demo.add_argument("--port", type=int, default=8000, help="port of the desk (default 8000)")
    for others in (migrate, user, token):
        others.declare(commands)
    old_queue_logs.declare(import_files.declare(commands))
    for others in (export_files, recordings):
        others.declare(commands)
    _declare_reconcile(add)
    return parser


# --- run and demo ---------------------------------------------------------------------------------


def run(_: argparse.Namespace) -> int:
    """`zuoxi run`: all four services as tasks of this process."""
    known = settings()
    if known.is_split:
        raise SettingError(
            "zuoxi run is one process and needs no bus between processes: leave ZUOXI_BUS_URL out, or "
            "start python -m crm_core, telephony, routing and agent_ui."
        )
    return run_loop(serve(known))


def run_demo(given: argparse.Namespace) -> int:
    """`zuoxi demo`: the same, on the demonstration PBX, with people and customers made up."""
    known = settings(
        database_url="sqlite:///var/demo/zuoxi.db",
        var=Path("var/demo"),
        asterisk_conf=Path("var/demo/asterisk"),
        http_bind=f"127.0.0.1:{given.port}",
        pbx_urls="demo:",
        # whatever `.env` says of the real one
        public_url="",
        trusted_proxies="",
        tls_cert="",
        tls_key="",
        log_level="warning",
        bus_url="memory:",
    )
    return run_loop(_serve_demo(known, given.port))


async def _serve_demo(known: Settings, port: int) -> None:
    """`serve`, its refusals in the words of who has set nothing."""
    from agent_ui.service import PortTaken
    from crm_core.demo import prepare
    from crm_core.lease import DatabaseInUse

    try:
        await serve(known, prepare)
    except* DatabaseInUse as group:
        [wrong] = group.exceptions
        assert isinstance(wrong, DatabaseInUse)
        raise SettingError(
            f"A demonstration runs in this folder already (process {wrong.process}): open the "
            "address it has printed, or end it with Ctrl-C and start again."
        ) from None
    except* PortTaken:
        raise SettingError(
            f"Port {port} of this machine is taken by another program. End it, or choose another "
            f"port: zuoxi demo --port {port + 1} (make demo PORT={port + 1})."
        ) from None


async def serve(known: Settings, prepare: Prepare | None = None) -> None:
    """Run everything until cancelled.

    The order matters: the records before anybody who tells facts, the pages before the calls.
    """
    import asyncio
    import contextlib
    from datetime import UTC, datetime

    from agent_ui.service import AgentUi
    from crm_core.access.devices import signed_in
    from crm_core.access.setup_links import setup_link_lines
    from crm_core.bus import MemoryBus
    from crm_core.db import engine_of, reading
    from crm_core.live_board.board import LiveBoard
    from crm_core.migrations import upgrade
    from crm_core.service import CrmCore
    from routing.service import Routing, membership_of

    calm_the_collector()
    bus, board = MemoryBus(), LiveBoard()
    bus.subscribe(lambda envelope: board.feed(envelope.event))
    await upgrade(known.database_url)
    engine = engine_of(known.database_url)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(engine.dispose)
        core = CrmCore(bus, engine, known)
        await core.start()
        stack.push_async_callback(core.stop)
        words = await prepare(engine) if prepare is not None else ()
        async with asyncio.TaskGroup() as tasks:
            routing = Routing(bus, await membership_of(engine))
            tasks.create_task(routing.run())
            ui = AgentUi(settings=known, bus=bus, engine=engine, board=board, core=core)
            await ui.start()
            stack.push_async_callback(ui.stop)
            tasks.create_task(ui.watch())
            async with reading(engine) as connection:
                for event in await signed_in(connection, at=datetime.now(UTC)):
                    bus.publish(event)
            from telephony.commands import Commands  # the pages answer before it is loaded

            commands = Commands(bus, lambda: core.lease.held)
            for pbx in known.pbxs:
                tasks.create_task(await _following(pbx, known, bus, commands, engine, stack))
                if not pbx.demo:
                    tasks.create_task(_writing_plan(pbx, known, bus, commands))
            if not all(pbx.demo for pbx in known.pbxs):
                tasks.create_task(_keeping_door(known, bus))
            if not known.pbxs:
                say("ZUOXI_PBX_URLS is empty: pages are served, no Asterisk is followed.")
            say(f"Zuoxi {VERSION} is at {ui.address}  (Ctrl-C ends it)", *words, sep="\n")
            for line in await setup_link_lines(engine, ui.address, datetime.now(UTC)):
                say(line)
            ui.warm()
            calm_the_collector()


async def _following(
    pbx: PbxUrl,
    known: Settings,
    bus: Bus,
    commands: Commands,
    engine: AsyncEngine,
    stack: contextlib.AsyncExitStack,
) -> Coroutine[Any, Any, None]:
    """The task that follows one PBX: a real one, or the demonstration started for it."""
    from crm_core.centre.switch_plan import switch_plan
    from crm_core.db import reading
    from telephony.service import TelephonyService

    async with reading(engine) as connection:
        plan = await switch_plan(connection, pbx.pbx)
    if pbx.demo:
        from crm_core.demo import COLLEAGUES
        from telephony.demo_pbx.demo import DemoPbx

        demo = DemoPbx(bus, plan, known.var, colleagues=COLLEAGUES)
        pbx = await demo.start()
        stack.push_async_callback(demo.stop)
    return TelephonyService(pbx, bus, commands, known.var).run()


def _writing_plan(
    pbx: PbxUrl, known: Settings, bus: Bus, commands: Commands
) -> Coroutine[Any, Any, None]:
    """The task that writes what a real PBX must know, and tells it."""
    from telephony.agi.door import address_of
    from telephony.plan_writer import PlanWriter, folder_of

    real = sum(not each.demo for each in known.pbxs)
    return PlanWriter(
        pbx.pbx,
        folder_of(pbx.pbx, real, known.asterisk_conf),
        bus,
        commands.at(pbx.pbx).control,
        door=address_of(*known.agi_address, pbx.pbx),
        allowed=commands.allowed,
    ).run()


def _keeping_door(known: Settings, bus: Bus) -> Coroutine[Any, Any, None]:
    """The task that tells calls of real PBXs where they go."""
    from telephony.agi.door import DoorKeeper

    buses = {pbx.pbx: bus for pbx in known.pbxs if not pbx.demo}
    return DoorKeeper(buses, *known.agi_address).run()


# --- reconcile ------------------------------------------------------------------------------------


REASONS = """\
Each line ends with a reason:
  [unexplained]        nothing explains it
  [second_cut]         one second apart: measured here, cut to whole seconds there
  [gap]                AMI was not heard during a part of it (the gap book says when)
These are shown and counted apart, they are no differences of the call table:
  [torn_row]           queue_log itself is damaged there
  [open]               queue_log does not reach the end of the pass
  [not_recorded_then]  before the first start; counted only
The file's rotated siblings (.1, .gz …) are read too, unless --queue-log names a file."""


def _declare_reconcile(add: Callable[..., argparse.ArgumentParser]) -> None:
    compare = add(
        "reconcile",
        reconcile,
        "compare the call table with queue_log: every difference a line, exit 1 if any",
        epilog=REASONS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    compare.add_argument("--pbx", metavar="NAME", help="default: every PBX of ZUOXI_PBX_URLS")
    for name, what in (("--from", "first moment, inclusive"), ("--to", "last moment, exclusive")):
        compare.add_argument(
            name,
            required=True,
            type=_moment,
            dest=f"{name[2:]}_",
            metavar="T",
            help=f"{what}: RFC 3339, e.g. 2026-11-24T00:00:00+08:00; without a zone the site's",
        )
    compare.add_argument("--queue-log", type=Path, metavar="PATH", help="another queue_log file")


def _moment(text: str) -> datetime:
    from datetime import UTC, datetime

    from crm_core.settings import read

    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        sentence = f"{text!r} is not a moment like 2026-11-24T08:00:00"
        raise argparse.ArgumentTypeError(sentence) from None
    return (at if at.tzinfo else at.replace(tzinfo=read().zone)).astimezone(UTC)


def reconcile(given: argparse.Namespace) -> int:
    """`zuoxi reconcile`: exit 1 if the two books differ anywhere."""
    import asyncio

    from crm_core.call_log.totals import Totals

    known = settings()
    chosen = chosen_pbxs(known, given.pbx)
    compared = [pbx for pbx in chosen if given.queue_log or pbx.queue_log]
    if not compared:
        names = ", ".join(pbx.pbx for pbx in chosen)
        raise SettingError(f"{names} has no queue_log in ZUOXI_PBX_URLS; give --queue-log PATH")
    totals, dialled, unlike = {}, 0, 0
    for pbx in compared:
        totals[pbx.pbx] = asyncio.run(_compare(known, pbx, given))
        told, differences = asyncio.run(_calls_without_queue(known, pbx, given))
        dialled, unlike = dialled + told, unlike + len(differences)
        for each in differences:
            say(f"{pbx.pbx}: {each}")
    for pbx in chosen:
        if pbx not in compared:
            say(f"{pbx.pbx}: no queue_log, AMI only: there is nothing to compare with")
        elif len(chosen) > 1:
            say(f"{pbx.pbx}: {totals[pbx.pbx]}")
    if dialled:
        say(f"{dialled} calls without a queue compared, {unlike} differences")
    total = sum(totals.values(), Totals())
    say(total)
    return 1 if total.differences or unlike else 0


async def _compare(known: Settings, pbx: PbxUrl, given: argparse.Namespace) -> Totals:
    """Say every difference of one PBX, as it is found."""
    from crm_core.call_log.periods import comparison_of, differences_between
    from crm_core.call_log.reconcile import LOOK_BACK, Reason
    from crm_core.call_log.totals import Totals
    from crm_core.db import engine_of, reading
    from telephony.log_history import history

    path = given.queue_log or pbx.queue_log
    assert path is not None  # `reconcile` has left out those without
    totals = Totals()
    engine = engine_of(known.database_url)
    try:
        async with reading(engine) as connection:
            comparison = await comparison_of(connection, pbx.pbx, given.from_, given.to_)
            rows = history(path, given.from_ - LOOK_BACK, siblings=given.queue_log is None)
            async for found in differences_between(
                connection, comparison, pbx.pbx, rows, given.from_, given.to_
            ):
                totals = totals.with_one(found)
                if found.reason is not Reason.NOT_RECORDED_THEN:
                    say(f"{pbx.pbx}: {found}")
    except OSError as wrong:
        raise SettingError(f"cannot read {wrong.filename or path}: {wrong.strerror}") from None
    finally:
        await engine.dispose()
    return totals.of(comparison.compared)


async def _calls_without_queue(
    known: Settings, pbx: PbxUrl, given: argparse.Namespace
) -> tuple[int, list[DialDifference]]:
    """How many our dialplan's rows tell of in the period, and where the call table differs."""
    from datetime import timedelta

    from crm_core.call_log.reconcile_dials import channels_between, compare_dials, dials_of
    from crm_core.db import engine_of, reading
    from telephony.log_history import history
    from telephony.queue_log.parser import Row

    path = given.queue_log or pbx.queue_log
    assert path is not None  # `reconcile` has left out those without
    # A caller may be put through to an extension after hours in a queue.
    since = given.from_ - timedelta(hours=12)
    rows = history(path, given.from_, siblings=given.queue_log is None)
    told = dials_of((row for row in rows if isinstance(row, Row)), given.from_, given.to_)
    if not told:
        return 0, []
    engine = engine_of(known.database_url)
    try:
        async with reading(engine) as connection:
            kept = await channels_between(connection, pbx.pbx, since, given.to_)
    finally:
        await engine.dispose()
    return len(told), compare_dials(told, kept)


if __name__ == "__main__":
    sys.exit(main())
