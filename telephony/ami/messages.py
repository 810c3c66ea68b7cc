"""AMI messages as typed values, as far as anybody reads them. Pure.

Classes keep Asterisk's spelling; a field is the header's name in snake_case (`Uniqueid` →
`unique_id`), and None where the header is missing, empty or `<unknown>`. A class has the fields that
somebody reads and no others: each costs time in every message (`telephony.ami.reading` makes them
from bytes, some thousand a second).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from crm_core.ids import BootId


@dataclass(slots=True)
class AmiMessage:
    """`at` is Asterisk's stamp, or the moment of receipt where there is none (`at_is_receipt`).

    Nobody changes a message. It is not frozen all the same: to make a frozen one takes several times
    as long, as much as a tenth of all that is done about it (measured, P5).
    """

    at: datetime
    at_is_receipt: bool


@dataclass(slots=True)
class _OfChannel(AmiMessage):
    """About one channel. `linked_id` is the Uniqueid of the oldest channel of its call."""

    unique_id: str | None
    linked_id: str | None


@dataclass(slots=True)
class ShowsChannel(_OfChannel):
    """Shows a channel well enough to open a call with it."""

    channel: str | None
    caller_id_num: str | None
    caller_id_name: str | None
    context: str | None
    exten: str | None


@dataclass(slots=True)
class Newchannel(ShowsChannel):
    pass


@dataclass(slots=True)
class Newstate(_OfChannel):
    pass


@dataclass(slots=True)
class Hangup(_OfChannel):
    cause: int | None
    """Q.850."""


@dataclass(slots=True)
class Hold(_OfChannel):
    pass


@dataclass(slots=True)
class Unhold(_OfChannel):
    pass


@dataclass(slots=True)
class Rename(AmiMessage):
    """A masquerade gave a channel another name: state is keyed by Uniqueid, never by name."""

    channel: str | None
    new_name: str | None
    unique_id: str | None


@dataclass(slots=True)
class _OfTwoChannels(_OfChannel):
    """About a channel and the one it rings; for an Originate the first is missing."""

    dest_unique_id: str | None
    dest_linked_id: str | None


@dataclass(slots=True)
class ShowsTwoChannels(ShowsChannel):
    """The same, and shows both."""

    dest_unique_id: str | None
    dest_linked_id: str | None
    dest_channel: str | None
    dest_context: str | None


@dataclass(slots=True)
class DialBegin(ShowsTwoChannels):
    dest_caller_id_num: str | None


@dataclass(slots=True)
class DialState(_OfTwoChannels):
    dial_status: str | None


@dataclass(slots=True)
class DialEnd(_OfTwoChannels):
    """`dial_status`: ANSWER, BUSY, CANCEL, CHANUNAVAIL, CONGESTION, NOANSWER, ABORT …"""

    dial_status: str | None


@dataclass(slots=True)
class BridgeCreate(AmiMessage):
    bridge_unique_id: str | None


@dataclass(slots=True)
class BridgeDestroy(AmiMessage):
    bridge_unique_id: str | None


@dataclass(slots=True)
class BridgeEnter(_OfChannel):
    pass


@dataclass(slots=True)
class BridgeLeave(_OfChannel):
    pass


@dataclass(slots=True)
class BridgeMerge(AmiMessage):
    to_bridge_unique_id: str | None
    from_bridge_unique_id: str | None


@dataclass(slots=True)
class QueueCallerJoin(ShowsChannel):
    queue: str | None
    position: int | None


@dataclass(slots=True)
class QueueCallerLeave(_OfChannel):
    """Comes before AgentConnect too: alone it does not mean abandoned."""

    queue: str | None


@dataclass(slots=True)
class QueueCallerAbandon(_OfChannel):
    """Sent for every exit without an agent, time-outs too (434 of 434 measured)."""

    queue: str | None


@dataclass(slots=True)
class AgentCalled(ShowsTwoChannels):
    queue: str | None
    interface: str | None
    member_name: str | None


@dataclass(slots=True)
class AgentConnect(ShowsTwoChannels):
    queue: str | None
    interface: str | None
    member_name: str | None


@dataclass(slots=True)
class AgentComplete(_OfTwoChannels):
    """`reason`: caller, agent or transfer. May come without Uniqueid when the caller is gone."""

    queue: str | None
    reason: str | None


@dataclass(slots=True)
class AgentRingNoAnswer(_OfTwoChannels):
    queue: str | None
    interface: str | None


@dataclass(slots=True)
class AgentDump(_OfTwoChannels):
    queue: str | None
    interface: str | None


@dataclass(slots=True)
class OfMember(AmiMessage):
    queue: str | None
    interface: str | None
    member_name: str | None
    state_interface: str | None
    paused: bool
    paused_reason: str | None
    status: int | None
    """The device's state: 1 not in use, 2 in use, 5 unavailable, 6 ringing …"""


@dataclass(slots=True)
class QueueMemberStatus(OfMember):
    pass


@dataclass(slots=True)
class QueueMemberAdded(OfMember):
    pass


@dataclass(slots=True)
class QueueMemberRemoved(OfMember):
    pass


@dataclass(slots=True)
class QueueMemberPause(OfMember):
    pass


@dataclass(slots=True)
class LocalBridge(AmiMessage):
    local_one_channel: str | None
    local_one_unique_id: str | None
    local_two_channel: str | None
    local_two_unique_id: str | None


@dataclass(slots=True)
class BlindTransfer(AmiMessage):
    result: str | None
    transferer_channel: str | None
    transferer_unique_id: str | None
    transferee_channel: str | None
    transferee_unique_id: str | None
    context: str | None
    extension: str | None


@dataclass(slots=True)
class AttendedTransfer(AmiMessage):
    """`dest_type`: Bridge; App, while it rings there; Threeway, where who transfers stays."""

    result: str | None
    orig_transferer_unique_id: str | None
    second_transferer_unique_id: str | None
    transferee_unique_id: str | None
    transfer_target_unique_id: str | None
    dest_type: str | None


@dataclass(slots=True)
class Pickup(AmiMessage):
    channel: str | None
    unique_id: str | None
    target_channel: str | None
    target_unique_id: str | None


@dataclass(slots=True)
class MixMonitorStart(_OfChannel):
    """Recording begins. The file is not in it: the channel's MIXMONITOR_FILENAME is."""

    channel: str | None


@dataclass(slots=True)
class OriginateResponse(AmiMessage):
    """`exten`: where the phone that was rung goes on to."""

    response: str | None
    unique_id: str | None
    reason: str | None
    exten: str | None


@dataclass(slots=True)
class FullyBooted(AmiMessage):
    """First event of a session. `uptime` in seconds, a second or two off."""

    uptime: int | None


@dataclass(slots=True)
class Shutdown(AmiMessage):
    pass


# --- items of snapshots ---------------------------------------------------------------------------


@dataclass(slots=True)
class StatusItem(ShowsChannel):
    """`Status`: one live channel. `seconds` since it was created."""

    channel_state_desc: str | None
    seconds: int | None
    bridge_id: str | None
    application: str | None
    """The application it is in, e.g. Queue."""
    data: str | None
    variables: tuple[tuple[str, str], ...]
    """The channel variables that were asked for."""


@dataclass(slots=True)
class CoreShowChannelItem(ShowsChannel):
    """`CoreShowChannel`: one live channel; `duration` is `hh:mm:ss`."""

    channel_state_desc: str | None
    duration: str | None
    bridge_id: str | None
    application: str | None
    application_data: str | None


@dataclass(slots=True)
class QueueParams(AmiMessage):
    queue: str | None
    calls: int | None


@dataclass(slots=True)
class QueueMemberItem(OfMember):
    """`QueueMember` of QueueStatus, where interface and name are `Location` and `Name`."""


@dataclass(slots=True)
class QueueEntry(AmiMessage):
    """One waiting caller; `wait` in seconds."""

    queue: str | None
    position: int | None
    channel: str | None
    unique_id: str | None
    caller_id_num: str | None
    caller_id_name: str | None
    wait: int | None


@dataclass(slots=True)
class BridgeListItem(AmiMessage):
    bridge_unique_id: str | None
    bridge_num_channels: int | None


# --- what the link itself has to say, in the same line as the messages -----------------------------


@dataclass(slots=True)
class SnapshotBegan(AmiMessage):
    """A resync begins: items and live events follow in wire order."""

    boot: BootId


@dataclass(slots=True)
class SnapshotEnded(AmiMessage):
    """The resync is complete: what was open and did not show up is over."""

    boot: BootId


@dataclass(slots=True)
class LinkLost(AmiMessage):
    """Nothing is heard from here on: `at` is the last moment at which something was."""


# --- which event becomes what ---------------------------------------------------------------------

KINDS: Mapping[bytes, type[AmiMessage]] = {
    **{
        kind.__name__.encode(): kind
        for kind in (
            Newchannel, Newstate, Hangup, Hold, Unhold, Rename, DialBegin, DialState, DialEnd,
            BridgeCreate, BridgeDestroy, BridgeEnter, BridgeLeave, BridgeMerge,
            QueueCallerJoin, QueueCallerLeave, QueueCallerAbandon,
            AgentCalled, AgentConnect, AgentComplete, AgentRingNoAnswer, AgentDump,
            QueueMemberStatus, QueueMemberAdded, QueueMemberRemoved, QueueMemberPause,
            LocalBridge, BlindTransfer, AttendedTransfer, Pickup, OriginateResponse, MixMonitorStart,
            FullyBooted, Shutdown, QueueParams, QueueEntry, BridgeListItem,
        )
    },
    b"Status": StatusItem,
    b"CoreShowChannel": CoreShowChannelItem,
    b"QueueMember": QueueMemberItem,
}  # fmt: skip
"""Name of the event → the class of its messages. What has no class here nobody wants."""


def by_name(kinds: Iterable[type[AmiMessage]]) -> Mapping[bytes, type[AmiMessage]]:
    """The same, of these kinds only."""
    wanted = frozenset(kinds)
    return {name: kind for name, kind in KINDS.items() if kind in wanted}
