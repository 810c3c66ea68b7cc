"""Our book against Asterisk's: equality is silent, every planted difference is said aloud."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from crm_core.call_log.reconcile import ComparedPass, Kind, compare, passes_of
from crm_core.events import Outcome

EPOCH = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    at: datetime
    unique_id: str
    queue: str
    agent: str
    verb: str
    data: tuple[str, ...]


def rows(text: str) -> list[Row]:
    found = []
    for line in text.split():
        second, unique_id, queue, agent, verb, *data = line.split("|")
        when = EPOCH + timedelta(seconds=int(second))
        found.append(Row(when, unique_id, queue, agent, verb, tuple(data)))
    return found


BOOK = rows(
    """
    0|NONE|NONE|NONE|QUEUESTART|
    10|u.1|support|NONE|ENTERQUEUE||13800138000|1
    17|u.1|support|1001|CONNECT|7|u.2|3
    60|u.1|support|1001|COMPLETECALLER|7|43|1
    20|u.3|support|NONE|ENTERQUEUE||13800138001|1
    80|u.3|support|NONE|EXITWITHTIMEOUT|1|1|60
    80|u.3|night|NONE|ENTERQUEUE||13800138001|1
    85|u.3|night|NONE|ABANDON|1|1|5
    86|u.4|night|NONE|ZX_LEFT|FULL
    90|u.5|support|NONE|ENTERQUEUE||13800138002|1
    91|u.5|support|1002|CONNECT|1|u.6|1
    120|NONE|NONE|NONE|QUEUESTART|
    130|u.1|support|NONE|ENTERQUEUE||13800138003|1
    """
)


def the_pass(unique_id: str, second: float, **more: object) -> ComparedPass:
    values: dict[str, object] = {
        "queue": "support",
        "outcome": None,
        "agent": None,
        "wait_seconds": None,
        "talk_seconds": None,
        **more,
    }
    entered_at = EPOCH + timedelta(seconds=second)
    return ComparedPass(unique_id=unique_id, entered_at=entered_at, **values)  # type: ignore[arg-type]


OURS = [
    the_pass("u.1", 10.4, outcome=Outcome.ANSWERED, agent="1001", wait_seconds=7, talk_seconds=43),
    the_pass("u.3", 20.2, outcome=Outcome.TIMEOUT, wait_seconds=60),
    the_pass("u.3", 80.3, queue="night", outcome=Outcome.ABANDONED, wait_seconds=5),
    the_pass("u.4", 86.1, queue="night", outcome=Outcome.FULL, wait_seconds=0),
    the_pass("u.5", 90.9, outcome=Outcome.UNKNOWN_END, agent="1002", wait_seconds=1),
    the_pass("u.1", 130.0),
]


def expected() -> list[ComparedPass]:
    return passes_of(BOOK, EPOCH, EPOCH + timedelta(hours=1))


def test_the_same_passes_in_both_books_are_no_difference() -> None:
    assert compare(expected(), OURS) == []


def test_a_pass_that_asterisk_died_with_is_of_unknown_end_in_both_books() -> None:
    found = {each.unique_id: each.outcome for each in expected()}

    assert found["u.5"] is Outcome.UNKNOWN_END


def test_only_passes_entered_in_the_interval_are_compared() -> None:
    found = passes_of(BOOK, EPOCH + timedelta(seconds=20), EPOCH + timedelta(seconds=86))

    assert [(each.unique_id, each.queue) for each in found] == [
        ("u.3", "support"),
        ("u.3", "night"),
    ]


@pytest.mark.parametrize(
    ("change", "kind", "sentence"),
    [
        (
            {"outcome": Outcome.ABANDONED},
            Kind.OUTCOME,
            "outcome is answered in queue_log and abandoned in the call table",
        ),
        ({"agent": "1002"}, Kind.AGENT, "agent is 1001 in queue_log and 1002 in the call table"),
        ({"agent": None}, Kind.AGENT, "agent is 1001 in queue_log and nothing in the call table"),
        ({"wait_seconds": 8}, Kind.WAIT, "wait is 7 in queue_log and 8 in the call table"),
        ({"talk_seconds": 0}, Kind.TALK, "talk is 43 in queue_log and 0 in the call table"),
        ({"queue": "vip"}, Kind.QUEUE, "queue is support in queue_log and vip in the call table"),
    ],
)
def test_every_planted_difference_is_one_line(
    change: dict[str, object], kind: Kind, sentence: str
) -> None:
    planted = [replace(OURS[0], **change), *OURS[1:]]  # type: ignore[arg-type]

    (found,) = compare(expected(), planted)

    assert found.kind is kind
    assert str(found) == f"2026-11-24 10:00:10 support u.1: {sentence}"


@pytest.mark.parametrize("place", range(len(OURS)))
def test_a_pass_missing_in_the_call_table_is_said(place: int) -> None:
    (found,) = compare(expected(), OURS[:place] + OURS[place + 1 :])

    assert found.kind is Kind.MISSING
    assert str(found).endswith("queue_log has this pass, the call table does not")


def test_a_pass_that_queue_log_does_not_know_is_said() -> None:
    extra = the_pass("u.99", 33.3, outcome=Outcome.ABANDONED, wait_seconds=3)

    (found,) = compare(expected(), [*OURS, extra])

    assert found.kind is Kind.EXTRA
    assert str(found) == (
        "2026-11-24 10:00:33 support u.99: the call table has this pass, queue_log does not"
    )


def test_a_double_is_an_extra_pass() -> None:
    (found,) = compare(expected(), [*OURS, OURS[1]])

    assert found.kind is Kind.EXTRA


def test_a_pick_up_equals_only_a_row_that_names_who_was_rung() -> None:
    picked_up = replace(OURS[0], agent="1007", rung=frozenset({"1001", "1002"}))
    not_rung = replace(picked_up, rung=frozenset({"1002"}))

    assert compare(expected(), [picked_up, *OURS[1:]]) == []
    assert [each.kind for each in compare(expected(), [not_rung, *OURS[1:]])] == [Kind.AGENT]


def test_a_lost_entry_row_still_makes_a_pass() -> None:
    book = rows("60|u.1|support|1001|COMPLETEAGENT|7|43|1 70|u.2|support|NONE|ABANDON|1|1|20")

    found = passes_of(book, EPOCH, EPOCH + timedelta(hours=1))

    assert [(each.entered_at - EPOCH).total_seconds() for each in found] == [10, 50]


def test_an_agent_who_dumped_the_caller_and_nothing_after_it() -> None:
    book = rows(
        "10|u.1|support|NONE|ENTERQUEUE||1|1 14|u.1|support|1001|AGENTDUMP| "
        "20|NONE|NONE|NONE|QUEUESTART|"
    )

    (found,) = passes_of(book, EPOCH, EPOCH + timedelta(hours=1))

    assert (found.outcome, found.agent) == (Outcome.AGENT_DUMP, None)
