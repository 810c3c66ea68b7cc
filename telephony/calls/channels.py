"""Channels as Asterisk names them, and what a name tells: technology, device, half of a Local pair."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from crm_core.events import LegParty, Member

SUFFIX = re.compile(r"-[0-9a-f]{8,}(?:;[12])?(?:<\w+>)?$")
"""What makes the name of one channel of a device: `PJSIP/8001-0000002a`, `Local/100@c-00000001;2`."""

EXTENSION = re.compile(r"^(?:Local|PJSIP|SIP|IAX2|SCCP|Agent|hint:)[/:]?(\w+)(?=[@/-]|$)")

NOT_A_LEG = frozenset(
    {"Local", "Surrogate", "Announcer", "Recorder", "Snoop", "Message", "CBAnn", "CBRec", "Bridge"}
)
"""Technologies that are Asterisk's own plumbing: nobody holds such a channel to the ear."""

LISTENER = "zx-listen-"
"""Begins the Uniqueid of a supervisor's phone that listens: it is in nobody's call."""

WITHHELD = frozenset({"anonymous", "unknown", "restricted", "private", "unavailable", "withheld"})
"""What stands for a number or a name that the caller hides, by carrier."""


@dataclass(slots=True)
class Channel:
    """One channel while it lives. Known by its Uniqueid; its name may change under our hands."""

    unique_id: str
    linked_id: str
    name: str
    started_at: datetime
    exten: str | None = None
    party: LegParty | None = None
    """None until somebody says whose side it is on."""
    member: Member | None = None
    told: bool = False
    """Whether its LegStarted is out."""
    is_leg: bool = field(init=False)
    """See `is_leg`; kept, because it is asked with every hang-up in the call."""

    def __post_init__(self) -> None:
        self.is_leg = is_leg(self.name)

    def rename(self, name: str) -> None:
        self.name = name
        self.is_leg = is_leg(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteNames:
    """The contexts of a dialplan that is ours (`telephony.dialplan`); empty on a foreign PBX."""

    inbound: frozenset[str] = frozenset()
    """Where carriers and hotlines enter."""
    seats: frozenset[str] = frozenset()
    """Where the agents' phones enter."""


@dataclass(slots=True)
class Devices:
    """Which devices are agents', and under what name: learnt from queue members."""

    names: SiteNames = field(default_factory=SiteNames)
    _members: dict[str, Member] = field(default_factory=dict)
    """By interface."""
    _extensions: dict[str, str] = field(default_factory=dict)

    def learn(self, interface: str, name: str | None, state_interface: str | None = None) -> Member:
        """A queue has this member. FreePBX names members `Local/100@from-queue/n`, phones SIP/100."""
        known = self._members.get(interface)
        if known is not None and known.name == name:
            return known
        member = self._members[interface] = Member(interface=interface, name=name)
        for each in (interface, state_interface):
            if each and (found := EXTENSION.match(each)):
                self._extensions[found[1]] = interface
        return member

    def agent(self, channel_name: str, context: str | None) -> Member | None:
        """Whose phone this channel is; None: no agent's."""
        device = device_of(channel_name)
        known = self._member_with(device)
        if known is None and context in self.names.seats:
            return Member(interface=device)
        return known

    def member(self, channel_name: str) -> Member:
        """Who holds this channel: a queue member where one has this device, else the device."""
        device = device_of(channel_name)
        return self._member_with(device) or Member(interface=device)

    def talker(self, channel_name: str | None, rung: Member, rung_device: str) -> Member:
        """Who holds the connected channel; on a pick-up not the member that rang."""
        if not channel_name or not is_leg(channel_name):
            return rung  # half of a Local channel: the member's phone is behind it
        if device_of(channel_name) in (rung_device, rung.interface):
            return rung
        holder = self.member(channel_name)
        return rung if holder.interface == rung.interface else holder

    def _member_with(self, device: str) -> Member | None:
        known = self._members.get(device)
        if known is not None:
            return known
        interface = self._extensions.get(self._extension_of(device) or "")
        return None if interface is None else self._members[interface]

    @staticmethod
    @lru_cache(maxsize=4096)
    def _extension_of(device: str) -> str | None:
        found = EXTENSION.match(device)
        return found[1] if found else None


def shown(number_or_name: str | None) -> str | None:
    """A caller's number or name; None where it is hidden."""
    hidden = number_or_name is None or number_or_name.lower() in WITHHELD
    return None if hidden else number_or_name


@lru_cache(maxsize=4096)  # asked several times for each channel that lives
def device_of(channel_name: str) -> str:
    """`PJSIP/8001-0000002a` → `PJSIP/8001`."""
    return SUFFIX.sub("", channel_name)


def is_leg(channel_name: str) -> bool:
    """Whether somebody may be at the other end; halves of Local channels are folded away."""
    return channel_name.partition("/")[0] not in NOT_A_LEG


def other_half(channel_name: str) -> str | None:
    """The name of the other half of a Local channel; None for every other channel."""
    if channel_name.endswith(";1"):
        return channel_name[:-1] + "2"
    if channel_name.endswith(";2"):
        return channel_name[:-1] + "1"
    return None
