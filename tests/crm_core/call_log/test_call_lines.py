"""The one line of the log that a call leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from crm_core.call_log import call_lines
from crm_core.call_log.call_lines import CallLines
from crm_core.events import CallEnded, Event
from crm_core.ids import CallId
from tests.crm_core.calls_of_a_day import abandoned_call, answered_call


def lines(facts: Sequence[Event]) -> list[str]:
    told = CallLines()
    return [line for fact in facts if (line := told.feed(fact)) is not None]


def test_an_answered_call_says_who_and_how_long() -> None:
    facts = list(answered_call().facts)
    [line] = lines(facts)
    call = next(fact.call for fact in facts if isinstance(fact, CallEnded))
    assert line.startswith(f"call {call} ended: inbound on ")
    assert "queue support, answered by 1001 after 4 s, talked 60 s" in line


def test_a_call_that_nobody_answered_says_how_long_it_waited() -> None:
    [line] = lines(abandoned_call().facts)
    assert "not answered, waited " in line


def test_an_end_that_nobody_saw_is_said_to_be_one() -> None:
    facts = [
        replace(fact, seen=False) if isinstance(fact, CallEnded) else fact
        for fact in answered_call().facts
    ]
    [line] = lines(facts)
    assert line.endswith("; nobody saw its end")


def test_an_end_without_a_beginning_is_told_all_the_same() -> None:
    [line] = lines([fact for fact in answered_call().facts if isinstance(fact, CallEnded)])
    assert " ended on " in line


def test_calls_without_an_end_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_lines, "MOST_LIVING", 3)
    told = CallLines()
    begin = answered_call().facts[0]
    for number in range(10):
        told.feed(replace(begin, call=CallId(f"c{number}")))
    assert len(told._living) == 3
