"""`zuoxi record` beside a real Asterisk, and `zuoxi replay` of the file: the calls are in it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from telephony.flight_recorder import read
from tests.harness import Product, a_product, wait_until
from tests.lab.ami import Session, add_member
from tests.lab.asterisk import Laboratory
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Caller, callers, phones

pytestmark = pytest.mark.asterisk

NUMBERS = ("13800138000", "13900139000")


def a_recording(product: Product, lab: Laboratory) -> None:
    """Two calls, one answered and one given up, while `zuoxi record` listens; ended by Ctrl-C."""
    recorder = subprocess.Popen(
        [sys.executable, "-m", "zuoxi", "record", "calls.jsonl"],
        cwd=product.folder,
        env=product.settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    file = product.folder / "calls.jsonl"
    wait_until("it records", lambda: file.exists() and file.stat().st_size > 2000, 10)
    with phones(lab, PhoneBehaviour(answer_after_ms=100)):
        with callers(
            lab, "4001", [Caller(number=NUMBERS[0])], CallerBehaviour(talk_ms=1100)
        ) as call:
            call.wait()
        with callers(
            lab, "4003", [Caller(number=NUMBERS[1])], CallerBehaviour(patience_ms=600)
        ) as call:
            call.wait()
    wait_until("the row is written", lambda: "|ABANDON|" in lab.queue_log.read_text(), 5)
    wait_until("all rows are recorded", lambda: has_all_rows(file, lab), 5)
    os.kill(recorder.pid, signal.SIGINT)
    said, trouble = recorder.communicate(timeout=20)
    assert recorder.returncode == 0, trouble
    assert said == "recorded into calls.jsonl; fold it with: zuoxi replay calls.jsonl\n"


def has_all_rows(file: Path, lab: Laboratory) -> bool:
    """As many bytes of queue_log are in the recording as Asterisk has written."""
    found = sum(len(chunk.data) for chunk in read(file) if chunk.feed == "queue_log")
    return found == lab.queue_log.stat().st_size


def test_what_was_recorded_is_replayed_as_the_calls_that_were(
    installed: None, tmp_path: Path
) -> None:
    with Laboratory() as lab, a_product(tmp_path, {"ZUOXI_PBX_URLS": lab.url}) as product:
        with Session(lab) as control:
            add_member(control, "support", "8001", "1001")
        a_recording(product, lab)
        lines = product.zuoxi("replay", "calls.jsonl").splitlines()
        calls = [json.loads(line) for line in lines]
        assert [call["call_id"] for call in calls] == sorted(call["call_id"] for call in calls)
        found = {
            call["caller_number_raw"]: [one["outcome"] for one in call["passes"]] for call in calls
        }
        assert found == {NUMBERS[0]: ["answered"], NUMBERS[1]: ["abandoned"]}
        assert product.zuoxi("replay", "calls.jsonl").splitlines() == lines
        assert "is there already" in refused(product)


def refused(product: Product) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "zuoxi", "record", "calls.jsonl"],
        cwd=product.folder,
        env=product.settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    return done.stderr
