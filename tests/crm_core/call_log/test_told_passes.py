"""A restart in the middle of a pass: the fold of queue_log goes on from what the database knows."""

from __future__ import annotations

import pytest

from crm_core.call_log.told_passes import told_passes
from crm_core.events import Event, FromQueueLog, TimelineEvent
from telephony.queue_log.merge import QueueLogFold
from telephony.queue_log.parser import QueueLogParser
from tests.crm_core.call_log.builders import a_call
from tests.telephony.queue_log.test_merge import BOOT, EPOCH, PBX

ROWS = [
    f"{EPOCH + second}|{rest}\n"
    for second, rest in [
        (0, "NONE|NONE|NONE|QUEUESTART|"),
        (10, "u.1|support|NONE|ENTERQUEUE||13800138000|1"),
        (15, "u.1|support|1001|RINGNOANSWER|5000"),
        (21, "u.1|support|1002|RINGNOANSWER|5000"),
        (25, "u.1|support|NONE|EXITWITHTIMEOUT|1|1|15"),
        (25, "u.1|support|NONE|ENTERQUEUE||13800138000|1"),
        (30, "u.1|support|1001|RINGCANCELED|2000"),
        (30, "u.1|support|1002|CONNECT|5|u.2|3"),
        (60, "u.1|support|1002|COMPLETEAGENT|5|30|1"),
        (61, "u.1|support|NONE|ENTERQUEUE||13800138000|1"),
        (90, "NONE|NONE|NONE|QUEUESTART|"),
    ]
]


def told(fold: QueueLogFold, rows: list[str]) -> list[Event]:
    return [
        event for row in QueueLogParser().feed("".join(rows).encode()) for event in fold.feed(row)
    ]


@pytest.mark.parametrize("cut", range(len(ROWS) + 1))
def test_a_restart_after_any_row_changes_no_fact(cut: int) -> None:
    before = told(QueueLogFold(PBX, [BOOT]), ROWS[:cut])
    timeline: list[TimelineEvent] = [event for event in before if isinstance(event, FromQueueLog)]

    after = told(QueueLogFold(PBX, [BOOT], told_passes(timeline)), ROWS[cut:])

    assert before + after == told(QueueLogFold(PBX, [BOOT]), ROWS)


def test_a_call_without_rows_of_queue_log_has_none_to_tell() -> None:
    assert told_passes(a_call().started().queued(1).facts) == ()
    assert told_passes([]) == ()
