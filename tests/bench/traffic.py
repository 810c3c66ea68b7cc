"""The traffic of a busy centre, cut from the recorded traces: real bytes, fresh identities.

A `Story` is what Asterisk sent about one recorded call, with the moments between; what tells one call
from another (Uniqueid, channels, bridge, devices, agents, queue, caller, stamps) is a blank in it.
`Traffic` fills the blanks for many calls at once and lays them on a time line. Quiet moments of more
than `LONGEST_QUIET` seconds are cut to that, so that a round ends soon after its last call began.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from tests.golden import chunks_of

LONGEST_QUIET = 0.5
MIX = (
    ("answered_caller_hangs_up", 9),
    ("answered_agent_hangs_up", 4),
    ("chinese_name", 1),
    ("hidden_caller", 1),
    ("abandoned", 2),
    ("timeout", 1),
    ("refused", 1),
    ("no_answer_then_another", 1),
    ("ringall_answered_elsewhere", 1),
)
"""Of how many calls each story is one: most are answered, some ring two or three agents."""

RECORDED_CALLER = b"13800138000"
CUSTOMERS = 1_000
UNKNOWN_SHARE = 0.2
"""Of the callers; a quarter of them ring from abroad."""

_STAMP = re.compile(rb"(?<=Timestamp: )\d{10}\.\d{6}")
_BLANKS = (
    ("u", re.compile(rb"lab-\d{10}\.\d+")),
    ("b", re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")),
    ("h", re.compile(rb"(?<=-)[0-9a-f]{8}(?=\r|$)")),
)
_DEVICE = re.compile(rb"PJSIP/(\d{4})(?=[-\r]|$)")
_MEMBER = re.compile(rb"MemberName: (\d{4})")
_QUEUE = re.compile(rb"(?<=\r\nQueue: )[^\r]+")


@dataclass(frozen=True, slots=True)
class Said:
    """One event of a story: seconds since its first, the bytes with blanks, which device it rings."""

    offset: float
    blank: bytes
    rings: int | None
    """For AgentCalled: the how-manieth device of the story."""


@dataclass(frozen=True, slots=True)
class Story:
    """One recorded call. `devices` phones take part; `known` is whether the caller shows a number."""

    name: str
    said: tuple[Said, ...]
    ids: tuple[bytes, ...]
    """Names of the blanks that are only identities."""
    devices: int
    known: bool


@dataclass(frozen=True, slots=True)
class Agent:
    """Whose phone it is, as Asterisk has it."""

    extension: bytes
    number: bytes
    queue: bytes


@dataclass(frozen=True, slots=True)
class Ring:
    """A pop that must come: at which agent (its place), and about which caller (None: hidden)."""

    unique_id: str
    agent: int
    caller: str | None


@dataclass(frozen=True, slots=True)
class Sent:
    """One event to be written at `offset` seconds of the round."""

    offset: float
    data: bytes
    ring: Ring | None


@cache
def story(name: str) -> Story:
    """The story of this trace, with blanks."""
    data = b"".join(chunk.data for chunk in chunks_of(name) if chunk.feed == "ami")
    return cut(name, [raw for raw in data.split(b"\r\n\r\n") if _is_live(raw)])


def _is_live(raw: bytes) -> bool:
    return (
        raw.startswith(b"Event: ")
        and b"\r\nActionID: " not in raw
        and not raw.startswith(b"Event: FullyBooted")
    )


def cut(name: str, events: Sequence[bytes]) -> Story:
    """Blanks for identities, and the moments between."""
    whole = b"\r\n".join(events)
    devices = _in_order(_DEVICE.findall(b"\r\n".join(e for e in events if b"AgentCalled" in e)))
    known: dict[bytes, bytes] = {}
    for letter, pattern in _BLANKS:
        for place, found in enumerate(_in_order(pattern.findall(whole))):
            known[found] = b"%s%d" % (letter.encode(), place)
    members = _members(events)
    offset, before, said = 0.0, None, []
    for raw in events:
        stamp = _STAMP.search(raw)
        assert stamp is not None, "traces have stamps"
        at = float(stamp[0])
        offset += min(LONGEST_QUIET, max(0.0, at - before)) if before is not None else 0.0
        before = at
        rung = _DEVICE.search(raw) if raw.startswith(b"Event: AgentCalled\r\n") else None
        rings = devices.index(rung[1]) if rung else None
        said.append(Said(offset, _with_blanks(raw, known, devices, members), rings))
    return Story(name, tuple(said), tuple(known.values()), len(devices), RECORDED_CALLER in whole)


def _in_order(found: Sequence[bytes]) -> list[bytes]:
    return list(dict.fromkeys(found))


def _members(events: Sequence[bytes]) -> dict[bytes, bytes]:
    """Member's name → device, as AgentCalled has them."""
    found: dict[bytes, bytes] = {}
    for raw in events:
        name, device = _MEMBER.search(raw), re.search(rb"Interface: PJSIP/(\d{4})", raw)
        if name and device:
            found[name[1]] = device[1]
    return found


def _with_blanks(
    raw: bytes, known: dict[bytes, bytes], devices: list[bytes], members: dict[bytes, bytes]
) -> bytes:
    raw = raw.replace(b"%", b"%%")
    raw = _STAMP.sub(b"%(at)b", raw, count=1)
    for _letter, pattern in _BLANKS:
        raw = pattern.sub(lambda found: b"%%(%s)b" % known[found[0]], raw)
    for member, device in members.items():
        raw = raw.replace(b"MemberName: " + member, b"MemberName: %%(m%d)b" % devices.index(device))
    for place, device in enumerate(devices):
        raw = re.sub(rb"(?<=[/ ])%s(?=[-\r]|$)" % device, b"%%(e%d)b" % place, raw)
    raw = raw.replace(RECORDED_CALLER, b"%(caller)b")
    return _QUEUE.sub(b"%(queue)b", raw) + b"\r\n\r\n"


def customer_number(place: int) -> str:
    """As the trunk writes the number of the n-th customer, from 0."""
    return f"138{10_000_000 + place:08d}"


class Traffic:
    """Calls without end, from one seed: the same seed makes the same traffic."""

    def __init__(self, agents: Sequence[Agent], seed: int, epoch: int) -> None:
        self.agents = self._agents = agents
        self._random, self._epoch = random.Random(seed), epoch
        self._serial = self._unknown = 0
        self._next_agent = 0
        names = [name for name, times in MIX for _ in range(times)]
        self._stories = [story(name) for name in names]
        # Heavy-tailed: the tenth customer rings a tenth as often as the first.
        self._weights = [1 / (place + 1) for place in range(CUSTOMERS)]

    def round(self, calls_per_second: float, seconds: float, begins_at: float) -> list[Sent]:
        """All events of the calls that begin within `seconds`, in order; stamps from `begins_at`.

        Calls begin at random moments (a Poisson stream), as callers do.
        """
        sent: list[Sent] = []
        offset = self._random.expovariate(calls_per_second)
        while offset < seconds:
            sent += self._call(self._random.choice(self._stories), offset, begins_at)
            offset += self._random.expovariate(calls_per_second)
        return sorted(sent, key=_offset)

    def _call(self, told: Story, begins: float, begins_at: float) -> Iterator[Sent]:
        places = self._take_agents(told.devices)
        caller = self._caller()
        blanks = {b"caller": caller.encode(), b"queue": self._agents[places[0]].queue}
        for place, agent in enumerate(places):
            blanks[b"e%d" % place] = self._agents[agent].extension
            blanks[b"m%d" % place] = self._agents[agent].number
        for name in told.ids:
            blanks[name] = self._identity(name)
        for each in told.said:
            at = begins + each.offset
            blanks[b"at"] = b"%.6f" % (begins_at + at)
            ring = None
            if each.rings is not None:
                shown = caller if told.known else None
                ring = Ring(blanks[b"u0"].decode(), places[each.rings], shown)
            yield Sent(at, each.blank % blanks, ring)

    def _take_agents(self, count: int) -> list[int]:
        """The next ones in turn: nobody is rung twice within the length of a story."""
        first, self._next_agent = self._next_agent, self._next_agent + count
        return [place % len(self._agents) for place in range(first, first + count)]

    def _identity(self, name: bytes) -> bytes:
        self._serial += 1
        if name.startswith(b"u"):
            return b"lab-%d.%d" % (self._epoch, self._serial)
        if name.startswith(b"h"):
            return b"%08x" % self._serial
        return b"%08x-7a75-4f78-8902-%012x" % (self._epoch & 0xFFFFFFFF, self._serial)

    def _caller(self) -> str:
        if self._random.random() >= UNKNOWN_SHARE:
            return customer_number(self._random.choices(range(CUSTOMERS), self._weights)[0])
        self._unknown += 1
        if self._unknown % 4 == 0:
            return f"0014155{self._unknown:06d}"
        return f"139{self._unknown:08d}"


def _offset(sent: Sent) -> float:
    return sent.offset
