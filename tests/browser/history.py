"""A week of calls that a centre might have had, told to the product's own recorder as facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import select

from crm_core.access.models import User
from crm_core.access.viewer import viewer_of_user
from crm_core.bus import MemoryBus
from crm_core.db import engine_of, transaction
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
from crm_core.service import CrmCore
from crm_core.settings import Settings
from crm_core.wrap_up.queries import save_note
from tests.browser.centre import HOTLINES, LIMIN, PAIR, SUPPORT, VIP, ZHANGWEI, ZHAOLEI, Person

PBX = PbxId("lab")
_numbers = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One call of the past. `ago` is how long before now it came in."""

    ago: timedelta
    caller: str | None
    hotline: str = SUPPORT
    missed_by: tuple[Person, ...] = ()
    taken_by: Person | None = None
    wait: int = 9
    talk: int = 0
    note: str = ""
    disposition: str | None = None

    @property
    def queue(self) -> str:
        return HOTLINES[self.hotline][0]


def _ago(days: int = 0, minutes: int = 0) -> timedelta:
    return timedelta(days=days, minutes=minutes)


WANG, LI, CHEN, ZHAO, SUN, ZHOU, WU = (
    "13800000101", "13900000202", "13600000303", "15000000404", "15800000505", "18600000606",
    "17700000707",
)  # fmt: skip

CALLS = (
    Past(ago=_ago(6, 95), caller=WANG, taken_by=ZHANGWEI, talk=312, wait=6, disposition="resolved",
         note="HD-320 季度保养，约周五上午上门"),
    Past(ago=_ago(6, 40), caller=ZHOU, taken_by=LIMIN, talk=148, disposition="resolved",
         note="回流焊温区报警，远程复位后正常"),
    Past(ago=_ago(5, 30), caller=LI, hotline=VIP, taken_by=LIMIN, talk=205, disposition="follow_up",
         note="要求两小时内上门，已派刘工"),
    Past(ago=_ago(4, 120), caller=WANG, wait=46),
    Past(ago=_ago(4, 112), caller=WANG, missed_by=(LIMIN,), taken_by=ZHAOLEI, wait=38, talk=192,
         disposition="follow_up", note="出口温度偏高，工程师周三到现场"),
    Past(ago=_ago(3, 15), caller=WU, taken_by=LIMIN, talk=88, disposition="resolved"),
    Past(ago=_ago(2, 55), caller=SUN, hotline=PAIR, taken_by=ZHAOLEI, talk=131, wait=4,
         disposition="follow_up", note="台钻配件报价，周四前回复"),
    Past(ago=_ago(1, 70), caller="13377778888", taken_by=ZHANGWEI, talk=15, disposition="nuisance"),
    Past(ago=_ago(1, 25), caller=CHEN, hotline=PAIR, taken_by=ZHANGWEI, talk=264, wait=3,
         disposition="resolved", note="封口机试用合同已寄出"),
    *(
        Past(ago=_ago(0, minutes), caller=caller, taken_by=LIMIN, talk=talk, wait=talk % 11 + 2,
             disposition=disposition)
        for minutes, caller, talk, disposition in (
            (421, ZHOU, 187, "resolved"), (402, "13377770001", 64, "resolved"),
            (389, WU, 251, "follow_up"), (371, SUN, 43, "resolved"),
            (352, "02558880012", 92, "resolved"), (338, LI, 165, "resolved"),
            (317, "13377770002", 31, "wrong_number"), (301, ZHAO, 209, "follow_up"),
            (284, CHEN, 77, "resolved"), (263, "13377770003", 118, "resolved"),
            (247, SUN, 134, "resolved"), (226, WU, 58, "resolved"),
            (211, "13377770004", 146, "follow_up"), (196, ZHOU, 81, "resolved"),
        )
    ),
    Past(ago=_ago(0, 176), caller=ZHAO, taken_by=LIMIN, talk=143, disposition="resolved",
         note="注塑机锁模报警，指导复位"),
    Past(ago=_ago(0, 158), caller=LI, hotline=VIP, taken_by=LIMIN, talk=221, wait=5,
         disposition="follow_up", note="预约周四下午巡检"),
    Past(ago=_ago(0, 139), caller=None, taken_by=LIMIN, talk=26, wait=12, disposition="silent"),
    Past(ago=_ago(0, 121), caller=SUN, taken_by=LIMIN, talk=96, wait=7, disposition="resolved",
         note="配件自取，仓库今天17:00前"),
    Past(ago=_ago(0, 102), caller="13377778888", taken_by=LIMIN, talk=18, disposition="nuisance"),
    Past(ago=_ago(0, 84), caller=ZHOU, missed_by=(LIMIN,), wait=31),
    Past(ago=_ago(0, 81), caller=ZHOU, taken_by=LIMIN, talk=304, wait=3, disposition="follow_up",
         note="合同年底到期，请商务联系续签"),
    Past(ago=_ago(0, 52), caller=WANG, hotline=PAIR, missed_by=(ZHAOLEI,), taken_by=ZHANGWEI,
         wait=24, talk=167, disposition="follow_up", note="空压机异响，已转售后，客户等回电"),
    Past(ago=_ago(0, 33), caller=WU, taken_by=LIMIN, talk=118, wait=8, disposition="resolved",
         note="分切机刀片寿命咨询"),
    Past(ago=_ago(0, 21), caller="02061238899", wait=19),
    Past(ago=_ago(0, 12), caller=ZHAO, taken_by=LIMIN, talk=74, wait=4, disposition="resolved",
         note="确认上午的复位有效"),
)  # fmt: skip


async def fill(database_url: str, now: datetime) -> None:
    """All of `CALLS`, as rows. The product must not be running on this database."""
    engine, bus = engine_of(database_url), MemoryBus()
    core = CrmCore(bus, engine, Settings(database_url=database_url))
    await core.start()
    told: list[tuple[Past, CallId, datetime]] = []
    for past in CALLS:
        began = now - past.ago
        call, events = _facts(past, began)
        for event in events:
            bus.publish(event)
        told.append((past, call, began))
    await core.recorder.drain()
    async with transaction(engine) as connection:
        for past, call, began in told:
            if past.taken_by is None:
                continue
            user = await connection.scalar(select(User.id).where(User.name == past.taken_by.name))
            viewer = await viewer_of_user(connection, user or 0)
            assert viewer is not None
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
    await core.stop()
    await engine.dispose()


def _facts(past: Past, began: datetime) -> tuple[CallId, list[Event]]:
    boot = BootId(f"b{int(began.timestamp()) // 86400 * 86400}")
    unique_id = f"lab-{int(began.timestamp())}.{next(_numbers)}"
    call = call_id(PBX, boot, unique_id)
    about: dict[str, Any] = {"pbx": PBX, "call": call}
    waiting = {**about, "queue_pass": QueuePassKey(unique_id=unique_id, queue=past.queue)}
    answered_at = began + timedelta(seconds=past.wait)
    ended_at = answered_at + timedelta(seconds=past.talk)
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
    ]
    if past.taken_by is None:
        events += [
            CallLeftQueue(**waiting, at=ended_at),
            PassClosed(**waiting, at=ended_at, outcome=Outcome.ABANDONED, wait_seconds=past.wait),
        ]
    else:
        member = _member(past.taken_by)
        events += [
            CallAnswered(**waiting, at=answered_at, member=member),
            PassConnected(**waiting, at=answered_at, member=member, wait_seconds=past.wait),
            ConversationEnded(**waiting, at=ended_at, member=member, ended_by=EndedBy.CALLER),
            PassClosed(
                **waiting,
                at=ended_at,
                outcome=Outcome.ANSWERED,
                wait_seconds=past.wait,
                talk_seconds=past.talk,
                member=member,
                ended_by=EndedBy.CALLER,
            ),
        ]
    events.append(LegEnded(**about, at=ended_at, unique_id=unique_id, cause=16))
    events.append(CallEnded(**about, at=ended_at, cause=16))
    # As on a real line no two of them share a microsecond.
    return call, [
        replace(event, at=event.at + timedelta(milliseconds=3 * place))
        for place, event in enumerate(events)
    ]


def _rings(past: Past, began: datetime, waiting: dict[str, Any]) -> Iterator[Event]:
    """One after the other, each with its share of the wait."""
    rung = [*((who, AttemptResult.NO_ANSWER) for who in past.missed_by)]
    if past.taken_by is not None:
        rung.append((past.taken_by, AttemptResult.ANSWERED))
    for place, (who, result) in enumerate(rung):
        share = past.wait / len(rung)
        offered = began + timedelta(seconds=max(1, place * share))
        over = began + timedelta(seconds=(place + 1) * share)
        ring = {**waiting, "attempt": place + 1, "member": _member(who)}
        yield CallOffered(**ring, at=offered)
        yield OfferEnded(**ring, at=over, result=result)


def _member(who: Person) -> Member:
    return Member(interface=f"PJSIP/{who.extension}", name=who.number)
