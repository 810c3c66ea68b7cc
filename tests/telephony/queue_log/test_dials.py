"""Calls without a queue, as our dialplan writes them: what the rows tell, in good and in bad times."""

from __future__ import annotations

from crm_core.events import BootFound, CallDialled, DialClosed, Event
from crm_core.ids import CallId, call_id
from tests.telephony.queue_log.test_merge import BOOT, PBX, a_fold, moment, told

DIALLED = "10|u.1|NONE|NONE|ZX_DIALLED|8002|8001|PJSIP/8001"
ENDED = "40|u.1|NONE|NONE|ZX_ENDED|ANSWER|16|25"


def ends(events: list[Event]) -> list[tuple[int, str | None, int | None]]:
    return [(e.nth, e.status, e.talk_seconds) for e in events if isinstance(e, DialClosed)]


def test_dial_and_its_end_are_two_facts() -> None:
    call = call_id(PBX, BOOT.boot, "u.1")

    assert told(a_fold(), DIALLED, ENDED) == [
        CallDialled(
            at=moment(10),
            pbx=PBX,
            call=call,
            boot=BOOT.boot,
            unique_id="u.1",
            nth=1,
            caller_number="8002",
            called_number="8001",
            interface="PJSIP/8001",
        ),
        DialClosed(
            at=moment(40),
            pbx=PBX,
            call=call,
            unique_id="u.1",
            nth=1,
            status="ANSWER",
            cause=16,
            talk_seconds=25,
        ),
    ]


def test_nobody_answered_and_no_seconds_are_told() -> None:
    assert ends(told(a_fold(), DIALLED, "30|u.1|NONE|NONE|ZX_ENDED|NOANSWER|19|")) == [
        (1, "NOANSWER", None)
    ]


def test_answer_that_lasted_no_second_is_an_answer() -> None:
    assert ends(told(a_fold(), DIALLED, "12|u.1|NONE|NONE|ZX_ENDED|ANSWER|16|")) == [
        (1, "ANSWER", 0)
    ]


def test_channel_that_dials_twice_hangs_up_once() -> None:
    """Its two hangup handlers write the figures of the second dial, both."""
    second = "30|u.1|NONE|NONE|ZX_DIALLED|8002|8003|PJSIP/8003"

    events = told(a_fold(), DIALLED, second, ENDED, ENDED)

    assert ends(events) == [(1, None, None), (2, "ANSWER", 25)]


def test_dial_row_that_was_lost_does_not_take_its_end_with_it() -> None:
    assert ends(told(a_fold(), ENDED)) == [(1, "ANSWER", 25)]


def test_dial_that_is_open_when_asterisk_starts_anew_has_an_end_that_nobody_told() -> None:
    events = told(
        a_fold(), "0|NONE|NONE|NONE|QUEUESTART|", DIALLED, "90|NONE|NONE|NONE|QUEUESTART|"
    )

    assert [type(each) for each in events] == [CallDialled, BootFound, DialClosed]
    assert ends(events) == [(1, None, None)]
    assert events[-1].at == moment(10)


def test_caller_of_a_queue_who_is_put_through_stays_in_the_same_call() -> None:
    older = CallId("a" * 32)
    fold = a_fold(call_of={"u.1": older}.get)

    events = told(fold, "1|u.1|support|NONE|ENTERQUEUE||1|1", DIALLED, ENDED)

    assert {event.call for event in events if not isinstance(event, BootFound)} == {older}  # type: ignore[attr-defined]
