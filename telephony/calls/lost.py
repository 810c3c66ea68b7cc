"""What is told again after the records have lost facts: how calls began that live, how others ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from crm_core.commands import OpenCall
from crm_core.events import Event
from crm_core.ids import BootId, PbxId
from telephony.ami import messages as ami
from telephony.calls.tracker import CallTracker


def told_again(
    tracker: CallTracker, pbx: PbxId, boot: BootId, recorded: Sequence[OpenCall], at: datetime
) -> list[Event]:
    """`recorded` are the calls that have no end in the records.

    Those that do not live any more end as in the first snapshot of a process that was away: at the
    moment when they were last seen, and nobody saw it.
    """
    live = frozenset(tracker.live_calls())
    over = CallTracker(pbx, boot, [call for call in recorded if call.call not in live])
    return [
        *over.feed(ami.SnapshotBegan(at, True, boot)),
        *over.feed(ami.SnapshotEnded(at, True, boot)),
        *tracker.tell_again(frozenset(call.call for call in recorded)),
    ]
