"""Who is a member of which queue, as Asterisk shows it: messages in, changes out. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final, cast, get_args

from crm_core.events import Event, Member, QueueMemberGone, QueueMemberSeen
from crm_core.ids import PbxId
from telephony.ami import messages as ami

_Telling = ami.QueueMemberItem | ami.QueueMemberAdded | ami.QueueMemberStatus | ami.QueueMemberPause
_TELLING: frozenset[type[ami.AmiMessage]] = frozenset(get_args(_Telling))


class MemberBook:
    """Fed every message. A snapshot tells all members again; live events only what changed.

    QueueMemberStatus comes once per queue for each change of a device's state: most tell nothing.
    """

    HEARS: Final = _TELLING | {ami.QueueMemberRemoved, ami.SnapshotBegan, ami.SnapshotEnded}
    """All other kinds of message tell nothing about members."""

    def __init__(self, pbx: PbxId) -> None:
        self._pbx = pbx
        self._members: dict[tuple[str, str], QueueMemberSeen] = {}
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
        reason = message.paused_reason if message.paused else None
        former = self._members.get(key)
        if (
            former is not None
            and former.member.name == message.member_name
            and (former.paused, former.pause_reason) == (message.paused, reason)
            and not isinstance(message, ami.QueueMemberItem)
        ):
            return []
        seen = self._members[key] = QueueMemberSeen(
            at=message.at,
            pbx=self._pbx,
            queue=message.queue,
            member=Member(interface=message.interface, name=message.member_name),
            paused=message.paused,
            pause_reason=reason,
        )
        return [seen]

    def _gone(self, at: datetime, key: tuple[str, str]) -> list[Event]:
        former = self._members.pop(key, None)
        if former is None:
            return []
        return [QueueMemberGone(at=at, pbx=self._pbx, queue=key[0], member=former.member)]
