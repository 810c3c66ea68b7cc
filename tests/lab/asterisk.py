"""One laboratory: a real Asterisk in a folder of its own, with `asterisk_conf/` and a small centre.

    with Laboratory() as lab:
        lab.rx("queue show")

Two may run side by side. A process is ended by the pid that was started, never by its name.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import Self

from crm_core.centre.plan import HotlinePlan, QueuePlan, SeatPlan, Strategy, SwitchPlan
from telephony import dialplan
from telephony.dialplan import Site
from tests.lab.folder import Ports, base, fresh_copy, own_slot
from tests.lab.guard import Guard

ASTERISK_CONF = Path(__file__).resolve().parents[2] / "asterisk_conf"

CARRIER = "127.0.0.2"
"""Where callers come from. On 127.0.0.1 a carrier would swallow what the phones send."""

OVERFLOW, DIRECT = "4090", "4091"
"""Numbers of the laboratory's own dialplan: a queue whose time-out leads to another; a seat's own number."""

OUTSIDE_GROUP = 5
"""The phones on this group's port are people outside: whatever eleven digits with 0 a seat dials."""

_DIALPLAN = """
[zuoxi-hotlines](+)
exten => 4090,1,Queue(hurried,t,,,2)
 same => n,Queue(sales,t,,,20)
 same => n,Hangup()
exten => 4091,1,Gosub(zuoxi-dial,s,1(PJSIP/8001,8001))

[zuoxi-seats](+)
exten => _0XXXXXXXXXXX,1,Gosub(zuoxi-dial,s,1(PJSIP/zuoxi-trunk/sip:${{EXTEN}}@127.0.0.1:{outside},${{EXTEN}}))
"""

# Of this process alone: a product that outlived its killed tests must not get into a later laboratory.
EVENTS_SECRET = f"events-{token_hex(12)}"
CONTROL_SECRET = f"control-{token_hex(12)}"


def a_site(ports: Ports) -> Site:
    return Site(
        system_name="lab",
        events_secret=EVENTS_SECRET,
        control_secret=CONTROL_SECRET,
        ami_port=ports.ami,
        sip_port=ports.sip,
        rtp_ports=ports.rtp,
        trunk_addresses=(CARRIER,),
        gateway=f"{CARRIER}:{ports.carrier}",
        # Unanswered until an agent answers: what SIPp logs as answered is then the agent's answer.
        answer_first=False,
    )


def a_plan(ports: Ports) -> SwitchPlan:
    """Hotlines 4001 … → queues, and ten seats for each of the phones' ports: 8001-8010, 8101-8110 …

    One missed ring takes nobody out: no product is there that would bring him back.
    """
    queues = (
        QueuePlan(name="support", title="售后支持", ring_seconds=15, wrap_up_seconds=0),
        QueuePlan(
            name="sales",
            title="销售",
            strategy=Strategy.RINGALL,
            ring_seconds=15,
            wrap_up_seconds=0,
        ),
        QueuePlan(
            name="hurried",
            title="短等待",
            strategy=Strategy.LINEAR,
            ring_seconds=2,
            max_wait_seconds=3,
            wrap_up_seconds=0,
        ),
        QueuePlan(name="narrow", title="只许一人", max_callers=1, wrap_up_seconds=0),
        QueuePlan(
            name="in_turn",
            title="依次振铃",
            strategy=Strategy.LINEAR,
            ring_seconds=2,
            wrap_up_seconds=0,
        ),
    )
    return SwitchPlan(
        queues=tuple(replace(queue, missed_rings=2) for queue in queues),
        hotlines=tuple(
            HotlinePlan(number=str(4001 + place), queue=queue.name)
            for place, queue in enumerate(queues)
        ),
        seats=tuple(
            SeatPlan(
                extension=str(8001 + 100 * group + seat),
                interface=f"PJSIP/{8001 + 100 * group + seat}",
                contact=f"sip:{8001 + 100 * group + seat}@127.0.0.1:{port}",
            )
            for group, port in enumerate(ports.phones)
            for seat in range(10)
        ),
    )


class Laboratory:
    """A running Asterisk. `site` and `plan` may be replaced between `stop` and `start`."""

    folder: Path
    ports: Ports
    site: Site
    plan: SwitchPlan

    def __init__(self, *, answer_first: bool = False) -> None:
        self._answer_first = answer_first
        self._process: subprocess.Popen[bytes] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder, self.ports = stack.enter_context(own_slot())
            self.site = replace(a_site(self.ports), answer_first=self._answer_first)
            self.plan = a_plan(self.ports)
            fresh_copy(base(), self.folder)
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self.configure()
            stack.callback(self.stop)
            self.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("This Asterisk is not running")
        return self._process.pid

    @property
    def queue_log(self) -> Path:
        return self.folder / "var/log/asterisk/queue_log"

    @property
    def cel_log(self) -> Path:
        """Asterisk's own record of every leg, one CSV line an event; the independent witness."""
        return self.folder / "var/log/asterisk/cel-custom/zuoxi-cel.csv"

    @property
    def recordings(self) -> Path:
        return self.folder / "var/spool/asterisk/monitor"

    @property
    def messages(self) -> str:
        """What Asterisk complained about."""
        path = self.folder / "var/log/asterisk/messages.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def generated(self) -> Path:
        """What `ZUOXI_ASTERISK_CONF` is for the product under test."""
        return self.folder / "etc/asterisk" / dialplan.GENERATED_FOLDER

    @property
    def url(self) -> str:
        """The entry for `ZUOXI_PBX_URLS`."""
        events, control = dialplan.EVENTS_ACCOUNT, dialplan.CONTROL_ACCOUNT
        return (
            f"ami://{events}:{EVENTS_SECRET}@127.0.0.1:{self.ports.ami}/lab"
            f"?queue_log={self.queue_log}&recordings={self.recordings}"
            f"&control={control}:{CONTROL_SECRET}"
        )

    def configure(self) -> None:
        """`asterisk_conf/` as it is in the repository, and the generated files of plan and site."""
        etc = self.folder / "etc/asterisk"
        if etc.exists():
            shutil.rmtree(etc)
        shutil.copytree(ASTERISK_CONF, etc)
        dialplan.write(dialplan.render_plan(self.plan), self.generated)
        own = etc / dialplan.SITE_FOLDER
        dialplan.write(dialplan.render_site(self.site), own)
        with (own / "zuoxi-globals.conf").open("a") as file:
            file.write(_DIALPLAN.format(outside=self.ports.phones[OUTSIDE_GROUP]))
        (own / "zuoxi-cel.conf").write_text("enable = yes\n")
        self.cel_log.parent.mkdir(parents=True, exist_ok=True)
        # Without these every call blocks on a name server that does not answer.
        (self.folder / "etc/hosts").write_text(f"127.0.0.1 localhost {os.uname().nodename}\n")
        (self.folder / "etc/resolv.conf").write_text("")
        (self.folder / "etc/nsswitch.conf").write_text(
            "passwd: files\ngroup: files\nhosts: files\n"
        )

    def start(self) -> None:
        boots = self._boots()
        output = open(self.folder / "asterisk.out", "ab")  # noqa: SIM115
        with output:
            self._process = subprocess.Popen(
                ["chroot", str(self.folder), "/usr/sbin/asterisk", "-f", "-n"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={"PATH": "/usr/sbin:/usr/bin", "LANG": "C.UTF-8", "TZ": "UTC"},
            )
        self._guard = Guard(self._process)
        self._wait_until_booted(self._process, boots + 1)

    def stop(self) -> None:
        """As an administrator stops it: calls are hung up, rows are written."""
        self._end(signal.SIGTERM)

    def kill9(self) -> None:
        """As a crash: nothing is written, every open pass stays without its closing row."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def rx(self, command: str) -> str:
        """What Asterisk's own console answers."""
        done = self._console(command)
        if done.returncode != 0:
            raise RuntimeError(f"asterisk -rx {command!r}: {done.stdout or done.stderr}")
        return done.stdout

    def _console(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["chroot", str(self.folder), "/usr/sbin/asterisk", "-rx", command],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=30,
            check=False,
        )

    def _boots(self) -> int:
        return self.queue_log.read_text().count("|QUEUESTART|") if self.queue_log.exists() else 0

    def _wait_until_booted(self, process: subprocess.Popen[bytes], boots: int) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            # Fails at once as long as the socket is not there. The row comes by a thread of its own.
            booted = "fully booted" in self._console("core waitfullybooted").stdout
            if booted and self._boots() == boots:
                return
            time.sleep(0.05)
        said = (self.folder / "asterisk.out").read_text(errors="replace")
        self.kill9()
        raise RuntimeError(f"Asterisk did not start. Its last words:\n{said[-2000:]}")

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)
        self._guard.dismiss()
