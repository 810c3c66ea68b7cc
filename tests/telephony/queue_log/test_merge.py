"""What the rows of queue_log tell about passes, in ordinary and in bad times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crm_core.commands import KnownBoot, ToldPass
from crm_core.events import (
    BootFound,
    EndedBy,
    Event,
    Member,
    MemberTold,
    Outcome,
    PassClosed,
    PassConnected,
    PassEntered,
    PassRang,
)
from crm_core.ids import BootId, CallId, PbxId, QueuePassKey, call_id
from telephony.queue_log.merge import QueueLogFold
from telephony.queue_log.parser import QueueLogParser

PBX = PbxId("lab")
EPOCH = 1795516400
BOOT = KnownBoot(boot=BootId("b1795516400"), started_at=datetime.fromtimestamp(EPOCH, UTC))


def moment(second: float) -> datetime:
    return datetime.fromtimestamp(EPOCH, UTC) + timedelta(seconds=second)


def told(fold: QueueLogFold, *rows: str) -> list[Event]:
    """Rows as `second|rest`, seconds counted from the boot."""
    text = ""
    for row in rows:
        second, _, rest = row.partition("|")
        text += f"{EPOCH + int(second)}|{rest}\n"
    found = QueueLogParser().feed(text.encode())
    assert len(found) == len(rows), "a row of the test itself was not accepted"
    return [event for row in found for event in fold.feed(row)]


def a_fold(**known: object) -> QueueLogFold:
    return QueueLogFold(PBX, [BOOT], **known)  # type: ignore[arg-type]


def key(ordinal: int = 1, queue: str = "support", unique_id: str = "u.1") -> QueuePassKey:
    return QueuePassKey(unique_id=unique_id, queue=queue, ordinal=ordinal)


def outcomes(events: list[Event]) -> list[tuple[int, Outcome]]:
    return [
        (each.queue_pass.ordinal, each.outcome) for each in events if isinstance(each, PassClosed)
    ]


def test_an_answered_pass_is_entered_rung_connected_and_closed() -> None:
    events = told(
        a_fold(),
        "10|u.1|support|NONE|ENTERQUEUE||13800138000|1",
        "15|u.1|support|1001|RINGNOANSWER|5000",
        "17|u.1|support|1002|CONNECT|7|u.3|2",
        "60|u.1|support|1002|COMPLETEAGENT|7|43|1",
    )

    call = call_id(PBX, BOOT.boot, "u.1")
    assert events == [
        PassEntered(
            at=moment(10),
            pbx=PBX,
            call=call,
            queue_pass=key(),
            boot=BOOT.boot,
            caller_number="13800138000",
        ),
        PassRang(
            at=moment(15),
            pbx=PBX,
            call=call,
            queue_pass=key(),
            nth=1,
            member=Member(name="1001"),
            ring_milliseconds=5000,
            cancelled=False,
        ),
        PassConnected(
            at=moment(17),
            pbx=PBX,
            call=call,
            queue_pass=key(),
            member=Member(name="1002"),
            wait_seconds=7,
            ring_seconds=2,
            leg="u.3",
        ),
        PassClosed(
            at=moment(60),
            pbx=PBX,
            call=call,
            queue_pass=key(),
            outcome=Outcome.ANSWERED,
            wait_seconds=7,
            talk_seconds=43,
            member=Member(name="1002"),
            ended_by=EndedBy.AGENT,
        ),
    ]


@pytest.mark.parametrize(
    ("row", "outcome", "wait", "talk", "ended_by"),
    [
        ("1001|COMPLETEAGENT|3|20|1", Outcome.ANSWERED, 3, 20, EndedBy.AGENT),
        ("1001|COMPLETECALLER|3|20|1", Outcome.ANSWERED, 3, 20, EndedBy.CALLER),
        ("1001|BLINDTRANSFER|8002|seats|3|20|1", Outcome.ANSWERED, 3, 20, EndedBy.TRANSFER),
        ("1001|ATTENDEDTRANSFER|BRIDGE|x|3|20|1", Outcome.ANSWERED, 3, 20, EndedBy.TRANSFER),
        ("NONE|ABANDON|1|2|33", Outcome.ABANDONED, 33, None, None),
        ("NONE|EXITWITHTIMEOUT|1|2|60", Outcome.TIMEOUT, 60, None, None),
        ("NONE|EXITEMPTY|1|2|9", Outcome.EXIT_EMPTY, 9, None, None),
        ("NONE|EXITWITHKEY|2|1|2|12", Outcome.EXIT_KEY, 12, None, None),
        ("NONE|WITHDRAW|1|2|14|moved", Outcome.WITHDRAWN, 14, None, None),
    ],
)
def test_each_closing_row_has_its_outcome_and_its_seconds(
    row: str, outcome: Outcome, wait: int, talk: int | None, ended_by: EndedBy | None
) -> None:
    rows = ["10|u.1|support|NONE|ENTERQUEUE||1|1", f"70|u.1|support|{row}"]
    if talk is not None:
        rows.insert(1, "13|u.1|support|1001|CONNECT|3|u.2|1")

    closed = told(a_fold(), *rows)[-1]

    assert isinstance(closed, PassClosed)
    assert (closed.outcome, closed.wait_seconds, closed.talk_seconds, closed.ended_by) == (
        outcome,
        wait,
        talk,
        ended_by,
    )


def test_a_caller_who_comes_back_to_the_queue_makes_a_second_pass() -> None:
    events = told(
        a_fold(),
        "10|u.1|support|NONE|ENTERQUEUE||1|1",
        "20|u.1|support|NONE|EXITWITHTIMEOUT|1|1|10",
        "20|u.1|night|NONE|ENTERQUEUE||1|1",
        "30|u.1|night|NONE|EXITEMPTY|1|1|10",
        "30|u.1|support|NONE|ENTERQUEUE||1|1",
        "44|u.1|support|NONE|ABANDON|1|1|14",
    )

    closed = [(e.queue_pass, e.outcome) for e in events if isinstance(e, PassClosed)]
    assert closed == [
        (key(), Outcome.TIMEOUT),
        (key(queue="night"), Outcome.EXIT_EMPTY),
        (key(2), Outcome.ABANDONED),
    ]


def test_a_pass_that_is_open_when_asterisk_starts_anew_has_an_unknown_end() -> None:
    events = told(
        a_fold(),
        "0|NONE|NONE|NONE|QUEUESTART|",
        "10|u.1|support|NONE|ENTERQUEUE||1|1",
        "12|u.1|support|1001|CONNECT|2|u.2|1",
        "11|u.5|support|NONE|ENTERQUEUE||1|1",
        "90|NONE|NONE|NONE|QUEUESTART|",
        "95|u.1|support|NONE|ENTERQUEUE||1|1",
    )

    found = next(each for each in events if isinstance(each, BootFound))
    assert (found.boot, found.started_at) == ("b1795516490", moment(90))
    closed = [each for each in events if isinstance(each, PassClosed)]
    assert [(e.queue_pass.unique_id, e.outcome, e.at, e.wait_seconds) for e in closed] == [
        ("u.5", Outcome.UNKNOWN_END, moment(11), None),
        ("u.1", Outcome.UNKNOWN_END, moment(12), 2),
    ]
    again = events[-1]
    assert isinstance(again, PassEntered)
    assert (again.boot, again.queue_pass.ordinal) == ("b1795516490", 1)
    assert again.call != closed[1].call  # the same Uniqueid in another run is another call


def test_a_start_that_ami_has_found_already_keeps_its_name() -> None:
    fold = a_fold()
    told(fold, "10|u.1|support|NONE|ENTERQUEUE||1|1")
    fold.learn(KnownBoot(boot=BootId("b1795516492"), started_at=moment(92)))

    events = told(fold, "90|NONE|NONE|NONE|QUEUESTART|", "95|u.1|support|NONE|ENTERQUEUE||1|1")

    assert not [each for each in events if isinstance(each, BootFound)]
    assert outcomes(events) == [(1, Outcome.UNKNOWN_END)]
    assert isinstance(events[-1], PassEntered)
    assert events[-1].boot == "b1795516492"


def test_two_starts_within_seconds_are_two_runs() -> None:
    fold = a_fold()
    events = told(
        fold,
        "0|NONE|NONE|NONE|QUEUESTART|",
        "1|u.1|support|NONE|ENTERQUEUE||1|1",
        "3|NONE|NONE|NONE|QUEUESTART|",
    )

    assert [each.boot for each in events if isinstance(each, BootFound)] == ["b1795516403"]
    assert outcomes(events) == [(1, Outcome.UNKNOWN_END)]


def test_a_start_whose_row_was_lost_ends_the_passes_of_the_former_run() -> None:
    fold = a_fold()
    told(fold, "10|u.1|support|NONE|ENTERQUEUE||1|1")
    fold.learn(KnownBoot(boot=BootId("b1795516490"), started_at=moment(90)))

    events = told(fold, "95|u.7|support|NONE|ENTERQUEUE||1|1")

    assert outcomes(events) == [(1, Outcome.UNKNOWN_END)]


def test_a_file_that_begins_without_a_start_gets_a_run_of_its_own() -> None:
    events = told(QueueLogFold(PBX), "10|u.1|support|NONE|ENTERQUEUE||1|1")

    assert [type(each) for each in events] == [BootFound, PassEntered]


def test_an_agent_who_hangs_up_on_the_announcement_lets_the_caller_wait_on() -> None:
    rows = (
        "10|u.1|support|NONE|ENTERQUEUE||1|1",
        "14|u.1|support|1001|AGENTDUMP|",
    )

    assert outcomes(told(a_fold(), *rows, "20|u.1|support|NONE|ABANDON|1|1|10")) == [
        (1, Outcome.ABANDONED)
    ]
    assert outcomes(told(a_fold(), *rows, "90|NONE|NONE|NONE|QUEUESTART|")) == [
        (1, Outcome.AGENT_DUMP)
    ]


def test_a_caller_dumped_once_and_then_connected_did_not_end_by_that_dump() -> None:
    events = told(
        a_fold(),
        "10|u.1|support|NONE|ENTERQUEUE||1|1",
        "14|u.1|support|1001|AGENTDUMP|",
        "18|u.1|support|1002|CONNECT|8|u.3|2",
        "90|NONE|NONE|NONE|QUEUESTART|",
    )

    assert outcomes(events) == [(1, Outcome.UNKNOWN_END)]


@pytest.mark.parametrize(
    ("status", "outcome"), [("FULL", Outcome.FULL), ("JOINEMPTY", Outcome.JOIN_EMPTY)]
)
def test_a_caller_turned_away_is_a_pass_of_no_length(status: str, outcome: Outcome) -> None:
    entered, closed = told(a_fold(), f"10|u.1|support|NONE|ZX_LEFT|{status}")

    assert isinstance(entered, PassEntered)
    assert isinstance(closed, PassClosed)
    assert (closed.outcome, closed.wait_seconds) == (outcome, 0)


def test_our_own_row_after_asterisks_closing_row_is_no_second_end() -> None:
    events = told(
        a_fold(),
        "10|u.1|support|NONE|ENTERQUEUE||1|1",
        "70|u.1|support|NONE|EXITWITHTIMEOUT|1|1|60",
        "70|u.1|support|NONE|ZX_LEFT|TIMEOUT",
    )

    assert outcomes(events) == [(1, Outcome.TIMEOUT)]


def test_our_own_row_closes_a_pass_whose_closing_row_was_lost() -> None:
    events = told(
        a_fold(),
        "10|u.1|support|NONE|ENTERQUEUE||1|1",
        "70|u.1|support|NONE|ZX_LEFT|TIMEOUT",
    )

    assert outcomes(events) == [(1, Outcome.TIMEOUT)]


def test_a_pass_whose_first_row_was_lost_is_entered_where_the_next_row_says() -> None:
    entered, connected = told(a_fold(), "30|u.1|support|1001|CONNECT|7|u.2|2")

    assert isinstance(entered, PassEntered)
    assert entered.at == moment(23)
    assert isinstance(connected, PassConnected)
    assert connected.queue_pass == entered.queue_pass


def test_a_transfer_that_is_written_after_the_next_entry_closes_the_pass_that_talked() -> None:
    events = told(
        a_fold(),
        "10|u.1|support|NONE|ENTERQUEUE||1|1",
        "12|u.1|support|1001|CONNECT|2|u.2|1",
        "30|u.1|support|NONE|ENTERQUEUE||1|1",
        "30|u.1|support|1001|BLINDTRANSFER|support|queues|2|18|1",
        "41|u.1|support|NONE|ABANDON|1|1|11",
    )

    assert outcomes(events) == [(1, Outcome.ANSWERED), (2, Outcome.ABANDONED)]


def test_after_a_restart_of_ours_the_fold_goes_on_in_the_middle_of_a_pass() -> None:
    call = CallId("c" * 32)
    known = ToldPass(
        call=call,
        boot=BOOT.boot,
        queue_pass=key(2),
        last_told_at=moment(10),
        wait_seconds=2,
        agent="1001",
        rings=3,
    )
    fold = a_fold(passes=[known])

    rang, closed = told(
        fold,
        "13|u.1|support|1003|RINGCANCELED|1000",
        "40|u.1|support|1001|COMPLETEAGENT|2|28|1",
    )

    assert isinstance(rang, PassRang)
    assert isinstance(closed, PassClosed)
    assert (rang.nth, closed.queue_pass, closed.call) == (4, key(2), call)
    entered = told(fold, "50|u.1|support|NONE|ENTERQUEUE||1|1")[0]
    assert isinstance(entered, PassEntered)
    assert entered.queue_pass.ordinal == 3


def test_a_pass_of_a_run_that_died_while_we_were_away_ends_unknown() -> None:
    known = ToldPass(
        call=CallId("c" * 32), boot=BootId("b1"), queue_pass=key(), last_told_at=moment(-99)
    )
    events = told(a_fold(passes=[known]), "1|NONE|NONE|NONE|QUEUESTART|")

    (closed,) = [each for each in events if isinstance(each, PassClosed)]
    assert (closed.outcome, closed.at, closed.call) == (
        Outcome.UNKNOWN_END,
        moment(-99),
        known.call,
    )


def test_a_channel_that_ami_counts_to_an_older_call_keeps_that_call() -> None:
    older = CallId("a" * 32)
    fold = a_fold(call_of={"u.9": older}.get)

    (entered,) = told(fold, "10|u.9|support|NONE|ENTERQUEUE||1|1")

    assert isinstance(entered, PassEntered)
    assert entered.call == older


def test_rows_that_are_not_about_a_pass_tell_nothing() -> None:
    rows = (
        "2|NONE|NONE|PJSIP/8001|PAUSEALL|",
        "3|NONE|NONE|NONE|CONFIGRELOAD|",
    )

    assert told(a_fold(), *rows) == []


def test_the_memory_of_closed_passes_is_bounded() -> None:
    fold = a_fold(remembered=10)
    told(fold, "1|open|support|NONE|ENTERQUEUE||1|1")
    for n in range(100):
        told(
            fold,
            f"2|u.{n}|support|NONE|ENTERQUEUE||1|1",
            f"3|u.{n}|support|NONE|ABANDON|1|1|1",
        )

    assert len(fold._latest) <= 12
    assert outcomes(told(fold, "9|open|support|NONE|ABANDON|1|1|8")) == [(1, Outcome.ABANDONED)]
    again = told(fold, "10|open|support|NONE|ENTERQUEUE||1|1")[0]
    assert isinstance(again, PassEntered)
    assert again.queue_pass.ordinal == 2


def test_rows_about_members_are_told_by_name() -> None:
    rows = (
        "1|MANAGER|support|1001|ADDMEMBER|",
        "2|NONE|support|1001|PAUSE|lunch",
        "2|NONE|NONE|PJSIP/8001|PAUSEALL|",
        "3|NONE|support|1001|UNPAUSE|",
        "4|CLI|support|1001|REMOVEMEMBER|",
    )

    events = told(a_fold(), *rows)

    assert [
        (each.queue, each.name, each.change.value, each.reason)
        for each in events
        if isinstance(each, MemberTold)
    ] == [
        ("support", "1001", "added", None),
        ("support", "1001", "paused", "lunch"),
        ("support", "1001", "unpaused", None),
        ("support", "1001", "removed", None),
    ]
    assert len(events) == 4


def test_our_own_pauses_are_nothing_that_queue_log_has_to_tell() -> None:
    fold = a_fold()

    events = told(
        fold,
        "1|NONE|support|1001|PAUSE|zx:on_call",
        "2|NONE|support|1001|PAUSE|zx:wrap_up",
        "3|NONE|support|1001|UNPAUSE|",
        "4|NONE|support|1001|PAUSE|",
        "5|NONE|support|1001|UNPAUSE|",
    )

    assert [each.at for each in events] == [moment(4), moment(5)]
