"""An Asterisk of somebody else's making: the site that Zuoxi finds, written as FreePBX would.

Nothing of `asterisk_conf/` is there: own dialplan, members `Local/100@from-queue/n` whose state is a
hint's, queues with Chinese names, a stock `manager.conf` without event stamps, no `systemname`. Zuoxi is
given one AMI account with the least rights (asterisk.md, part B 7), and the path of `queue_log`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.lab.asterisk import ASTERISK_CONF, CARRIER, EVENTS_SECRET, Laboratory

ACCOUNT = "zuoxi"
DID = "02161230001"
"""Leads to the first queue, the next number to the second …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignMember:
    """A queue member as FreePBX writes it."""

    extension: str
    name: str

    @property
    def interface(self) -> str:
        return f"Local/{self.extension}@from-queue/n"

    @property
    def line(self) -> str:
        return f"member={self.interface},0,{self.name},hint:{self.extension}@ext-local"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignQueue:
    name: str
    members: tuple[ForeignMember, ...]
    strategy: str = "rrmemory"
    ring_seconds: int = 15
    max_wait_seconds: int = 60


class ForeignLaboratory(Laboratory):
    """`extension` n rings at the phones of group (n - first) / 10, as in the laboratory of our own."""

    def __init__(self, queues: tuple[ForeignQueue, ...], extensions: Mapping[str, int]) -> None:
        super().__init__()
        self.queues, self.extensions = queues, extensions
        """Extension → group of phones (a SIPp each)."""

    @property
    def url(self) -> str:
        return (
            f"ami://{ACCOUNT}:{EVENTS_SECRET}@127.0.0.1:{self.ports.ami}/site"
            f"?queue_log={self.queue_log}"
        )

    @property
    def etc(self) -> Path:
        return self.folder / "etc/asterisk"

    def did(self, queue: str) -> str:
        place = [each.name for each in self.queues].index(queue)
        return str(int(DID) + place).zfill(len(DID))

    def configure(self) -> None:
        super().configure()  # the names that must resolve inside
        shutil.rmtree(self.etc)
        self.etc.mkdir()
        # Which modules are loaded is the package's business on a real site: all there are.
        shutil.copy(ASTERISK_CONF / "modules.conf", self.etc)
        files = {
            "asterisk.conf": "[options]\n",
            "logger.conf": _LOGGER,
            "manager.conf": _MANAGER.format(
                port=self.ports.ami, account=ACCOUNT, secret=EVENTS_SECRET
            ),
            "rtp.conf": f"[general]\nrtpstart={self.ports.rtp[0]}\nrtpend={self.ports.rtp[1]}\n",
            "musiconhold.conf": "[default]\nmode=files\ndirectory=moh\n",
            "queues.conf": _queues(self.queues),
            "extensions.conf": _dialplan(self.queues, self.extensions, self.did),
            "pjsip.conf": self._pjsip(),
            "cel.conf": "[general]\nenable=yes\napps=all\nevents=ALL\n",
            "cel_custom.conf": (ASTERISK_CONF / "cel_custom.conf").read_text(),
        }
        for name, text in files.items():
            (self.etc / name).write_text(text, encoding="utf-8")

    def _pjsip(self) -> str:
        phones = "".join(
            f"\n[{extension}]\ntype=endpoint\ntransport=udp\ncontext=from-internal\n"
            f"disallow=all\nallow=ulaw\naors={extension}\ncallerid={extension}\n"
            f"\n[{extension}]\ntype=aor\n"
            f"contact=sip:{extension}@127.0.0.1:{self.ports.phones[group]}\n"
            for extension, group in self.extensions.items()
        )
        return f"""\
[global]
type=global
endpoint_identifier_order=ip,username,anonymous

[udp]
type=transport
protocol=udp
bind=127.0.0.1:{self.ports.sip}

[trunk]
type=endpoint
transport=udp
context=from-pstn
disallow=all
allow=ulaw

[trunk]
type=identify
endpoint=trunk
match={CARRIER}
{phones}"""


_LOGGER = """\
[general]
dateformat=%F %T
queue_log=yes

[logfiles]
messages.log => notice,warning,error
"""

_MANAGER = """\
[general]
enabled = yes
port = {port}
bindaddr = 127.0.0.1
displayconnects = no

[{account}]
secret = {secret}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/255.255.255.0
read = system,call,agent
write = system,call,agent,reporting
"""


def _queues(queues: tuple[ForeignQueue, ...]) -> str:
    return "[general]\npersistentmembers=yes\nautofill=yes\nshared_lastcall=yes\n" + "".join(
        f"\n[{queue.name}]\nautofill=yes\njoinempty=yes\nleavewhenempty=no\nmaxlen=0\nretry=1\n"
        f"ringinuse=no\nstrategy={queue.strategy}\ntimeout={queue.ring_seconds}\nweight=0\n"
        f"wrapuptime=0\n" + "".join(f"{member.line}\n" for member in queue.members)
        for queue in queues
    )


def _dialplan(queues: tuple[ForeignQueue, ...], extensions: Mapping[str, int], did: object) -> str:
    assert callable(did)
    entries = "".join(
        f"exten => {did(queue.name)},1,Goto(ext-queues,{600 + place},1)\n"
        for place, queue in enumerate(queues)
    )
    waits = "".join(
        f"exten => {600 + place},1,Set(__FROMQUEUEEXTEN=${{CALLERID(num)}})\n"
        f" same => n,QueueLog({queue.name},${{CHANNEL(uniqueid)}},NONE,DID,{did(queue.name)})\n"
        f" same => n,Queue({queue.name},t,,,{queue.max_wait_seconds})\n"
        " same => n,Hangup()\n"
        for place, queue in enumerate(queues)
    )
    hints = "".join(
        f"exten => {extension},hint,PJSIP/{extension}\n"
        f"exten => {extension},1,Dial(PJSIP/{extension},60,Tt)\n"
        " same => n,Hangup()\n"
        for extension in extensions
    )
    return f"""\
[general]
static=yes

[from-pstn]
{entries}
[ext-queues]
{waits}
; Whom app_queue rings, through a Local channel that stays.
[from-queue]
exten => _X.,1,Set(QAGENT=${{EXTEN}})
 same => n,Goto(ext-local,${{EXTEN}},1)

[ext-local]
{hints}
[from-internal]
include => ext-local
include => ext-queues
"""
