"""Going on with a call that was told before a restart of ours. Pure."""

from __future__ import annotations

from crm_core.commands import OpenCall
from crm_core.events import CallHeld, CallResumed, TransferBegan
from crm_core.ids import QueuePassKey
from telephony.calls.call import Call
from telephony.calls.channels import Channel
from telephony.calls.rings import Stay
from telephony.calls.states import PassState
from telephony.calls.talks import Talk


def resume(call: Call, known: OpenCall) -> None:
    """Put all that was told and has no end into this call, which is new."""
    call.announced = True
    call.rings.count = known.attempts
    call.seen = dict(known.channels)
    for key in known.passes:
        place = (key.unique_id, key.queue)
        call.entries[place] = max(call.entries.get(place, 0), key.ordinal)
    call.stays = [Stay(key=key, entered_at=known.last_seen_at) for key in known.open_passes]
    for leg in known.legs:
        call.channels[leg.unique_id] = Channel(
            unique_id=leg.unique_id,
            linked_id=leg.linked_id,
            name="",  # the snapshot says
            started_at=leg.at,
            party=leg.party,
            member=leg.member,
            told=True,
        )
    for ring in known.rings:
        call.rings.resume(ring, _stay(call, ring.queue_pass))
        if ring.leg and ring.leg not in call.channels:
            # Its hang-up was told, and how the ring ended was not.
            call.rings.leg_gone(known.last_seen_at, ring.leg, None)
    for talk in known.talks:
        stay = _stay(call, talk.queue_pass)
        if stay is not None:
            stay.state = PassState.TALKING
        other = talk.queue_pass.unique_id if talk.queue_pass else talk.other
        call.talks.resume(Talk(talk.member, talk.leg, other, stay))
    _resume_moves(call, known)


def _resume_moves(call: Call, known: OpenCall) -> None:
    for fact in known.facts:
        if isinstance(fact, CallHeld) and fact.leg in call.channels:
            call.held[fact.leg] = fact.member
        elif isinstance(fact, CallResumed):
            call.held.pop(fact.leg, None)
        elif isinstance(fact, TransferBegan) and call.transfers is None:
            call.sent().resume(known.facts)


def _stay(call: Call, key: QueuePassKey | None) -> Stay | None:
    return next((stay for stay in call.stays if stay.key == key), None)
