"""The laboratory itself: calls reach queue_log, two of them do not meet, and nothing else is ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lab.ami import Session, add_member
from tests.lab.asterisk import Laboratory
from tests.lab.postgres import Postgres
from tests.lab.record import TRACES
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Caller, callers, phones
from tests.lab.stories import STORIES
from tests.lab.story import Story

WANG = Caller(number="13800138000", name="王小明")

asterisk = pytest.mark.asterisk


def rows(lab: Laboratory, verb: str) -> list[list[str]]:
    found = [line.split("|") for line in lab.queue_log.read_text().splitlines()]
    return [row for row in found if row[4] == verb]


@asterisk
def test_a_call_reaches_queue_log_and_sipp_saw_the_same(laboratory: Laboratory) -> None:
    with Session(laboratory) as control:
        add_member(control, "support", "8001", "1001")
    with phones(laboratory, PhoneBehaviour(answer_after_ms=300)) as desk:
        with callers(laboratory, "4001", [WANG], CallerBehaviour(talk_ms=1100)) as call:
            call.wait()
        (dialled,), (rang,) = call.calls, desk.calls
    laboratory.rx("queue remove member PJSIP/8001 from support")

    assert rows(laboratory, "ENTERQUEUE")[-1][-2:] == ["13800138000", "1"]
    assert rows(laboratory, "CONNECT")[-1][3] == "1001"
    assert rows(laboratory, "COMPLETECALLER")[-1][3] == "1001"
    assert (rang.seat, rang.number, rang.end) == ("8001", "13800138000", "other")
    assert (dialled.number, dialled.end) == ("13800138000", "self")
    assert dialled.answered_at is not None
    assert dialled.ended_at is not None
    assert rang.answered_at is not None
    assert dialled.began_at < rang.began_at < rang.answered_at < dialled.answered_at
    assert (dialled.ended_at - dialled.answered_at).total_seconds() > 1.0


@asterisk
def test_a_caller_who_gives_up_is_seen_as_abandoned_by_both(laboratory: Laboratory) -> None:
    with callers(laboratory, "4001", [WANG], CallerBehaviour(patience_ms=1000)) as call:
        call.wait()
    assert [one.end for one in call.calls] == ["abandoned"]
    assert rows(laboratory, "ABANDON")[-1][2] == "support"


@asterisk
def test_what_the_queue_leaves_unsaid_our_dialplan_writes(laboratory: Laboratory) -> None:
    with callers(laboratory, "4004", [WANG], CallerBehaviour(patience_ms=3000)) as first:
        while "narrow has 1 calls" not in laboratory.rx("queue show narrow"):
            assert not first.calls or first.calls[0].end is None
        with callers(laboratory, "4004", [Caller(number="13900139000")]) as second:
            second.wait()
        first.wait()
    assert [one.end for one in second.calls] == ["refused 486"]
    assert rows(laboratory, "ZX_LEFT")[-1][2:] == ["narrow", "NONE", "ZX_LEFT", "FULL"]


@asterisk
def test_a_call_between_seats_has_rows_of_its_own(laboratory: Laboratory) -> None:
    behaviour = CallerBehaviour(talk_ms=300)
    with (
        phones(laboratory),
        callers(laboratory, "8001", [Caller(number="8002")], behaviour, source="127.0.0.1") as call,
    ):
        call.wait()
    assert rows(laboratory, "ZX_DIALLED")[-1][4:] == ["ZX_DIALLED", "8002", "8001", "PJSIP/8001"]
    assert rows(laboratory, "ZX_ENDED")[-1][4:7] == ["ZX_ENDED", "ANSWER", "16"]


@asterisk
def test_two_laboratories_side_by_side_do_not_meet(laboratory: Laboratory) -> None:
    before = laboratory.queue_log.read_bytes()
    with Laboratory() as other:
        assert other.folder != laboratory.folder
        assert other.ports != laboratory.ports
        with callers(other, "4001", [WANG], CallerBehaviour(patience_ms=1000)) as call:
            call.wait()
        assert rows(other, "ABANDON")
        gone = other.folder
    assert laboratory.queue_log.read_bytes() == before
    assert not gone.exists()
    assert "support" in laboratory.rx("queue show")


@asterisk
def test_stopping_and_killing_end_only_the_own_process(laboratory: Laboratory) -> None:
    with Laboratory() as other:
        pid = other.pid
        other.restart()
        assert other.pid != pid
        assert not Path(f"/proc/{pid}").exists()
        with callers(other, "4001", [WANG]) as call:
            while "support has 1 calls" not in other.rx("queue show support"):
                assert all(one.end is None for one in call.calls)
            other.kill9()
        # A crash writes nothing: the pass stays open until the next boot says QUEUESTART.
        assert not rows(other, "ABANDON")
        other.start()
        assert len(rows(other, "QUEUESTART")) == 3
    os.kill(laboratory.pid, 0)
    assert "support" in laboratory.rx("queue show")


@asterisk
def test_a_test_run_that_is_killed_leaves_no_process(installed: None) -> None:
    arguments = [sys.executable, "-c", KILLED_RUN]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        started = [Path("/proc", word) for word in run.stdout.readline().split()]
        assert len(started) == 2
        assert all(process.exists() for process in started)
        run.kill()
    while any(process.exists() for process in started):
        time.sleep(0.02)


KILLED_RUN = """
import sys, time
sys.path.insert(0, ".")
from tests.lab.asterisk import Laboratory
from tests.lab.sipp import phones
with Laboratory() as lab, phones(lab) as desk:
    print(lab.pid, desk.pid, flush=True)
    time.sleep(600)
"""


@asterisk
def test_asterisk_listens_on_loopback_only(laboratory: Laboratory) -> None:
    sockets = {
        f"socket:[{line.split()[9]}]": line.split()[1]
        for table in ("tcp", "udp")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] in ("0A", "07")
    }
    own = [os.readlink(entry) for entry in Path(f"/proc/{laboratory.pid}/fd").iterdir()]
    bound = [sockets[name] for name in own if name in sockets]
    ports = {int(address.split(":")[1], 16) for address in bound}
    assert {laboratory.ports.sip, laboratory.ports.ami} <= ports
    wildcard = [address for address in bound if address.startswith("00000000:")]
    # One remains: pjproject's own name resolver, on a random port; it serves nobody.
    assert len(wildcard) <= 1


@asterisk
def test_asterisk_complains_of_nothing_that_we_could_mend(laboratory: Laboratory) -> None:
    with Laboratory() as other:
        said = other.messages
    complaints = [line for line in said.splitlines() if "ERROR" in line or "WARNING" in line]
    # Defaults are meant where a file is missing.
    known = ("cdr.conf", "acl.conf", "udptl.conf", "pjproject.conf", "ccss.conf", "indications")
    assert [line for line in complaints if not any(word in line for word in known)] == []


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_golden_trace_is_complete(story: Story) -> None:
    folder = TRACES / story.name
    lines = [json.loads(line) for line in (folder / "ami.jsonl").read_text().splitlines()]
    assert (lines[0]["event"], lines[-1]["event"]) == ("open", "close")
    text = "".join(line.get("text", "") for line in lines)
    assert text.startswith("Asterisk Call Manager/")
    assert text.index("Response: Success") < text.index("Event: FullyBooted")
    assert text.count("Event: Newchannel\r\n") == text.count("Event: Hangup\r\n") >= 1
    chunks = [line for line in lines if "text" in line]
    ends = [line["offset"] + len(line["text"].encode()) for line in chunks]
    assert [line["offset"] for line in chunks[1:]] == ends[:-1]
    assert "secret" not in text.lower()
    assert "|QUEUESTART|" in (folder / "queue_log").read_text().splitlines()[0]
    assert len((folder / "story.md").read_text().splitlines()) in (1, 2, 3)


@pytest.mark.postgresql
def test_postgres_gives_each_test_a_database_of_its_own(postgres: Postgres) -> None:
    with postgres.fresh_database() as url:
        name = url.rsplit("/", 1)[1]
        psql = ["psql", url, "-qAtX", "-c"]
        subprocess.run([*psql, "CREATE TABLE t (n int); INSERT INTO t VALUES (7)"], check=True)
        with postgres.fresh_database(like=name) as copy:
            read = subprocess.run(
                ["psql", copy, "-qAtX", "-c", "SELECT n FROM t"], capture_output=True, text=True
            )
            assert read.stdout == "7\n"
    assert name not in postgres.execute("SELECT datname FROM pg_database").split()
