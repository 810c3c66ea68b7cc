"""What `telephony` asks when it starts or comes back: boots, positions, and calls without an end."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.call_log.facts import Facts
from crm_core.call_log.models import Boot, Call, FeedRow
from crm_core.call_log.passes import joined_passes
from crm_core.call_log.writer import facts_of
from crm_core.commands import FeedState, KnownBoot, OpenCall
from crm_core.events import CallOffered, CallQueued, Direction, Feed, LegStarted, TimelineEvent
from crm_core.ids import BootId, CallId, PbxId


async def known_boots(connection: AsyncConnection, pbx: PbxId) -> tuple[KnownBoot, ...]:
    """All boots of a PBX, newest last."""
    rows = await connection.execute(
        select(Boot.boot, Boot.started_at)
        .where(Boot.pbx == pbx)
        .order_by(Boot.started_at, Boot.boot)
    )
    return tuple(KnownBoot(boot=BootId(boot), started_at=at) for boot, at in rows)


async def feed_state(connection: AsyncConnection, pbx: PbxId, feed: Feed) -> FeedState | None:
    """How far this feed was followed; None: never."""
    rows = await connection.execute(
        select(FeedRow.position, FeedRow.heard_until).where(
            FeedRow.pbx == pbx, FeedRow.feed == feed
        )
    )
    found = rows.one_or_none()
    return FeedState(position=found[0], heard_until=found[1]) if found else None


async def open_calls(connection: AsyncConnection, pbx: PbxId) -> tuple[OpenCall, ...]:
    """Every call of this PBX without an end, the oldest first."""
    rows = await connection.execute(
        select(Call.call_id, Call.boot, Call.direction)
        .where(Call.pbx == pbx, Call.ended_at.is_(None))
        .order_by(Call.started_at, Call.call_id)
    )
    calls = rows.all()
    timelines: dict[CallId, list[TimelineEvent]] = defaultdict(list)
    for call, fact in await facts_of(connection, [row.call_id for row in calls]):
        timelines[call].append(fact)
    boots = await known_boots(connection, pbx)
    newest = boots[-1].boot if boots else None
    return tuple(
        _open_call(BootId(boot), Direction(row.direction), timelines[row.call_id])
        for row in calls
        # Where every fact that names the boot was lost, the present one is the best to try.
        if (boot := row.boot or newest) and timelines[row.call_id]
    )


def _open_call(boot: BootId, direction: Direction, timeline: list[TimelineEvent]) -> OpenCall:
    facts = Facts(timeline)
    still_open = {
        joined.ami.queued.queue_pass
        for joined in joined_passes(facts)
        if joined.ami and joined.ami.queued and not joined.ami.ended_at and not joined.closed
    }
    passes = tuple(dict.fromkeys(queued.queue_pass for queued in facts.of(CallQueued)))
    return OpenCall(
        call=facts.all[0].call,
        boot=boot,
        direction=direction,
        last_seen_at=facts.all[-1].at,
        channels=tuple((leg.unique_id, leg.linked_id) for leg in facts.of(LegStarted)),
        passes=passes,
        open_passes=tuple(each for each in passes if each in still_open),
        attempts=max((offer.attempt for offer in facts.of(CallOffered)), default=0),
    )
