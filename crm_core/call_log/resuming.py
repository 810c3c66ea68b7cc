"""What `telephony` asks when it starts or comes back: boots, positions, and calls without an end."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.call_log.facts import Facts
from crm_core.call_log.models import Boot, Call, FeedRow, QueuePass
from crm_core.call_log.passes import joined_passes, same_member
from crm_core.call_log.records import Confidence
from crm_core.call_log.told_passes import told_passes
from crm_core.call_log.writer import facts_of
from crm_core.commands import FeedState, KnownBoot, OpenCall, ToldPass
from crm_core.events import (
    CallAnswered,
    CallOffered,
    CallQueued,
    ConversationEnded,
    Direction,
    Feed,
    LegEnded,
    LegStarted,
    OfferEnded,
    TimelineEvent,
)
from crm_core.ids import BootId, CallId, PbxId


async def known_boots(connection: AsyncConnection, pbx: PbxId) -> tuple[KnownBoot, ...]:
    """All boots of a PBX, newest last."""
    rows = await connection.execute(
        select(Boot.boot, Boot.started_at)
        .where(Boot.pbx == pbx)
        .order_by(Boot.started_at, Boot.boot)
    )
    return tuple(KnownBoot(boot=BootId(boot), started_at=at) for boot, at in rows)


TOLD_SINCE = timedelta(days=2)
"""How old a call may be whose pass has no closing row and is still looked for."""


MAY_GO_ON = timedelta(hours=1)
"""How long before the newest call the last pass of one may have closed that goes on all the same."""


async def feed_state(connection: AsyncConnection, pbx: PbxId, feed: Feed) -> FeedState | None:
    """How far this feed was followed; None: never. For `queue_log` with the passes it left open."""
    rows = await connection.execute(
        select(FeedRow.position, FeedRow.heard_until).where(
            FeedRow.pbx == pbx, FeedRow.feed == feed
        )
    )
    found = rows.one_or_none()
    if found is None:
        return None
    passes = await _told_passes(connection, pbx) if feed is Feed.QUEUE_LOG else ()
    return FeedState(position=found[0], heard_until=found[1], passes=passes)


async def _told_passes(connection: AsyncConnection, pbx: PbxId) -> tuple[ToldPass, ...]:
    """The passes that the fold needs to go on with: of calls without an end, and those not closed."""
    newest = await connection.scalar(
        select(Call.started_at).where(Call.pbx == pbx).order_by(Call.started_at.desc()).limit(1)
    )
    if newest is None:
        return ()
    unfinished = (
        select(Call.call_id)
        .outerjoin(QueuePass, QueuePass.call_id == Call.call_id)
        .where(
            Call.pbx == pbx,
            Call.started_at >= datetime.now(UTC) - TOLD_SINCE,
            # AMI alone may have given an outcome to a pass whose closing row is still to come.
            or_(
                Call.ended_at.is_(None),
                QueuePass.outcome.is_(None),
                Call.confidence.in_((Confidence.AMI_ONLY, Confidence.GAP)),
                # Whose caller AMI has not seen leave: he may enter the next queue.
                and_(
                    Call.confidence == Confidence.QUEUE_LOG_ONLY,
                    Call.ended_at >= newest - MAY_GO_ON,
                ),
            ),
        )
        .distinct()
    )
    timelines: dict[CallId, list[TimelineEvent]] = defaultdict(list)
    ids = [CallId(call) for call in await connection.scalars(unfinished)]
    for call, fact in await facts_of(connection, ids):
        timelines[call].append(fact)
    return tuple(told for timeline in timelines.values() for told in told_passes(timeline))


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
    heard = await connection.scalar(
        select(FeedRow.heard_until).where(FeedRow.pbx == pbx, FeedRow.feed == Feed.AMI)
    )
    boots = await known_boots(connection, pbx)
    newest = boots[-1].boot if boots else None
    return tuple(
        open_call_of(BootId(boot), Direction(row.direction), timelines[row.call_id], heard)
        for row in calls
        # Where every fact that names the boot was lost, the present one is the best to try.
        if (boot := row.boot or newest) and timelines[row.call_id]
    )


def open_call_of(
    boot: BootId, direction: Direction, timeline: list[TimelineEvent], heard: datetime | None
) -> OpenCall:
    facts = Facts(timeline)
    last = facts.all[-1].at
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
        # As long as we heard, and no end, it lived.
        last_seen_at=max(last, heard) if heard is not None else last,
        channels=tuple((leg.unique_id, leg.linked_id) for leg in facts.of(LegStarted)),
        passes=passes,
        open_passes=tuple(each for each in passes if each in still_open),
        attempts=max((offer.attempt for offer in facts.of(CallOffered)), default=0),
        legs=_open_legs(facts),
        rings=_open_rings(facts),
        talks=_open_talks(facts),
        facts=tuple(facts.all),
    )


def _open_legs(facts: Facts) -> tuple[LegStarted, ...]:
    over = {end.unique_id for end in facts.of(LegEnded)}
    return tuple(leg for leg in facts.of(LegStarted) if leg.unique_id not in over)


def _open_rings(facts: Facts) -> tuple[CallOffered, ...]:
    over = {end.attempt for end in facts.of(OfferEnded)}
    answers = facts.of(CallAnswered)
    # The ring that was answered has no end of its own: CallAnswered is its end.
    return tuple(
        ring
        for ring in facts.of(CallOffered)
        if ring.attempt not in over
        and not any(
            answer.queue_pass == ring.queue_pass
            and answer.at >= ring.at
            and same_member(ring.member, answer.member)
            for answer in answers
        )
    )


def _open_talks(facts: Facts) -> tuple[CallAnswered, ...]:
    over = {(end.queue_pass, end.leg) for end in facts.of(ConversationEnded)}
    return tuple(talk for talk in facts.of(CallAnswered) if (talk.queue_pass, talk.leg) not in over)
