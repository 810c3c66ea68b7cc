"""The composition root and the command line `zuoxi`: the one place that knows all four packages.

Here is what needs more than one of them: `run`, `demo`, `reconcile`. The others stand in the package
they are about: `migrate`, `user`, `token`, `import`, `export` in `crm_core/command_line/`, `record` and
`replay` in `telephony/command_line.py`. Heavy imports stand inside the commands that need them: `zuoxi --help`
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
    bytes_of,
    chosen_pbxs,
    say,
    settings,
    until_told,
)
from crm_core.errors import SettingError, ZuoxiError
from telephony import command_line as recordings

if TYPE_CHECKING:
    import contextlib
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncEngine

    from crm_core.bus import Bus
    from crm_core.call_log.reconcile import ComparedPass
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
    for others in (migrate, user, token, import_files, export_files, recordings):
        others.declare(commands)
    _declare_reconcile(add)
    return parser


# --- run and demo ---------------------------------------------------------------------------------


def run(_: argparse.Namespace) -> int:
    """`zuoxi run`: all four services as tasks of this process."""
    return _run_loop(serve(settings()))


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
    )
    return _run_loop(_serve_demo(known, given.port))


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


def _run_loop(work: Coroutine[Any, Any, None]) -> int:
    import asyncio
    import contextlib
    import gc

    gc.disable()  # until `serve` has loaded what stays: its collections took 30 ms of a cold start
    import uvloop

    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        uvloop.run(until_told(work))
    return 0


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
    from routing.service import Routing

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
            routing = Routing(bus, await _membership(engine))
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
            if not known.pbxs:
                say("ZUOXI_PBX_URLS is empty: pages are served, no Asterisk is followed.")
            say(f"Zuoxi {VERSION} is at {ui.address}  (Ctrl-C ends it)", *words, sep="\n")
            for line in await setup_link_lines(engine, ui.address, datetime.now(UTC)):
                say(line)
            ui.warm()
            calm_the_collector()


def calm_the_collector() -> None:
    """Seldom, hardly ever everything, and never what is loaded: it is there for good.

    What calls leave behind dies by itself; the collector is for the rest. With Python's own
    thresholds a full collection of half a million objects held up ringing phones by 0.2 s, one every
    two seconds; at a thousand new objects, a fiftieth of the time was collecting, 2 ms a piece
    (measured with a thousand agents, 100 calls a second).
    """
    import gc

    gc.set_threshold(50_000, 10, 1_000)
    gc.freeze()
    gc.enable()


async def _membership(engine: AsyncEngine) -> Any:
    from sqlalchemy import select

    from crm_core.centre.models import Seat
    from crm_core.db import reading
    from crm_core.ids import PbxId
    from routing.membership import Membership

    async with reading(engine) as connection:
        rows = await connection.execute(select(Seat.pbx, Seat.interface))
        return Membership(frozenset((PbxId(pbx), interface) for pbx, interface in rows))


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
    from telephony.plan_writer import PlanWriter, folder_of

    real = sum(not each.demo for each in known.pbxs)
    return PlanWriter(
        pbx.pbx,
        folder_of(pbx.pbx, real, known.asterisk_conf),
        bus,
        commands.at(pbx.pbx).control,
        allowed=commands.allowed,
    ).run()


# --- reconcile ------------------------------------------------------------------------------------


def _declare_reconcile(add: Callable[..., argparse.ArgumentParser]) -> None:
    compare = add(
        "reconcile",
        reconcile,
        "compare the call table with queue_log: every difference a line, exit 1 if any",
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


EDGE_SECONDS = 10
"""Read on both sides of the period, so that a pass at its edge has its partner."""


def reconcile(given: argparse.Namespace) -> int:
    """`zuoxi reconcile`: exit 1 if the two books differ anywhere."""
    import asyncio

    from crm_core.call_log.reconcile import compare

    known = settings()
    differences = compared = 0
    for pbx in chosen_pbxs(known, given.pbx):
        expected, actual = asyncio.run(_two_books(known, pbx, given))
        compared += sum(given.from_ <= each.entered_at < given.to_ for each in expected)
        for difference in compare(expected, actual):
            if given.from_ <= difference.of.entered_at < given.to_:
                differences += 1
                say(f"{pbx.pbx}: {difference}")
    say(f"{compared} passes compared, {differences} differences")
    return 1 if differences else 0


async def _two_books(
    known: Settings, pbx: PbxUrl, given: argparse.Namespace
) -> tuple[list[ComparedPass], list[ComparedPass]]:
    """The passes of the period and its edges by `queue_log`, and by the call table."""
    from datetime import timedelta

    from crm_core.call_log.queries import passes_between
    from crm_core.call_log.reconcile import passes_of
    from crm_core.db import engine_of, reading
    from telephony.queue_log.parser import QueueLogParser

    path = given.queue_log or pbx.queue_log
    if path is None:
        raise SettingError(f"{pbx.pbx} has no queue_log in ZUOXI_PBX_URLS; give --queue-log PATH")
    rows = QueueLogParser().feed(bytes_of(path))
    edge = timedelta(seconds=EDGE_SECONDS)
    began, ended = given.from_ - edge, given.to_ + edge
    engine = engine_of(known.database_url)
    try:
        async with reading(engine) as connection:
            actual = await passes_between(connection, pbx.pbx, began, ended)
    finally:
        await engine.dispose()
    return passes_of(rows, began, ended), actual


if __name__ == "__main__":
    sys.exit(main())
