"""The composition root and the command line `zuoxi`: the one place that knows all four packages.

Heavy imports stand inside the commands that need them: `zuoxi --help` starts like bare Python.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import sys
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm_core.errors import SettingError, ZuoxiError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from crm_core.bus import Bus
    from crm_core.call_log.reconcile import ComparedPass
    from crm_core.settings import PbxUrl, Settings
    from telephony.commands import Commands

VERSION = "0.1.0"


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


def say(*words: object, file: Any = None, sep: str = " ") -> None:
    """Words for the person at the terminal (everything else goes to the log)."""
    print(*words, file=file or sys.stdout, sep=sep, flush=True)


# --- the tree of commands -------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zuoxi",
        description="Zuoxi (坐席), the agent's seat: a call centre on Asterisk.",
        epilog="Settings are environment variables, see .env.example.",
    )
    parser.add_argument("--version", action="version", version=f"zuoxi {VERSION}")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    add = _adder(commands)
    add("run", run, "serve the desk, follow Asterisk, record every call")
    demo = add(
        "demo", run_demo, "the desk with a ringing phone: built-in demonstration PBX, SQLite"
    )
    demo.add_argument("--port", type=int, default=8000, help="port of the desk (default 8000)")
    add("migrate", migrate, "bring the database's tables up to date")
    _user_commands(commands)
    _token_commands(commands)
    _import_commands(commands)
    record = add("record", record_bytes, "record what Asterisk sends, byte for byte")
    record.add_argument("file", type=Path, help="where to; existing files are not overwritten")
    record.add_argument(
        "--pbx", metavar="NAME", help="which of ZUOXI_PBX_URLS (default: the first)"
    )
    record.add_argument(
        "--seconds", type=float, metavar="N", help="stop after N seconds (default: Ctrl-C)"
    )
    replay = add("replay", replay_calls, "fold a recording into calls, one JSON a line, by call_id")
    replay.add_argument("file", type=Path, help="a recording of `zuoxi record` or ZUOXI_VAR")
    _reconcile_command(add)
    return parser


def _adder(commands: Any) -> Callable[..., argparse.ArgumentParser]:
    def add(name: str, act: Callable[..., int], what: str, **more: Any) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = commands.add_parser(
            name, help=what, description=what[0].upper() + what[1:] + ".", **more
        )
        parser.set_defaults(run=act)
        return parser

    return add


def _group(commands: Any, name: str, what: str) -> Callable[..., argparse.ArgumentParser]:
    group = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
    return _adder(group.add_subparsers(title="commands", metavar="COMMAND", required=True))


def _user_commands(commands: Any) -> None:
    add = _group(commands, "user", "people: add, list, disable, new password")
    one = add("add", add_user, "add a person; prints a one-time password, alone on its line")
    one.add_argument("name", help="the sign-in name")
    one.add_argument("--full-name", help="the name that people read (default: the sign-in name)")
    one.add_argument("--number", metavar="工号", help="agent number, the person's for good")
    one.add_argument(
        "--role",
        action="append",
        required=True,
        metavar="ROLE",
        help="agent, outbound_caller, supervisor, admin (may be given more than once)",
    )
    one.add_argument("--team", help="the person's team")
    one.add_argument("--project", action="append", default=[], help="may be given more than once")
    one.add_argument("--extension", help="the usual device; sign-in may take another")
    one.add_argument("--pbx", metavar="NAME", help="the PBX of the extension (default: the first)")
    one.add_argument("--password-stdin", action="store_true", help="read the password from stdin")
    new = add("passwd", set_password, "set a new password; prints it, alone on its line")
    new.add_argument("name")
    new.add_argument("--password-stdin", action="store_true", help="read the password from stdin")
    gone = add(
        "disable", disable_user, "end all sessions of a person and let nobody in by that name"
    )
    gone.add_argument("name")
    add("list", list_users, "everybody: name, agent number, roles, team, extension")


def _token_commands(commands: Any) -> None:
    add = _group(commands, "token", "bearer tokens for programs")
    one = add("create", create_token, "create a token; prints it, alone on its line, once")
    one.add_argument("name", help="what it is for")
    one.add_argument("--role", required=True, help="the role whose permissions it has")
    one.add_argument("--user", help="it sees what this person sees (default: all projects)")


def _import_commands(commands: Any) -> None:
    from crm_core.centre.setup_example import EXAMPLE

    add = _group(commands, "import", "files into the database; again changes nothing")
    setup = add(
        "setup",
        import_setup,
        "projects, hotlines, teams, people, seats, queues from one YAML file",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"A complete example:\n\n{EXAMPLE}",
    )
    setup.add_argument("file", type=Path)
    customers = add(
        "customers", import_customers, "customers from a csv (UTF-8 or GB18030, any column order)"
    )
    customers.add_argument("file", type=Path)


def _reconcile_command(add: Callable[..., argparse.ArgumentParser]) -> None:
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
    from crm_core.settings import read

    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        sentence = f"{text!r} is not a moment like 2026-11-24T08:00:00"
        raise argparse.ArgumentTypeError(sentence) from None
    return (at if at.tzinfo else at.replace(tzinfo=read().zone)).astimezone(UTC)


# --- serving --------------------------------------------------------------------------------------


def run(_: argparse.Namespace) -> int:
    """`zuoxi run`: all four services as tasks of this process."""
    return _run_loop(serve(_settings()))


def run_demo(given: argparse.Namespace) -> int:
    """`zuoxi demo`: the same, on the demonstration PBX, with people and customers made up."""
    settings = _settings(
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
    return _run_loop(serve(settings, prepare=_prepare_demo))


def _run_loop(work: Coroutine[Any, Any, None]) -> int:
    import uvloop

    _calm_the_collector()
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        uvloop.run(_until_told(work))
    return 0


async def _until_told(work: Coroutine[Any, Any, None]) -> None:
    """Run `work`; SIGTERM (systemd, docker) or Ctrl-C ends it. One error, not a group of one."""
    import signal

    task = asyncio.ensure_future(work)
    # SIGINT too: what a script starts in the background inherits that it is ignored.
    for told in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(told, task.cancel)
    try:
        await task
    except* ZuoxiError as group:
        raise _first(group) from None


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


async def serve(
    settings: Settings,
    prepare: Callable[[AsyncEngine, Settings], Coroutine[Any, Any, Sequence[str]]] | None = None,
) -> None:
    """Run everything until cancelled. `prepare` fills the database; its lines are shown once up.

    The order matters: the records before anybody who tells facts, the pages before the calls.
    """
    from agent_ui.service import AgentUi
    from crm_core.access.devices import signed_in
    from crm_core.bus import MemoryBus
    from crm_core.db import engine_of, reading
    from crm_core.live_board.board import LiveBoard
    from crm_core.migrations import upgrade
    from crm_core.service import CrmCore
    from routing.service import Routing

    bus, board = MemoryBus(), LiveBoard()
    bus.subscribe(lambda envelope: board.feed(envelope.event))
    await upgrade(settings.database_url)
    engine = engine_of(settings.database_url)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(engine.dispose)
        core = CrmCore(bus, engine, settings)
        await core.start()
        stack.push_async_callback(core.stop)
        words = await prepare(engine, settings) if prepare is not None else ()
        async with asyncio.TaskGroup() as tasks:
            routing = Routing(bus, await _membership(engine))
            tasks.create_task(routing.run())
            ui = AgentUi(settings=settings, bus=bus, engine=engine, board=board, core=core)
            await ui.start()
            stack.push_async_callback(ui.stop)
            async with reading(engine) as connection:
                for event in await signed_in(connection, at=datetime.now(UTC)):
                    bus.publish(event)
            from telephony.commands import Commands  # the pages answer before it is loaded

            commands = Commands(bus, lambda: core.lease.held)
            for pbx in settings.pbxs:
                tasks.create_task(await _following(pbx, settings, bus, commands, engine, stack))
                if not pbx.demo:
                    tasks.create_task(_writing_plan(pbx, settings, bus, commands))
            gc.freeze()  # what a start has loaded is there for good
            if not settings.pbxs:
                say("ZUOXI_PBX_URLS is empty: pages are served, no Asterisk is followed.")
            say(f"Zuoxi {VERSION} is at {ui.address}  (Ctrl-C ends it)", *words, sep="\n")


def _calm_the_collector() -> None:
    """Little at a time, and hardly ever everything: few of our objects are freed by it.

    With Python's own thresholds a full collection of half a million objects held up ringing phones
    by 0.2 s, one every two seconds (measured with a thousand agents, 100 calls a second).
    """
    gc.set_threshold(1_000, 5, 1_000)


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
    settings: Settings,
    bus: Bus,
    commands: Commands,
    engine: AsyncEngine,
    stack: contextlib.AsyncExitStack,
) -> Coroutine[Any, Any, None]:
    """The task that follows one PBX: a real one, or the demonstration started for it."""
    from crm_core.centre.setup import switch_plan
    from crm_core.db import reading
    from telephony.service import TelephonyService

    async with reading(engine) as connection:
        plan = await switch_plan(connection, pbx.pbx)
    if pbx.demo:
        from telephony.demo_pbx.demo import DemoPbx

        demo = DemoPbx(bus, plan, settings.var)
        pbx = await demo.start()
        stack.push_async_callback(demo.stop)
    return TelephonyService(pbx, bus, commands, settings.var).run()


def _writing_plan(
    pbx: PbxUrl, settings: Settings, bus: Bus, commands: Commands
) -> Coroutine[Any, Any, None]:
    """The task that writes what a real PBX must know, and tells it."""
    from telephony.plan_writer import PlanWriter, folder_of

    real = sum(not each.demo for each in settings.pbxs)
    return PlanWriter(
        pbx.pbx,
        folder_of(pbx.pbx, real, settings.asterisk_conf),
        bus,
        commands.at(pbx.pbx).control,
        allowed=commands.allowed,
    ).run()


DEMO_PEOPLE = (
    ("limin", "agent 坐席, seat 8001"),
    ("zhangwei", "agent 坐席, seat 8002"),
    ("wangfang", "supervisor 班长"),
    ("admin", "administrator 管理员"),
)


async def _prepare_demo(engine: AsyncEngine, settings: Settings) -> Sequence[str]:
    """People, queues and thirty customers; the passwords are made anew at each start."""
    from crm_core.access.passwords import one_time_password
    from crm_core.access.users import set_password
    from crm_core.centre.setup import import_setup
    from crm_core.customers.demo_data import import_demo_customers
    from crm_core.db import transaction

    now = datetime.now(UTC)
    here = Path(__file__).parent / "crm_core"
    async with transaction(engine) as connection:
        setup = (here / "centre" / "demo_setup.yaml").read_text(encoding="utf-8")
        await import_setup(connection, setup, now=now, actor="demo")
        lines = ["", f"  {'sign in as':<12}  {'password':<20}  who"]
        for name, who in DEMO_PEOPLE:
            # Given, not made by `set_password`: a visitor need not choose another one first.
            password = one_time_password()
            await set_password(connection, name, password, actor="demo", now=now)
            lines.append(f"  {name:<12}  {password:<20}  {who}")
    await import_demo_customers(engine, now=now)
    return [
        *lines,
        "",
        "  Sign in as limin and take seat 8001: within ten seconds the phone on the desk rings.",
        "  What happens is kept in var/demo; `make demo-reset` forgets it.",
        "",
    ]


# --- the database from the command line -----------------------------------------------------------


def _settings(**changes: Any) -> Settings:
    from crm_core.logs import configure
    from crm_core.settings import read

    settings = read().model_copy(update=changes)
    configure(settings.log_level, settings.log_format)
    return settings


def _in_database(act: Callable[[AsyncConnection], Coroutine[Any, Any, int]]) -> int:
    """Run `act` in one transaction on the up-to-date database."""

    async def work() -> int:
        from crm_core.db import engine_of, transaction
        from crm_core.migrations import upgrade

        settings = _settings()
        await upgrade(settings.database_url)
        engine = engine_of(settings.database_url)
        try:
            async with transaction(engine) as connection:
                return await act(connection)
        finally:
            await engine.dispose()

    return asyncio.run(work())


def migrate(_: argparse.Namespace) -> int:
    """`zuoxi migrate`."""
    from crm_core.migrations import current, upgrade

    settings = _settings()
    before = asyncio.run(current(settings.database_url))
    asyncio.run(upgrade(settings.database_url))
    after = asyncio.run(current(settings.database_url))
    say(f"up to date at revision {after}" if before == after else f"{before or 'empty'} -> {after}")
    return 0


COMMAND_LINE = "command line"
"""Who the audit says it was."""


def add_user(given: argparse.Namespace) -> int:
    """`zuoxi user add`."""
    from crm_core.access import users

    pbx = given.pbx or _default_pbx()

    async def act(connection: AsyncConnection) -> int:
        added = await users.add_user(
            connection,
            name=given.name,
            full_name=given.full_name,
            agent_number=given.number,
            roles=given.role,
            team=given.team,
            projects=given.project,
            pbx=pbx if given.extension else None,
            extension=given.extension,
            password=_password(given),
            actor=COMMAND_LINE,
            now=datetime.now(UTC),
        )
        if added.one_time_password is not None:
            say(added.one_time_password)
        return 0

    return _in_database(act)


def _password(given: argparse.Namespace) -> str | None:
    return sys.stdin.readline().rstrip("\r\n") if given.password_stdin else None


def _default_pbx() -> str:
    found = _settings().pbxs
    return found[0].pbx if found else "main"


def set_password(given: argparse.Namespace) -> int:
    """`zuoxi user passwd`."""
    from crm_core.access import users

    async def act(connection: AsyncConnection) -> int:
        made = await users.set_password(
            connection, given.name, _password(given), actor=COMMAND_LINE, now=datetime.now(UTC)
        )
        if made is not None:
            say(made)
        return 0

    return _in_database(act)


def disable_user(given: argparse.Namespace) -> int:
    """`zuoxi user disable`."""
    from crm_core.access import users

    async def act(connection: AsyncConnection) -> int:
        await users.disable(connection, given.name, actor=COMMAND_LINE, now=datetime.now(UTC))
        return 0

    return _in_database(act)


def list_users(_: argparse.Namespace) -> int:
    """`zuoxi user list`: tab-separated, one person a line."""
    from crm_core.access import users

    async def act(connection: AsyncConnection) -> int:
        for row in await users.list_users(connection):
            columns = [
                row.name,
                row.full_name,
                row.agent_number or "-",
                ",".join(row.roles),
                row.team or "-",
                row.extension or "-",
                "disabled" if row.disabled else "active",
            ]
            say("\t".join(columns))
        return 0

    return _in_database(act)


def create_token(given: argparse.Namespace) -> int:
    """`zuoxi token create`."""
    from crm_core.access import tokens

    async def act(connection: AsyncConnection) -> int:
        say(
            await tokens.create_token(
                connection,
                name=given.name,
                role=given.role,
                user=given.user,
                actor=COMMAND_LINE,
                now=datetime.now(UTC),
            )
        )
        return 0

    return _in_database(act)


def import_setup(given: argparse.Namespace) -> int:
    """`zuoxi import setup`."""
    from crm_core.centre import setup

    text = _read(given.file).decode("utf-8", "replace")

    async def act(connection: AsyncConnection) -> int:
        report = await setup.import_setup(connection, text, now=datetime.now(UTC))
        for kind, names in (("added", report.added), ("changed", report.changed)):
            for name in names:
                say(f"{kind}: {name}")
        say(f"unchanged: {report.unchanged}")
        for name, password in report.passwords:
            say(f"one-time password of {name}: {password}")
        if report.added or report.changed:
            say(
                "A running Zuoxi tells Asterisk within seconds; otherwise `zuoxi run` does at its start."
            )
        return 0

    return _in_database(act)


def import_customers(given: argparse.Namespace) -> int:
    """`zuoxi import customers`: good rows go in, the others are listed, exit 1 if there are any."""
    from crm_core.customers import import_customers as customers
    from crm_core.db import engine_of
    from crm_core.migrations import upgrade

    settings = _settings()
    terminal = sys.stderr.isatty()

    def progress(rows: int) -> None:
        if terminal:
            sys.stderr.write(f"\r{rows} rows ")

    async def work() -> customers.ImportReport:
        await upgrade(settings.database_url)
        engine = engine_of(settings.database_url)
        try:
            with given.file.open("rb") as file:
                return await customers.import_customers(
                    engine,
                    file,
                    file_name=given.file.name,
                    now=datetime.now(UTC),
                    region=settings.region,
                    progress=progress,
                )
        finally:
            await engine.dispose()

    try:
        report = asyncio.run(work())
    except OSError as wrong:
        raise SettingError(f"cannot read {given.file}: {wrong.strerror}") from None
    for line, reason in report.refused:
        say(f"line {line}: {reason}")
    say(
        f"added {report.added}, changed {report.changed}, unchanged {report.unchanged}, "
        f"refused {len(report.refused)}"
    )
    if report.ignored_columns:
        say("columns that nobody reads:", ", ".join(report.ignored_columns))
    return 1 if report.refused else 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as wrong:
        raise SettingError(f"cannot read {path}: {wrong.strerror}") from None


# --- recordings and the comparer ------------------------------------------------------------------


def record_bytes(given: argparse.Namespace) -> int:
    """`zuoxi record`: until the time is over or Ctrl-C."""
    from telephony.record import record

    settings = _settings()
    pbx = _chosen(settings, given.pbx)[0]
    if given.file.exists():
        raise SettingError(f"{given.file} is there already; choose another name")
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(_until_told(record(pbx, given.file, given.seconds)))
    say(f"recorded into {given.file}; fold it with: zuoxi replay {given.file}")
    return 0


def _chosen(settings: Settings, name: str | None) -> list[PbxUrl]:
    found = [pbx for pbx in settings.pbxs if name in (None, pbx.pbx)]
    if not found:
        raise SettingError(
            f"ZUOXI_PBX_URLS has no PBX {name!r}" if name else "ZUOXI_PBX_URLS is empty"
        )
    return found


def replay_calls(given: argparse.Namespace) -> int:
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


EDGE = timedelta(seconds=10)
"""Read on both sides of the period, so that a pass at its edge has its partner."""


def reconcile(given: argparse.Namespace) -> int:
    """`zuoxi reconcile`: exit 1 if the two books differ anywhere."""
    from crm_core.call_log.reconcile import compare

    settings = _settings()
    differences = compared = 0
    for pbx in _chosen(settings, given.pbx):
        expected, actual = asyncio.run(_two_books(settings, pbx, given))
        compared += sum(given.from_ <= each.entered_at < given.to_ for each in expected)
        for difference in compare(expected, actual):
            if given.from_ <= difference.of.entered_at < given.to_:
                differences += 1
                say(f"{pbx.pbx}: {difference}")
    say(f"{compared} passes compared, {differences} differences")
    return 1 if differences else 0


async def _two_books(
    settings: Settings, pbx: PbxUrl, given: argparse.Namespace
) -> tuple[list[ComparedPass], list[ComparedPass]]:
    """The passes of the period and its edges by `queue_log`, and by the call table."""
    from crm_core.call_log.queries import passes_between
    from crm_core.call_log.reconcile import passes_of
    from crm_core.db import engine_of, reading
    from telephony.queue_log.parser import QueueLogParser

    path = given.queue_log or pbx.queue_log
    if path is None:
        raise SettingError(f"{pbx.pbx} has no queue_log in ZUOXI_PBX_URLS; give --queue-log PATH")
    rows = QueueLogParser().feed(_read(path))
    began, ended = given.from_ - EDGE, given.to_ + EDGE
    engine = engine_of(settings.database_url)
    try:
        async with reading(engine) as connection:
            actual = await passes_between(connection, pbx.pbx, began, ended)
    finally:
        await engine.dispose()
    return passes_of(rows, began, ended), actual


if __name__ == "__main__":
    sys.exit(main())
