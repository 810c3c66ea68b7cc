"""How far `queue_log` has told the passes of a call: what its fold needs after a restart. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from crm_core.call_log.facts import Facts
from crm_core.call_log.passes import log_passes
from crm_core.commands import ToldPass
from crm_core.events import CallStarted, PassEntered, TimelineEvent


def told_passes(timeline: Sequence[TimelineEvent]) -> tuple[ToldPass, ...]:
    """The passes of one call that rows of `queue_log` have told, the closed ones too."""
    facts = Facts(timeline)
    named = facts.first(CallStarted) or facts.first(PassEntered)
    if named is None:
        return ()
    found = []
    for key, told in log_passes(facts).items():
        rows = [told.entered, told.connected, told.closed, *told.rang]
        found.append(
            ToldPass(
                call=named.call,
                boot=told.entered.boot if told.entered else named.boot,
                queue_pass=key,
                last_told_at=max(row.at for row in rows if row is not None),
                wait_seconds=told.connected.wait_seconds if told.connected else None,
                agent=told.connected.member.name if told.connected else None,
                rings=len(told.rang),
                closed=told.closed is not None,
                entered_at=told.entered.at if told.entered else None,
            )
        )
    return tuple(found)
