"""What Zuoxi needs of its own machine: a database at the right revision, folders, room, quiet files.

For `zuoxi doctor`. Nothing is changed; whatever is away is a finding, never an exception.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.call_log.models import FeedRow
from crm_core.centre.plan import SwitchPlan
from crm_core.centre.switch_plan import switch_plan
from crm_core.db import engine_of, reading
from crm_core.db_trouble import sentence
from crm_core.events import Feed
from crm_core.findings import Finding
from crm_core.ids import PbxId
from crm_core.migrations import current, revisions
from crm_core.settings import Settings

PATIENCE_SECONDS = 5.0
ROOM = 1 << 30
"""Bytes. On a full disk queue_log loses rows in silence, and facts of calls wait in memory."""
BEAT_SECONDS = 10.0
"""`heard_until` is written each second; this old, nobody follows the PBX any more."""


async def look_at(settings: Settings) -> tuple[list[Finding], dict[PbxId, SwitchPlan | None]]:
    """What is wrong here, and what the set-up says of each PBX (None: the database did not say)."""
    found = [*_settings(settings), *_folders(settings)]
    plans: dict[PbxId, SwitchPlan | None] = {pbx.pbx: None for pbx in settings.pbxs}
    trouble = await _database(settings.database_url)
    if trouble is not None:
        return [trouble, *found], plans
    engine = engine_of(settings.database_url)
    try:
        async with reading(engine) as connection:
            for pbx in plans:
                plans[pbx] = await switch_plan(connection, pbx)
    finally:
        await engine.dispose()
    return found, plans


async def _database(url: str) -> Finding | None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            version = await current(url)
    except TimeoutError:
        return Finding(
            where="database",
            says=f"it does not answer within {PATIENCE_SECONDS:.0f} s",
            cure="start it, or set ZUOXI_DATABASE_URL to where it is",
        )
    except Exception as wrong:  # whatever it is, it is the answer
        return Finding(
            where="database",
            says=sentence(wrong),
            cure="start it, or set ZUOXI_DATABASE_URL to where it is",
        )
    known = revisions()
    if version == known[-1]:
        return None
    if version is not None and version not in known:
        return Finding(
            where="database",
            says=f"its tables are of a newer Zuoxi (revision {version}; this one knows {known[-1]})",
            cure="start that version again, or set ZUOXI_DATABASE_URL to another database",
        )
    return Finding(
        where="database",
        says=f"its tables are at revision {version or 'none'}, this Zuoxi needs {known[-1]}",
        cure="zuoxi migrate",
    )


def _settings(settings: Settings) -> Iterator[Finding]:
    if not settings.pbxs:
        yield Finding(
            where="settings",
            says="ZUOXI_PBX_URLS is empty: no Asterisk is followed",
            cure="ZUOXI_PBX_URLS=ami://zuoxi-events:SECRET@127.0.0.1:5038/main"
            "?queue_log=/var/log/asterisk/queue_log",
        )
    yield from _open_to_others(Path(".env"))


def _open_to_others(path: Path) -> Iterator[Finding]:
    """Files that hold secrets."""
    if path.is_file() and path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
        yield Finding(
            where="settings",
            says=f"every user of this machine can read the secrets in {path}",
            cure=f"chmod 600 {path}",
        )


def _folders(settings: Settings) -> Iterator[Finding]:
    folders = {"ZUOXI_VAR": settings.var}
    if any(not pbx.demo for pbx in settings.pbxs):
        folders["ZUOXI_ASTERISK_CONF"] = settings.asterisk_conf
    for name, folder in folders.items():
        # One that is not there is made at the start, where its parent lets us.
        there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            yield Finding(
                where="folders",
                says=f"{name}: {folder} cannot be written by this user",
                cure=f"chown ZUOXI_USER {there}, or set {name} to a folder of that user",
            )
        elif shutil.disk_usage(there).free < ROOM:
            free = shutil.disk_usage(there).free >> 20
            yield Finding(
                where="folders",
                says=f"{name}: {free} MB are left on the disk of {there}",
                cure="make room there: rows of calls are lost on a full disk",
            )


# --- does the running service beat? ---------------------------------------------------------------


def silent_pages(settings: Settings) -> list[str]:
    """A sentence where the process that serves pages does not answer that it is ready."""
    host, port = settings.http_address
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    scheme = "https" if settings.tls_cert else "http"
    address = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/readyz"
    context = ssl.create_default_context()
    # Our own process on our own address: whose name its certificate bears does not matter.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        urlopen(address, timeout=PATIENCE_SECONDS, context=context).close()
    except HTTPError as answer:
        answer.close()
        return [f"{address} answers {answer.code}: not ready (zuoxi doctor says why)"]
    except (OSError, ValueError) as wrong:
        return [f"{address} does not answer ({getattr(wrong, 'reason', None) or wrong})"]
    return []


async def silent_feeds(settings: Settings, now: datetime | None = None) -> list[str]:
    """A sentence for each PBX that nobody has heard lately, by the rows that a live service writes."""
    engine = engine_of(settings.database_url)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            heard = await _heard(engine)
    except Exception as wrong:  # whatever it is, it is the answer
        return [f"the database: {sentence(wrong)}"]
    finally:
        await engine.dispose()
    now = now or datetime.now(UTC)
    told = []
    for pbx in settings.pbxs:
        until = heard.get(pbx.pbx)
        if until is None or now - until > timedelta(seconds=BEAT_SECONDS):
            since = f"since {until:%Y-%m-%d %H:%M:%S} UTC" if until else "yet"
            told.append(f"{pbx.pbx}: nothing was heard of Asterisk {since}")
    return told


async def _heard(engine: AsyncEngine) -> dict[str, datetime | None]:
    async with reading(engine) as connection:
        asked = select(FeedRow.pbx, FeedRow.heard_until).where(FeedRow.feed == Feed.AMI)
        rows = await connection.execute(asked)
        return {row.pbx: row.heard_until for row in rows}
