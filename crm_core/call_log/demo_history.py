"""What the demonstration's centre did before the visitor came: a week of calls, told as facts.

The rows are made by the same writer as those of real calls, so nothing here knows a column. `facts_of`
makes the facts of one past call; the browser tests tell a past of their own with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.access.models import User
from crm_core.access.viewer import viewer_of_user
from crm_core.call_log.models import Call
from crm_core.call_log.writer import CallWriter
from crm_core.centre.holders import HolderBook
from crm_core.centre.queries import people
from crm_core.customers.phone_numbers import normalise
from crm_core.db import transaction
from crm_core.events import (
    AttemptResult,
    CallAnswered,
    CallEnded,
    CallLeftQueue,
    CallOffered,
    CallQueued,
    CallStarted,
    ConversationEnded,
    Direction,
    EndedBy,
    Event,
    LegEnded,
    LegParty,
    LegStarted,
    Member,
    OfferEnded,
    Outcome,
    PassClosed,
    PassConnected,
    PassEntered,
)
from crm_core.ids import BootId, CallId, PbxId, QueuePassKey, call_id
from crm_core.quick_dataclass import dataclass
from crm_core.wrap_up.queries import save_note


@dataclass(frozen=True, slots=True, kw_only=True)
class Colleague:
    """Who took or missed a past call."""

    name: str
    """Of the sign-in."""
    number: str
    extension: str

    @property
    def member(self) -> Member:
        return Member(interface=f"PJSIP/{self.extension}", name=self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCall:
    """A call that came in `ago` before now; `wait` and `talk` in seconds. Nobody took it: abandoned."""

    ago: timedelta
    caller: str | None
    hotline: str
    queue: str
    missed_by: tuple[Colleague, ...] = ()
    taken_by: Colleague | None = None
    wait: int = 9
    talk: int = 0
    note: str = ""
    disposition: str | None = None


def facts_of(past: PastCall, pbx: PbxId, began: datetime, place: int) -> tuple[CallId, list[Event]]:
    """Its name and what both feeds would have told. `place` tells calls of one second apart."""
    boot = BootId(f"b{int(began.timestamp()) // 86_400 * 86_400}")
    unique_id = f"{pbx}-{int(began.timestamp())}.{place}"
    call = call_id(pbx, boot, unique_id)
    about: dict[str, Any] = {"pbx": pbx, "call": call}
    waiting = {**about, "queue_pass": QueuePassKey(unique_id=unique_id, queue=past.queue)}
    ended_at = began + timedelta(seconds=past.wait + past.talk)
    events: list[Event] = [
        CallStarted(
            **about,
            at=began,
            boot=boot,
            unique_id=unique_id,
            direction=Direction.INBOUND,
            caller_number=past.caller,
            called_number=past.hotline,
        ),
        LegStarted(
            **about, at=began, unique_id=unique_id, linked_id=unique_id, party=LegParty.CUSTOMER
        ),
        CallQueued(**waiting, at=began, caller_number=past.caller),
        PassEntered(**waiting, at=began, boot=boot, caller_number=past.caller),
        *_rings(past, began, waiting),
        *_how_it_went(past, began, waiting),
        LegEnded(**about, at=ended_at, unique_id=unique_id, cause=16),
        CallEnded(**about, at=ended_at, cause=16),
    ]
    # As on a real line no two of them share a microsecond.
    return call, [
        replace(event, at=event.at + timedelta(milliseconds=3 * nth))
        for nth, event in enumerate(events)
    ]


def _rings(past: PastCall, began: datetime, waiting: dict[str, Any]) -> Iterator[Event]:
    """One after the other, each with its share of the wait."""
    rung = [*((who, AttemptResult.NO_ANSWER) for who in past.missed_by)]
    if past.taken_by is not None:
        rung.append((past.taken_by, AttemptResult.ANSWERED))
    for place, (who, result) in enumerate(rung):
        share = past.wait / len(rung)
        offered = began + timedelta(seconds=max(1, place * share))
        over = began + timedelta(seconds=(place + 1) * share)
        ring = {**waiting, "attempt": place + 1, "member": who.member}
        yield CallOffered(**ring, at=offered)
        yield OfferEnded(**ring, at=over, result=result)


def _how_it_went(past: PastCall, began: datetime, waiting: dict[str, Any]) -> Iterator[Event]:
    answered_at = began + timedelta(seconds=past.wait)
    if past.taken_by is None:
        yield CallLeftQueue(**waiting, at=answered_at)
        yield PassClosed(
            **waiting, at=answered_at, outcome=Outcome.ABANDONED, wait_seconds=past.wait
        )
        return
    member, ended_at = past.taken_by.member, answered_at + timedelta(seconds=past.talk)
    yield CallAnswered(**waiting, at=answered_at, member=member)
    yield PassConnected(**waiting, at=answered_at, member=member, wait_seconds=past.wait)
    yield ConversationEnded(**waiting, at=ended_at, member=member, ended_by=EndedBy.CALLER)
    yield PassClosed(
        **waiting,
        at=ended_at,
        outcome=Outcome.ANSWERED,
        wait_seconds=past.wait,
        talk_seconds=past.talk,
        member=member,
        ended_by=EndedBy.CALLER,
    )


async def tell_past(
    engine: AsyncEngine, calls: Sequence[PastCall], pbx: PbxId, *, now: datetime
) -> int:
    """Write these calls with their notes; how many. Where this PBX has calls already: none.

    Nothing else may be writing calls at the moment: this is for a product that is not running yet.
    """
    async with transaction(engine) as connection:
        if await connection.scalar(select(Call.call_id).where(Call.pbx == pbx).limit(1)):
            return 0
        holders = HolderBook()
        holders.know(await people(connection))
        writer = CallWriter(holders, lambda raw: normalise(raw, "CN").number)
        for place, past in enumerate(calls, start=1):
            began = now - past.ago
            call, events = facts_of(past, pbx, began, place)
            await writer.write(connection, events)
            if past.taken_by is not None and (past.note or past.disposition):
                await _write_up(connection, past, call, began)
    return len(calls)


async def _write_up(
    connection: AsyncConnection, past: PastCall, call: CallId, began: datetime
) -> None:
    assert past.taken_by is not None
    user = await connection.scalar(select(User.id).where(User.name == past.taken_by.name))
    viewer = await viewer_of_user(connection, user or 0)
    if viewer is None:
        raise LookupError(f"nobody is called {past.taken_by.name}")
    await save_note(
        connection,
        call_id=call,
        viewer=viewer,
        note=past.note,
        disposition_key=past.disposition,
        customer_id=None,
        revision=1,
        submitted=True,
        now=began + timedelta(seconds=past.wait + past.talk + 20),
    )


# --- the demonstration's own past -----------------------------------------------------------------

_LIMIN = Colleague(name="limin", number="1021", extension="8001")
_ZHANGWEI = Colleague(name="zhangwei", number="1022", extension="8002")
_SERVICE, _VIP = ("4008001234", "shouhou"), ("4008005678", "vip")


def _past(
    days: int,
    minutes: int,
    caller: str | None,
    taken_by: Colleague | None = None,
    talk: int = 0,
    disposition: str | None = None,
    note: str = "",
    *,
    line: tuple[str, str] = _SERVICE,
    wait: int = 9,
    missed_by: tuple[Colleague, ...] = (),
) -> PastCall:
    return PastCall(
        ago=timedelta(days=days, minutes=minutes),
        caller=caller,
        hotline=line[0],
        queue=line[1],
        taken_by=taken_by,
        talk=talk,
        disposition=disposition,
        note=note,
        wait=wait,
        missed_by=missed_by,
    )


DEMO_PAST: tuple[PastCall, ...] = (
    _past(6, 95, "13800000101", _ZHANGWEI, 312, "resolved", "HD-320 季度保养，约周五上午上门"),
    _past(6, 40, "18600000606", _LIMIN, 148, "resolved", "回流焊温区报警，远程复位后正常"),
    _past(5, 30, "13900000202", _LIMIN, 205, "follow_up", "要求两小时内上门，已派刘工", line=_VIP),
    _past(4, 120, "13800000101", wait=46),
    _past(4, 112, "13800000101", _ZHANGWEI, 192, "follow_up", "出口温度偏高，工程师周三到现场",
          wait=38, missed_by=(_LIMIN,)),
    _past(3, 200, "01088880001", _LIMIN, 96, "resolved", "发票抬头变更，已转财务"),
    _past(3, 15, "17700000707", _LIMIN, 88, "resolved", "刀片规格咨询"),
    _past(2, 55, "15800000505", _ZHANGWEI, 131, "follow_up", "台钻配件报价，周四前回复", wait=4),
    _past(2, 31, "051288880009", _LIMIN, 77, "resolved", "封边机胶锅温度设置"),
    _past(1, 70, "13377778888", _ZHANGWEI, 15, "nuisance"),
    _past(1, 25, "13600000303", _ZHANGWEI, 264, "resolved", "封口机试用合同已寄出", wait=3),
    _past(1, 12, "19900000808", _LIMIN, 143, "follow_up", "杀青机保养预约，等客户定日子"),
    _past(0, 171, "15000000404", _LIMIN, 143, "resolved", "注塑机锁模报警，指导复位"),
    _past(0, 158, "13900000202", _LIMIN, 221, "follow_up", "预约周四下午巡检", line=_VIP, wait=5),
    _past(0, 139, None, _LIMIN, 26, "silent", wait=12),
    _past(0, 121, "15800000505", _LIMIN, 96, "resolved", "配件自取，仓库今天17:00前", wait=7),
    _past(0, 102, "13377778888", _LIMIN, 18, "nuisance"),
    _past(0, 84, "18600000606", wait=31, missed_by=(_LIMIN,)),
    _past(0, 81, "18600000606", _LIMIN, 304, "follow_up", "合同年底到期，请商务联系续签", wait=3),
    # The first to ring while the visitor watches: a repeat call within two hours.
    _past(0, 52, "13800000101", _ZHANGWEI, 167, "follow_up", "空压机异响，已转售后，客户等回电",
          wait=24, missed_by=(_LIMIN,)),
    _past(0, 33, "17700000707", _LIMIN, 118, "resolved", "分切机刀片寿命咨询", wait=8),
    _past(0, 21, "02061238899", wait=19),
    _past(0, 12, "15000000404", _LIMIN, 74, "resolved", "确认上午的复位有效", wait=4),
)  # fmt: skip
