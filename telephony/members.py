"""Who is a member of which queue, and whose phone is there, as Asterisk shows it. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final, cast, get_args

from crm_core.events import DeviceSeen, Event, Member, QueueMemberGone, QueueMemberSeen
from crm_core.ids import PbxId
from telephony.ami import messages as ami

_Telling = ami.QueueMemberItem | ami.QueueMemberAdded | ami.QueueMemberStatus | ami.QueueMemberPause
_TELLING: frozenset[type[ami.AmiMessage]] = frozenset(get_args(_Telling))

_AWAY: Final = frozenset({4, 5})
"""Device states (`include/asterisk/devicestate.h`): invalid, unavailable. 0 is *unknown*: no news."""


class MemberBook:
    """Fed every message. A snapshot tells all members again; live events only what changed.

    QueueMemberStatus comes once per queue for each change of a device's state: most tell nothing.
    """

    HEARS: Final = _TELLING | {ami.QueueMemberRemoved, ami.SnapshotBegan, ami.SnapshotEnded}
    """All other kinds of message tell nothing about members."""

    def __init__(self, pbx: PbxId) -> None:
        self._pbx = pbx
        self._members: dict[tuple[str, str], QueueMemberSeen] = {}
        self._reachable: dict[str, bool] = {}
        self._in_snapshot: set[tuple[str, str]] | None = None

    def feed(self, message: ami.AmiMessage) -> list[Event]:
        if type(message) in _TELLING:
            return self._seen(cast("_Telling", message))
        if isinstance(message, ami.QueueMemberRemoved):
            return self._gone(message.at, (message.queue or "", message.interface or ""))
        if isinstance(message, ami.SnapshotBegan):
            self._in_snapshot = set()
        elif isinstance(message, ami.SnapshotEnded) and self._in_snapshot is not None:
            missing = [key for key in self._members if key not in self._in_snapshot]
            self._in_snapshot = None
            return [event for key in missing for event in self._gone(message.at, key)]
        return []

    def _seen(self, message: _Telling) -> list[Event]:
        if not message.queue or not message.interface:
            return []
        key = (message.queue, message.interface)
        if self._in_snapshot is not None:
            self._in_snapshot.add(key)
        device, member = self._device(message), self._member(key, message)
        return [event for event in (device, member) if event] if device or member else []

    def _device(self, message: _Telling) -> DeviceSeen | None:
        """The phone came or went: the same is told of each of its queues."""
        interface = message.interface
        if not interface or not message.status:
            return None
        reachable = message.status not in _AWAY
        if self._reachable.get(interface) is reachable:
            return None
        self._reachable[interface] = reachable
        return DeviceSeen(at=message.at, pbx=self._pbx, interface=interface, reachable=reachable)

    def _member(self, key: tuple[str, str], message: _Telling) -> QueueMemberSeen | None:
        reason = message.paused_reason if message.paused else None
        another = message.state_interface != message.interface
        former = self._members.get(key)
        if (
            former is not None
            and former.paused == message.paused
            and former.pause_reason == reason
            and former.member.name == message.member_name
            and type(message) is not ami.QueueMemberItem
        ):
            return None
        seen = self._members[key] = QueueMemberSeen(
            at=message.at,
            pbx=self._pbx,
            queue=key[0],
            member=Member(interface=message.interface, name=message.member_name),
            paused=message.paused,
            pause_reason=reason,
            state_interface=message.state_interface if another else None,
        )
        return seen

    def _gone(self, at: datetime, key: tuple[str, str]) -> list[Event]:
        former = self._members.pop(key, None)
        if former is None:
            return []
        return [QueueMemberGone(at=at, pbx=self._pbx, queue=key[0], member=former.member)]
