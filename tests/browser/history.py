"""A week of calls that a centre might have had, told by the writer of the product's own history."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from crm_core.call_log.demo_history import Colleague, PastCall, tell_past
from crm_core.db import engine_of
from crm_core.ids import PbxId
from tests.browser.centre import HOTLINES, LIMIN, PAIR, SUPPORT, VIP, ZHANGWEI, ZHAOLEI, Person

PBX = PbxId("lab")


def _who(person: Person) -> Colleague:
    return Colleague(name=person.name, number=person.number, extension=person.extension)


def _past(
    *,
    ago: timedelta,
    caller: str | None,
    hotline: str = SUPPORT,
    missed_by: tuple[Person, ...] = (),
    taken_by: Person | None = None,
    **more: Any,
) -> PastCall:
    """A past call of the browser tests' centre: its queue is its hotline's."""
    return PastCall(
        ago=ago,
        caller=caller,
        hotline=hotline,
        queue=HOTLINES[hotline][0],
        missed_by=tuple(_who(person) for person in missed_by),
        taken_by=_who(taken_by) if taken_by else None,
        **more,
    )


def _ago(days: int = 0, minutes: int = 0) -> timedelta:
    return timedelta(days=days, minutes=minutes)


WANG, LI, CHEN, ZHAO, SUN, ZHOU, WU = (
    "13800000101", "13900000202", "13600000303", "15000000404", "15800000505", "18600000606",
    "17700000707",
)  # fmt: skip

CALLS = (
    _past(ago=_ago(6, 95), caller=WANG, taken_by=ZHANGWEI, talk=312, wait=6, disposition="resolved",
         note="HD-320 季度保养，约周五上午上门"),
    _past(ago=_ago(6, 40), caller=ZHOU, taken_by=LIMIN, talk=148, disposition="resolved",
         note="回流焊温区报警，远程复位后正常"),
    _past(ago=_ago(5, 30), caller=LI, hotline=VIP, taken_by=LIMIN, talk=205, disposition="follow_up",
         note="要求两小时内上门，已派刘工"),
    _past(ago=_ago(4, 120), caller=WANG, wait=46),
    _past(ago=_ago(4, 112), caller=WANG, missed_by=(LIMIN,), taken_by=ZHAOLEI, wait=38, talk=192,
         disposition="follow_up", note="出口温度偏高，工程师周三到现场"),
    _past(ago=_ago(3, 15), caller=WU, taken_by=LIMIN, talk=88, disposition="resolved"),
    _past(ago=_ago(2, 55), caller=SUN, hotline=PAIR, taken_by=ZHAOLEI, talk=131, wait=4,
         disposition="follow_up", note="台钻配件报价，周四前回复"),
    _past(ago=_ago(1, 70), caller="13377778888", taken_by=ZHANGWEI, talk=15, disposition="nuisance"),
    _past(ago=_ago(1, 25), caller=CHEN, hotline=PAIR, taken_by=ZHANGWEI, talk=264, wait=3,
         disposition="resolved", note="封口机试用合同已寄出"),
    *(
        _past(ago=_ago(0, minutes), caller=caller, taken_by=LIMIN, talk=talk, wait=talk % 11 + 2,
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
    _past(ago=_ago(0, 176), caller=ZHAO, taken_by=LIMIN, talk=143, disposition="resolved",
         note="注塑机锁模报警，指导复位"),
    _past(ago=_ago(0, 158), caller=LI, hotline=VIP, taken_by=LIMIN, talk=221, wait=5,
         disposition="follow_up", note="预约周四下午巡检"),
    _past(ago=_ago(0, 139), caller=None, taken_by=LIMIN, talk=26, wait=12, disposition="silent"),
    _past(ago=_ago(0, 121), caller=SUN, taken_by=LIMIN, talk=96, wait=7, disposition="resolved",
         note="配件自取，仓库今天17:00前"),
    _past(ago=_ago(0, 102), caller="13377778888", taken_by=LIMIN, talk=18, disposition="nuisance"),
    _past(ago=_ago(0, 84), caller=ZHOU, missed_by=(LIMIN,), wait=31),
    _past(ago=_ago(0, 81), caller=ZHOU, taken_by=LIMIN, talk=304, wait=3, disposition="follow_up",
         note="合同年底到期，请商务联系续签"),
    _past(ago=_ago(0, 52), caller=WANG, hotline=PAIR, missed_by=(ZHAOLEI,), taken_by=ZHANGWEI,
         wait=24, talk=167, disposition="follow_up", note="空压机异响，已转售后，客户等回电"),
    _past(ago=_ago(0, 33), caller=WU, taken_by=LIMIN, talk=118, wait=8, disposition="resolved",
         note="分切机刀片寿命咨询"),
    _past(ago=_ago(0, 21), caller="02061238899", wait=19),
    _past(ago=_ago(0, 12), caller=ZHAO, taken_by=LIMIN, talk=74, wait=4, disposition="resolved",
         note="确认上午的复位有效"),
)  # fmt: skip


async def fill(database_url: str, now: datetime) -> None:
    """All of `CALLS`, as rows. The product must not be running on this database."""
    engine = engine_of(database_url)
    told = await tell_past(engine, CALLS, PBX, now=now)
    assert told == len(CALLS)
    await engine.dispose()
