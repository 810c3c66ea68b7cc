"""Facts of several calls, as both feeds tell them: what the tests of the records are fed with."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from crm_core.events import CallStarted, Event, Feed, FeedAdvanced, FeedHeard, Outcome
from crm_core.ids import call_id
from tests.crm_core.call_log.builders import BOOT, CALLER, PBX, Story, a_call, support


def answered_call(who: str = "1001") -> Story:
    return (
        a_call()
        .started()
        .queued(1)
        .row_entered(1)
        .offered(2, who)
        .answered(5, who)
        .row_connected(5, who, 4, ring=3)
        .talked_until(65, who)
        .row_closed(65, Outcome.ANSWERED, 4, 60, who)
        .ended(66)
    )


def abandoned_call() -> Story:
    return (
        a_call()
        .started()
        .queued(1)
        .row_entered(1)
        .offered(2, "1002")
        .left(9)
        .row_closed(9, Outcome.ABANDONED, 8)
        .ended(9)
    )


def call_of_two_queues() -> Story:
    second = support(queue="sales")
    return (
        a_call()
        .started()
        .queued(1)
        .row_entered(1)
        .left(31)
        .row_closed(31, Outcome.TIMEOUT, 30)
        .queued(32, second)
        .row_entered(32, second)
        .offered(33, "1002", second)
        .answered(40, "1002", second)
        .row_connected(40, "1002", 8, second)
        .talked_until(50, "1002", key=second)
        .row_closed(50, Outcome.ANSWERED, 8, 10, "1002", second)
        .ended(50)
    )


def open_call() -> Story:
    return a_call().started().queued(1).row_entered(1).offered(2, "1001").answered(4, "1001")


def as_call(
    story: Story, number: int, *, begin: datetime | None = None, caller: str | None = None
) -> list[Event]:
    """The facts of `story` as those of another call: its own channel, moment and caller."""
    unique_id = f"{CALLER}{number}"
    shift = begin - story.facts[0].at if begin else timedelta(minutes=number)
    found: list[Event] = []
    for fact in story.facts:
        own: dict[str, Any] = {"call": call_id(PBX, BOOT, unique_id), "at": fact.at + shift}
        key = getattr(fact, "queue_pass", None)
        if key is not None:
            own["queue_pass"] = replace(key, unique_id=unique_id)
        for name in ("unique_id", "linked_id"):
            if getattr(fact, name, None) == CALLER:
                own[name] = unique_id
        if caller is not None and hasattr(fact, "caller_number"):
            own["caller_number"] = caller
        found.append(replace(fact, **own))
    return found


def a_day() -> list[Event]:
    """Calls one after another, with what the feeds say about themselves in between."""
    stories = [answered_call(), abandoned_call(), call_of_two_queues(), open_call()]
    found: list[Event] = []
    for number, story in enumerate(stories, start=1):
        facts = as_call(story, number)
        found += facts
        began = next(fact for fact in facts if isinstance(fact, CallStarted))
        found.append(
            FeedAdvanced(at=began.at, pbx=PBX, feed=Feed.QUEUE_LOG, position=str(len(found)))
        )
        found.append(FeedHeard(at=began.at, pbx=PBX, feed=Feed.AMI))
    return found
