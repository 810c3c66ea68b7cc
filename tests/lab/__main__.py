"""`python -m tests.lab`: a call centre to play with. `install` and `record [STORY…]` beside it."""

from __future__ import annotations

import sys
import time

from tests.lab import install
from tests.lab.ami import Session, add_member
from tests.lab.asterisk import Laboratory
from tests.lab.record import record
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Caller, callers, phones

CALLERS = (
    Caller(number="13800138000", name="王小明"),
    Caller(number="13900139000", name="李娜"),
    Caller(number="02887654321", name="Sichuan Office"),
    Caller(number=None),
    Caller(number="13700137000", name="阿里木·买买提"),
)


def main(arguments: list[str]) -> int:
    match arguments:
        case []:
            install.install()
            play()
        case ["install"]:
            say(f"The laboratory is in {install.install()}")
        case ["record", *names]:
            install.install()
            for trace in record(names):
                say(f"recorded {trace.name}")
        case _:
            say("usage: python -m tests.lab [install | record [STORY ...]]")
            return 2
    return 0


def play() -> None:
    """A call every few seconds, to two queues with an agent each, until Ctrl-C."""
    with (
        Laboratory() as lab,
        phones(lab, PhoneBehaviour(answer_after_ms=3000)),
        Session(lab) as control,
    ):
        add_member(control, "support", "8001", "1001")
        add_member(control, "sales", "8002", "1002")
        say(f"""\
A real Asterisk 22 is running (pid {lab.pid}). Hotlines: 4001 support, 4002 sales.
Agents 1001 and 1002 answer after 3 s; a caller rings every 5 s and talks 8 s. Ctrl-C ends it.

  ZUOXI_PBX_URLS='{lab.url}'
  console    chroot {lab.folder} asterisk -rvvv
  queue_log  {lab.queue_log}
  SIP        127.0.0.1:{lab.ports.sip} (callers from 127.0.0.2)
""")
        patience = CallerBehaviour(patience_ms=12_000, talk_ms=8_000)
        shifts = [
            callers(lab, hotline, CALLERS, patience, per_second=0.1, count=1_000_000)
            for hotline in ("4001", "4002")
        ]
        with shifts[0]:
            time.sleep(5)
            with shifts[1]:
                _follow(lab)


def _follow(lab: Laboratory) -> None:
    """Shows queue_log as it grows."""
    with lab.queue_log.open(encoding="utf-8", errors="replace") as rows:
        while True:
            for row in rows:
                say(row.rstrip())
            time.sleep(0.2)


def say(what: str) -> None:
    print(what, flush=True)  # noqa: T201


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(0)
    except RuntimeError as error:
        sys.exit(str(error))
