"""`python -m crm_core.migrations revision "what changes"`: write the next migration.

It compares the tables of the code with those of the PostgreSQL database in `ZUOXI_DATABASE_URL`,
which is brought up to date first. Migrations made on SQLite fail on both databases (tried).
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from sqlalchemy import Connection

from crm_core import settings
from crm_core.db import engine_of, transaction
from crm_core.errors import SettingError
from crm_core.migrations import config, revisions, upgrade


async def revision(url: str, message: str) -> None:
    """Write `versions/NNNN_message.py`. Raises `SettingError` for anything but PostgreSQL."""
    if not url.startswith("postgresql://"):
        raise SettingError(
            "ZUOXI_DATABASE_URL: migrations are made against an empty PostgreSQL database; "
            "use postgresql://USER:PASSWORD@HOST/NAME"
        )
    if revisions():
        await upgrade(url)
    engine = engine_of(url)
    try:
        async with transaction(engine) as connection:
            await connection.run_sync(_write, message)
    finally:
        await engine.dispose()


def _write(connection: Connection, message: str) -> None:
    from alembic import command

    number = int(revisions()[-1]) + 1 if revisions() else 1
    command.revision(config(connection), message, autogenerate=True, rev_id=f"{number:04}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m crm_core.migrations", description=__doc__)
    commands = parser.add_subparsers(required=True)
    make = commands.add_parser("revision", help="write the next migration")
    make.add_argument("message", help="what changes, in a few words")
    asked = parser.parse_args()
    try:
        asyncio.run(revision(settings.read().database_url, asked.message))
    except SettingError as wrong:
        sys.exit(wrong.detail)


if __name__ == "__main__":
    main()
