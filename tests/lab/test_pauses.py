"""What Asterisk does by itself about pauses: the facts that the agents' states are built on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest

from crm_core.agents.rules import AUTO_PAUSE
from tests.lab.ami import Session, add_member
from tests.lab.asterisk import Laboratory
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import callers, phones
from tests.lab.story import HOTLINES, WANG

pytestmark = pytest.mark.asterisk

QUEUES = ("support", "sales", "in_turn")
WAITS = CallerBehaviour(talk_ms=500)


@pytest.fixture(scope="module")
def lab(installed: None) -> Iterator[Laboratory]:
    """Rings are short: two seconds, in the queue where all ring as well."""
    with Laboratory() as found:
        found.stop()
        quick = tuple(replace(queue, ring_seconds=2, missed_rings=1) for queue in found.plan.queues)
        found.plan = replace(found.plan, queues=quick)
        found.configure()
        found.start()
        yield found


@contextmanager
def members(lab: Laboratory, *seats: str) -> Iterator[Session]:
    """These seats are in three queues, and leave them afterwards."""
    with Session(lab) as control:
        for seat in seats:
            for queue in QUEUES:
                add_member(control, queue, seat, f"1{seat[1:]}")
        try:
            yield control
        finally:
            for seat in seats:
                for queue in QUEUES:
                    control.act("QueueRemove", Queue=queue, Interface=f"PJSIP/{seat}")


def paused(lab: Laboratory, seat: str) -> list[str | None]:
    """The reason of the pause in each queue that the seat is in; None: not paused."""
    rows = [row for row in lab.rx("queue show").splitlines() if f"PJSIP/{seat}" in row]
    return [
        found[1] if (found := re.search(r"paused(?::(.*?))? was", row)) else None for row in rows
    ]


@pytest.mark.parametrize("queue", ["in_turn", "sales"])
def test_ring_that_runs_out_pauses_the_member_everywhere_at_once(
    lab: Laboratory, queue: str
) -> None:
    """One after the other, and all at once: each of those who rang is paused, in all queues."""
    seats = ("8001",) if queue == "in_turn" else ("8001", "8002")
    with members(lab, *seats), phones(lab, PhoneBehaviour(answer_after_ms=None)):
        gives_up, before = CallerBehaviour(patience_ms=2600), len(lab.queue_log.read_text())
        with callers(lab, HOTLINES[queue], [WANG], gives_up) as call:
            call.wait(20)
        for seat in seats:
            assert paused(lab, seat) == [AUTO_PAUSE] * 3
        lines = lab.queue_log.read_text()[before:].splitlines()
        rows = [row for line in lines if (row := line.split("|")[2:])[1] == "1001"]
        assert [row[:3] for row in rows[:2]] == [
            [queue, "1001", "RINGNOANSWER"],
            ["NONE", "1001", "PAUSEALL"],
        ]
        # In which order it goes through the queues is its hash table's business.
        assert sorted(rows[2:]) == [[each, "1001", "PAUSE", AUTO_PAUSE] for each in sorted(QUEUES)]


def test_caller_who_hangs_up_while_it_rings_pauses_nobody(lab: Laboratory) -> None:
    gives_up = CallerBehaviour(patience_ms=800)
    with members(lab, "8001"), phones(lab, PhoneBehaviour(answer_after_ms=None)):
        with callers(lab, HOTLINES["in_turn"], [WANG], gives_up) as call:
            call.wait(20)
        assert paused(lab, "8001") == [None] * 3


@pytest.mark.parametrize("code", [603, 486])
def test_refusal_is_taken_for_a_ring_that_was_not_answered(lab: Laboratory, code: int) -> None:
    """Whatever `autopausebusy` says, once it rang: the product, which tells them apart, lifts it."""
    refuses = PhoneBehaviour(answer_after_ms=100, refuse_with=code)
    with members(lab, "8001"), phones(lab, refuses):
        with callers(lab, HOTLINES["in_turn"], [WANG], CallerBehaviour(patience_ms=900)) as call:
            call.wait(20)
        assert paused(lab, "8001") == [AUTO_PAUSE] * 3


def test_answer_elsewhere_pauses_nobody(lab: Laboratory) -> None:
    with ExitStack() as stack:
        stack.enter_context(members(lab, "8001", "8101"))
        stack.enter_context(phones(lab, PhoneBehaviour(answer_after_ms=None)))
        stack.enter_context(phones(lab, PhoneBehaviour(answer_after_ms=300), group=1))
        with callers(lab, HOTLINES["sales"], [WANG], WAITS) as call:
            call.wait(20)
        assert paused(lab, "8001") == [None] * 3


def test_member_is_added_paused_with_its_reason(lab: Laboratory) -> None:
    with Session(lab) as control:
        control.act(
            "QueueAdd",
            Queue="support",
            Interface="PJSIP/8001",
            MemberName="1001",
            Paused="true",
            Reason="zx:break",
        )
        assert paused(lab, "8001") == ["zx:break"]
        control.act("QueuePause", Interface="PJSIP/8001", Paused="true", Reason="zx:meal")
        assert paused(lab, "8001") == ["zx:meal"]
        control.act("QueueRemove", Queue="support", Interface="PJSIP/8001")


def test_phone_that_is_in_no_queue_cannot_be_paused(lab: Laboratory) -> None:
    with Session(lab) as control, pytest.raises(RuntimeError, match="Interface not found"):
        control.act("QueuePause", Interface="PJSIP/8009", Paused="true", Reason="zx:meal")
