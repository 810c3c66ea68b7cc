"""The oracle: what the records of a story must say, held against what really happened.

What Asterisk told, by either feed, is in the table and equal; what nobody heard is missing or
labelled, never wrong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

from crm_core.agents.rules import RULING
from crm_core.call_log.records import AttemptRecord, CallRecord, Confidence, PassRecord
from crm_core.call_log.timeline import record
from crm_core.events import AgentState, AttemptResult, Outcome
from crm_core.ids import BootId, CallId, call_id
from tests.simulation.play import Play
from tests.simulation.product import PBX
from tests.simulation.records import FoldedRecords
from tests.simulation.truth import TrueCall, TruePass, TrueRing

A_SECOND = timedelta(seconds=1.05)
"""`queue_log` cuts to whole seconds, and messages take their time."""
NEAR = timedelta(seconds=3.05)
"""Two seconds are the same moment to the product where one feed came late, and rows are cut to one."""
GAP_ENDS = timedelta(seconds=2)


def complaints(play: Play) -> list[str]:
    """Everything that is wrong at the end of this story, each in a sentence. [] is what we want."""
    found = list(play.complaints)
    calls = {each.call_id: each for each in play.records.calls()}
    expected = {_id_of(play, true): true for true in play.truth.calls}
    for call, true in expected.items():
        kept = calls.get(call)
        if kept is None:
            found += _missing(play, true)
        else:
            found += [f"call {true.number}: {said}" for said in _call(play, true, kept)]
    found += [f"a call that never was: {call}" for call in calls.keys() - expected.keys()]
    found += _agents_are_in_one_place(list(calls.values()))
    found += _gaps(play)
    found += _board_at_rest(play)
    found += _order_and_doubling(play)
    return found


def _id_of(play: Play, true: TrueCall) -> CallId:
    boot = BootId(f"b{int(play.truth.boots[true.boot].timestamp())}")
    return call_id(PBX, boot, true.unique_id)


def _missing(play: Play, true: TrueCall) -> Iterator[str]:
    if not true.touches(play.truth.blind):
        yield f"call {true.number} is not in the table, and AMI was there"
    elif any(_is_told(play, stay) for stay in true.passes):
        yield f"call {true.number} is not in the table, and queue_log tells it"


def _is_told(play: Play, stay: TruePass) -> bool:
    return play.plan.with_queue_log and any(not (r.lost or r.doubtful) for r in stay.rows)


# --- one call -----------------------------------------------------------------------------------------


def _call(play: Play, true: TrueCall, kept: CallRecord) -> Iterator[str]:
    clean = not true.touches(play.truth.blind)
    log_whole = play.plan.with_queue_log and all(stay.rows_whole for stay in true.passes)
    pairs = _paired(true.passes, kept.passes)
    for stay, row in pairs:
        if stay is None and row is not None:
            yield f"a pass that never was: {row.queue} at {row.entered_at:%H:%M:%S}"
        elif row is None and stay is not None:
            if _is_told(play, stay) or (clean and stay.outcome is not Outcome.FULL):
                yield f"no pass in {stay.queue} at {stay.entered_at:%H:%M:%S}"
        elif stay is not None and row is not None:
            whole = play.plan.with_queue_log and stay.rows_whole
            if whole and stay.outcome is None:  # the next start is what closes it
                start = play.truth.starts[true.boot + 1]
                whole = not (start.lost or start.doubtful)
            if whole:
                yield from _told_pass(play, true, stay, row)
            twice = sum(each.queue == stay.queue for each in true.passes) > 1
            if whole or clean or not twice:  # who left and came again unseen is taken for one stay
                yield from _never_wrong(true, stay, row)
            if log_whole and clean and not true.died:
                yield from _attempts(f"pass in {stay.queue}", stay.rings, row.attempts)
    if kept.ended_at is None:
        yield "has no end"
    if clean:
        yield from _seen_whole(true, kept)
    if clean and log_whole and not true.died and kept.confidence is not Confidence.COMPLETE:
        yield f"everybody saw it, and it is labelled {kept.confidence}"
    if not log_whole and clean and kept.confidence is Confidence.COMPLETE:
        for stay, row in pairs:
            if stay is not None and row is not None and row.outcome is not stay.outcome:
                yield f"{row.outcome} for {stay.outcome} is labelled complete"
    yield from _partition(kept)


def _paired(
    true: Sequence[TruePass], rows: Sequence[PassRecord]
) -> list[tuple[TruePass | None, PassRecord | None]]:
    """By channel and queue, in order of time; where one side has fewer, the nearest ones."""
    found: list[tuple[TruePass | None, PassRecord | None]] = []
    places = {(each.unique_id, each.queue) for each in true}
    for place in sorted(places | {(each.unique_id, each.queue) for each in rows}):
        stays = [each for each in true if (each.unique_id, each.queue) == place]
        here = [each for each in rows if (each.unique_id, each.queue) == place]
        here.sort(key=lambda row: row.entered_at)
        if len(stays) == len(here):
            found += zip(stays, here, strict=True)
            continue
        nearest = sorted(
            (abs(stay.entered_at - row.entered_at), i, j)
            for i, stay in enumerate(stays)
            for j, row in enumerate(here)
            if _may_be(stay, row)
        )
        left_stays, left_rows = set(range(len(stays))), set(range(len(here)))
        for _, i, j in nearest:
            if i in left_stays and j in left_rows:
                left_stays.remove(i)
                left_rows.remove(j)
                found.append((stays[i], here[j]))
        found += [(stays[i], None) for i in left_stays]
        found += [(None, here[j]) for j in left_rows]
    return found


def _may_be(stay: TruePass, row: PassRecord) -> bool:
    """It was found while the stay lasted."""
    until = stay.left_at or stay.entered_at + timedelta(hours=1)
    return stay.entered_at - NEAR <= row.entered_at <= until + NEAR


def _told_pass(play: Play, true: TrueCall, stay: TruePass, row: PassRecord) -> Iterator[str]:
    """queue_log told all of this pass: whatever AMI missed, it is equal."""
    name = {each.interface: each.name for each in play.asterisk.members}
    expected = stay.outcome or Outcome.UNKNOWN_END
    if row.outcome is not expected:
        yield f"{stay.queue}: outcome {row.outcome} for {expected}"
    if row.wait_seconds != stay.wait_told:
        yield f"{stay.queue}: wait {row.wait_seconds} for {stay.wait_told}"
    if row.talk_seconds != stay.talk_told:
        yield f"{stay.queue}: talk {row.talk_seconds} for {stay.talk_told}"
    who = row.member.name if row.member else None
    if who != (name[stay.interface] if stay.interface else None):
        yield f"{stay.queue}: agent {who} for {stay.interface}"
    yield from _moment(f"{stay.queue}: entered", row.entered_at, stay.entered_at, NEAR)
    yield from _moment(f"{stay.queue}: answered", row.answered_at, stay.connected_at, NEAR)
    if stay.outcome is not None:
        yield from _moment(f"{stay.queue}: left", row.left_at, stay.left_at, NEAR)


def _never_wrong(true: TrueCall, stay: TruePass, row: PassRecord) -> Iterator[str]:
    """Whatever was lost: a value is right or is not there."""
    possible = {stay.outcome, None, Outcome.UNKNOWN_END}
    if stay.connected is not None:
        possible.add(Outcome.ANSWERED)
    if row.outcome not in possible:
        yield f"{stay.queue}: outcome {row.outcome} was never {stay.outcome}"
    if row.member is not None and stay.interface is None:
        yield f"{stay.queue}: {row.member} never talked"
    if row.member is not None and row.member.interface not in (None, stay.interface):
        yield f"{stay.queue}: {row.member} talked for {stay.interface}"
    if row.left_at is None and true.ended is not None:
        yield f"{stay.queue}: never left"
    for what, seconds in (("wait", row.wait_seconds), ("talk", row.talk_seconds)):
        if seconds is not None and seconds < 0:
            yield f"{stay.queue}: {what} of {seconds} s"


def _moment(
    what: str, told: datetime | None, true: datetime | None, tolerance: timedelta
) -> Iterator[str]:
    if (told is None) != (true is None):
        yield f"{what} at {told} for {true}"
    elif told is not None and true is not None and abs(told - true) > tolerance:
        yield f"{what} {(told - true).total_seconds():+.2f} s off"


def _seen_whole(true: TrueCall, kept: CallRecord) -> Iterator[str]:
    """AMI was there from the first channel to the last."""
    yield from _moment("began", kept.started_at, true.began_at, A_SECOND)
    yield from _moment("ended", kept.ended_at, true.ended_at, A_SECOND)
    legs = {leg.unique_id: leg for leg in kept.legs}
    for unique_id, (began_at, ended_at) in true.legs.items():
        leg = legs.pop(unique_id, None)
        if leg is None:
            yield f"no leg {unique_id}"
            continue
        yield from _moment(f"leg {unique_id} began", leg.started_at, began_at, A_SECOND)
        yield from _moment(f"leg {unique_id} ended", leg.ended_at, ended_at, A_SECOND)
    yield from (f"a leg that never was: {unique_id}" for unique_id in legs)
    if not true.died:
        yield from _attempts("without queue", true.rings, kept.attempts)


def _attempts(
    where: str, rings: Sequence[TrueRing], attempts: Sequence[AttemptRecord]
) -> Iterator[str]:
    told = [(each.member.interface, each.leg, _word(each.result)) for each in attempts]
    true = [(each.interface, each.leg, _word(each.result)) for each in rings]
    if sorted(told, key=repr) != sorted(true, key=repr):
        yield f"{where}: rings {told} for {true}"


def _word(result: AttemptResult | None) -> str | None:
    return result.value if result else None


def _partition(kept: CallRecord) -> Iterator[str]:
    """The customer's channel is waiting, talking or elsewhere, never two of them: its length is theirs."""
    if kept.confidence is Confidence.GAP:
        return
    legs = {leg.unique_id: leg for leg in kept.legs}
    by_channel: dict[str, list[PassRecord]] = defaultdict(list)
    for each in kept.passes:
        by_channel[each.unique_id].append(each)
    for unique_id, passes in by_channel.items():
        parts: list[tuple[datetime, datetime]] = []
        for each in sorted(passes, key=lambda each: each.entered_at):
            if each.left_at is None:
                continue
            turn = each.answered_at or each.left_at
            parts += [(each.entered_at, turn), (turn, each.left_at)]
        for begin, end in parts:
            if end - begin < -timedelta(seconds=1):
                yield f"{unique_id}: a part of {end - begin}"
        for (_, end), (begin, _) in pairwise(parts):
            if begin - end < -A_SECOND:
                yield f"{unique_id}: two parts overlap by {end - begin}"
        leg = legs.get(unique_id)
        if leg is None or leg.ended_at is None or not parts:
            continue
        began_at = leg.started_at - (2 * A_SECOND if kept.at_is_receipt else A_SECOND)
        if parts[0][0] < began_at or parts[-1][1] > leg.ended_at + A_SECOND:
            yield f"{unique_id}: a part lies outside the channel's life"


# --- the floor ----------------------------------------------------------------------------------------


def _agents_are_in_one_place(calls: Sequence[CallRecord]) -> Iterator[str]:
    talks: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for call in calls:
        if call.confidence is Confidence.GAP:
            continue
        for each in call.passes:
            if each.member and each.member.name and each.answered_at and each.left_at:
                talks[each.member.name].append((each.answered_at, each.left_at))
    for name, intervals in talks.items():
        for (_, end), (begin, _) in pairwise(sorted(intervals)):
            if end - begin > A_SECOND:
                yield f"agent {name} talks in two calls for {end - begin}"


def _gaps(play: Play) -> Iterator[str]:
    """Each blind interval is booked, neither too early nor too late; and nothing else is."""
    booked = [(gap.began_at, gap.at) for gap in play.records.gaps()]
    for true in play.truth.gaps:
        assert true.ended_at is not None
        began_at, ended_at = true.began_at, true.ended_at
        fitting = [
            gap
            for gap in booked
            if true.earliest <= gap[0] <= began_at + timedelta(seconds=0.1)
            and ended_at - timedelta(seconds=0.1) <= gap[1] <= ended_at + GAP_ENDS
        ]
        if not fitting:
            yield f"nothing in the gap book for {began_at:%H:%M:%S.%f} to {ended_at:%H:%M:%S.%f}"
        else:
            booked.remove(fitting[0])
    yield from (
        f"a gap that never was: {began:%H:%M:%S.%f} to {at:%H:%M:%S.%f}" for began, at in booked
    )


def _board_at_rest(play: Play) -> Iterator[str]:
    """Everybody has hung up: nothing rings, waits or talks, and nobody is paused by us for a call."""
    product = play.product
    if product is None:
        return
    yield from (f"the board still shows call {call}" for call in product.board.calls)
    for queue in product.board.queues.values():
        if queue.waiting:
            yield f"the board shows {len(queue.waiting)} who wait in {queue.name}"
    for agent in product.board.agents.values():
        wraps_up = agent.due_at is not None and agent.due_at > play.clock.wall
        if agent.state in RULING and not (agent.state is AgentState.WRAP_UP and wraps_up):
            yield f"agent {agent.agent_number} is still {agent.state}"
    for member in play.asterisk.members:
        wanted = product.states.pause_of(member.interface)
        if member.paused != wanted:
            yield f"{member.interface} is paused by {member.paused}, wanted is {wanted}"


def _order_and_doubling(play: Play) -> Iterator[str]:
    """A call's record is the same in whatever order its facts come, and how often."""
    if not isinstance(play.records, FoldedRecords):
        return
    dice = Random(play.plan.seed)
    timelines = list(play.records.timelines.values())
    for timeline in dice.sample(timelines, min(2, len(timelines))):
        facts = list(timeline.values())
        disturbed = facts + dice.choices(facts, k=len(facts))
        dice.shuffle(disturbed)
        if record(disturbed) != record(facts):
            yield f"the record of {facts[0].call} depends on the order of its facts"
