"""The doctor's eyes: asks one Asterisk over AMI what its account may ask, and reads `queue_log`'s entry.

Nothing is changed. Whatever is refused or away is a part of the answer, never an exception.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from crm_core.centre.plan import SwitchPlan
from crm_core.errors import Unavailable
from crm_core.events import LinkState
from crm_core.settings import PbxUrl
from telephony.ami.actions import (
    Action,
    CoreSettings,
    GetConfigJSON,
    ModuleCheck,
    Ping,
    QueueStatus,
    ShowDialPlan,
)
from telephony.ami.link import AmiSession, Answer, Patience
from telephony.doctor.dialplan_rules import ASKED_MODULES
from telephony.doctor.sight import QueueLogSight, Section, SeenMember, Sight, Step

Ask = Callable[[Action], Awaitable[Answer]]

PATIENCE = Patience(connect=5.0, answer=30.0, ping_every=60.0)
"""A dialplan of ten thousand steps takes its time."""

_FILES = (
    ("manager.conf", ""),
    ("queues.conf", ""),
    ("logger.conf", ""),
    ("extconfig.conf", "settings"),
    ("asterisk.conf", "options"),
    ("pjsip.conf", "global"),
)
NO_FILE = "File requires escalated privileges"
"""Asterisk's answer (22.10.1) for a file that it does not have."""
DENIED = "Permission denied"

_UPTIME = re.compile(rb"\r\nUptime: (\d{1,9})")


async def look(pbx: PbxUrl, plan: SwitchPlan | None) -> Sight:
    """What there is to see."""
    seen: dict[str, Any] = {
        "pbx": str(pbx.pbx),
        "accounts": tuple(dict.fromkeys((pbx.user, pbx.control_user))),
        "address": f"{pbx.host}:{pbx.port}",
        "queue_log": _queue_log(pbx.queue_log),
        "plan": plan,
    }
    booted: list[datetime] = []

    def hears(raw: bytes) -> None:
        if raw.startswith(b"Event: FullyBooted") and (uptime := _UPTIME.search(raw)):
            booted.append(datetime.now(UTC) - timedelta(seconds=int(uptime[1])))

    listening, trouble = await _connected(pbx, pbx.user, pbx.secret, hears)
    acting: AmiSession | None = None
    try:
        if trouble is None and pbx.control_user != pbx.user:
            acting, trouble = await _connected(pbx, pbx.control_user, pbx.control_secret)
            trouble = trouble and f"{pbx.control_user}: {trouble}"
        if trouble is not None:
            return Sight(**seen, trouble=trouble)
        sight = await _asked((acting or listening).request, seen)
        return replace(sight, started_at=booted[-1] if booted else None)
    except Unavailable as wrong:
        return Sight(**seen, trouble=wrong.detail)
    finally:
        for session in (listening, acting):
            if session is not None:
                await session.close_and_wait()


async def _connected(
    pbx: PbxUrl, user: str, secret: str, hears: Callable[[bytes], None] | None = None
) -> tuple[AmiSession, str | None]:
    """A session, and why it is none."""
    told: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

    def state(now: LinkState, reason: str | None) -> None:
        if not told.done():
            told.set_result(None if now is LinkState.UP else reason or now.value)

    session = AmiSession(
        name=f"{pbx.pbx}/doctor",
        host=pbx.host,
        port=pbx.port,
        username=user,
        secret=secret,
        events="off" if hears is None else "system",
        tls=pbx.tls,
        patience=PATIENCE,
        on_message=hears,
        on_state=state,
    )
    session.connect()
    return session, await told


async def _asked(ask: Ask, seen: dict[str, Any]) -> Sight:
    files: dict[str, tuple[Section, ...]] = {}
    refused: dict[str, str] = {}
    for name, section in _FILES:
        answer = await ask(GetConfigJSON(filename=name, category=section))
        if answer.ok:
            files[name] = _sections(answer.response.get("JSON", ""), seen["accounts"], name)
        elif answer.message != NO_FILE:
            refused["GetConfigJSON"] = answer.message
    dialplan = await ask(ShowDialPlan())
    if not dialplan.ok and dialplan.message == DENIED:
        refused["ShowDialPlan"] = dialplan.message
    modules = {}
    for module in ASKED_MODULES:
        answer = await ask(ModuleCheck(module=module))
        if answer.message == DENIED:
            refused["ModuleCheck"] = answer.message
            break
        modules[module] = answer.ok
    settings = await ask(CoreSettings())
    return Sight(
        **seen,
        files=files,
        refused=refused,
        modules=modules,
        steps=tuple(_steps(dialplan)),
        members=tuple(_members(await ask(QueueStatus()))),
        system_name=settings.response.get("SystemName", ""),
        clock_ahead_seconds=await _clock_ahead(ask),
    )


def _sections(text: str, accounts: tuple[str, ...], file: str) -> tuple[Section, ...]:
    """GetConfigJSON's object: sections and keys come as often as they stand in the file."""
    sections = []
    try:
        for name, pairs in json.loads(text, object_pairs_hook=tuple, strict=False):
            if file == "manager.conf" and name not in ("general", *accounts):
                continue  # other people's accounts are none of our business
            kept = tuple((key, str(value)) for key, value in pairs if key != "secret")
            sections.append(Section(name=name, pairs=kept))
    except (ValueError, TypeError):
        return ()  # no Asterisk's answer
    return tuple(sections)


def _steps(answer: Answer) -> list[Step]:
    return [
        Step(
            context=item.get("Context", ""),
            exten=item.get("Extension", ""),
            application=item.get("Application", ""),
            data=item.get("AppData", ""),
        )
        for item in answer.items
    ]


def _members(answer: Answer) -> list[SeenMember]:
    return [
        SeenMember(
            queue=item.get("Queue", ""),
            name=item.get("Name", ""),
            interface=item.get("Location", ""),
            state_interface=item.get("StateInterface", ""),
        )
        for item in answer.items
        if item.get("Event") == "QueueMember"
    ]


async def _clock_ahead(ask: Ask) -> float:
    """Asterisk's clock less ours, to the length of one answer: a Pong bears its moment."""
    began = datetime.now(UTC)
    stamp = (await ask(Ping())).response.get("Timestamp", "")
    ended = datetime.now(UTC)
    try:
        theirs = datetime.fromtimestamp(float(stamp), UTC)
    except (ValueError, OverflowError, OSError):
        return 0.0
    return (theirs - (began + (ended - began) / 2)).total_seconds()


def _queue_log(path: Path | None) -> QueueLogSight | None:
    if path is None:
        return None
    try:
        changed_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        if not path.is_file():
            return QueueLogSight(path=str(path), trouble=f"{path} is not a file")
        if not os.access(path, os.R_OK):
            return QueueLogSight(path=str(path), trouble=f"{path}: Permission denied")
    except OSError as wrong:
        return QueueLogSight(path=str(path), trouble=f"{path}: {wrong.strerror}")
    return QueueLogSight(path=str(path), changed_at=changed_at)
