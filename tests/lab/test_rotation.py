"""What Asterisk does when `queue_log` is turned over as `asterisk_conf/README.md` says."""

from __future__ import annotations

import subprocess

import pytest

from telephony.queue_log.tail import QueueLogTail
from tests.lab.ami import Session, add_member
from tests.lab.asterisk import Laboratory

pytestmark = pytest.mark.asterisk


def test_after_logger_reload_rows_go_into_a_new_file_and_none_is_missed(
    laboratory: Laboratory,
) -> None:
    tail = QueueLogTail(laboratory.queue_log, None)
    tail.read()
    before = laboratory.queue_log.read_bytes().count(b"|REMOVEMEMBER|")  # of tests before this one
    with Session(laboratory) as control:
        add_member(control, "support", "8001", "1001")
        former = laboratory.queue_log.with_name("queue_log.1")
        laboratory.queue_log.rename(former)
        control.act("QueueRemove", Queue="support", Interface="PJSIP/8001")  # into the old file
        laboratory.rx("logger reload")
        add_member(control, "support", "8001", "1001")
        control.act("QueueRemove", Queue="support", Interface="PJSIP/8001")
    laboratory.rx("core show uptime")  # queue_log is written by a thread of its own
    rows = b""
    for _ in range(200):
        rows += tail.read()[0]
        if rows.count(b"|REMOVEMEMBER|") == 2:
            break
        laboratory.rx("core show uptime")
    tail.close()
    assert (rows.count(b"|ADDMEMBER|"), rows.count(b"|REMOVEMEMBER|")) == (2, 2)
    assert former.read_bytes().count(b"|REMOVEMEMBER|") == before + 1
    assert laboratory.queue_log.read_bytes().count(b"|ADDMEMBER|") == 1
    former.unlink()


def test_what_was_compressed_while_we_were_away_is_read_on(laboratory: Laboratory) -> None:
    tail = QueueLogTail(laboratory.queue_log, None)
    _, position = tail.read()
    tail.close()
    former = laboratory.queue_log.with_name("queue_log.1")
    with Session(laboratory) as control:
        add_member(control, "support", "8001", "1001")
        laboratory.queue_log.rename(former)
        laboratory.rx("logger reload")
        control.act("QueueRemove", Queue="support", Interface="PJSIP/8001")
    subprocess.run(["gzip", str(former)], check=True)
    laboratory.rx("core show uptime")

    tail, rows = QueueLogTail(laboratory.queue_log, position), b""
    for _ in range(200):
        rows += tail.read()[0]
        if b"|REMOVEMEMBER|" in rows:
            break
        laboratory.rx("core show uptime")
    tail.close()

    assert (rows.count(b"|ADDMEMBER|"), rows.count(b"|REMOVEMEMBER|")) == (1, 1)
    assert tail.missed == 0
    former.with_name("queue_log.1.gz").unlink()
