"""`zuoxi import setup | customers`; `telephony.queue_log.command_line` adds `queue-log`."""

from __future__ import annotations

import argparse
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm_core.command_line.terminal import bytes_of, group, in_database, say, settings
from crm_core.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncConnection


def declare(commands: Any) -> Callable[..., argparse.ArgumentParser]:
    """Answers how another word is added to `zuoxi import`."""
    from crm_core.centre.setup_example import EXAMPLE

    add = group(commands, "import", "files into the database; again changes nothing")
    setup = add(
        "setup",
        import_setup,
        "projects, hotlines, teams, people, seats, queues from one YAML file",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"A complete example:\n\n{EXAMPLE}",
    )
    setup.add_argument("file", type=Path)
    customers = add(
        "customers",
        import_customers,
        "customers from a csv (UTF-8 or GB18030, any column order)",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_columns(),
    )
    customers.add_argument("file", type=Path)
    return add


def _columns() -> str:
    """Which columns are read, as the help says it."""
    from crm_core.customers.csv_columns import NAMES, PHONE

    lines = [
        "Columns go by their names in the first line. Upper and lower case, spaces and a number at",
        "the end (手机2, phone 3) make no difference; several columns may hold numbers.",
        "",
    ]
    for field, names in NAMES.items():
        words = textwrap.wrap(" ".join(names.split(" ")), 76)
        lines += [f"{field}{' (needed)' if field == PHONE else ''}:", *(f"  {w}" for w in words)]
    return "\n".join(
        [*lines, "", "A customer field of your own: its key, or either of its labels."]
    )


def import_setup(given: argparse.Namespace) -> int:
    """`zuoxi import setup`."""
    from crm_core.centre import setup

    text = bytes_of(given.file).decode("utf-8", "replace")

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

    return in_database(act)


def import_customers(given: argparse.Namespace) -> int:
    """`zuoxi import customers`: good rows go in, the others are listed, exit 1 if there are any."""
    import asyncio

    from crm_core.customers import import_customers as customers
    from crm_core.db import engine_of
    from crm_core.migrations import upgrade

    known = settings()
    terminal = sys.stderr.isatty()

    def progress(rows: int) -> None:
        if terminal:
            sys.stderr.write(f"\r{rows} rows ")

    async def work() -> customers.ImportReport:
        await upgrade(known.database_url)
        engine = engine_of(known.database_url)
        try:
            with given.file.open("rb") as file:
                return await customers.import_customers(
                    engine,
                    file,
                    file_name=given.file.name,
                    now=datetime.now(UTC),
                    region=known.region,
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
