"""The AMI actions that the demonstration PBX knows, and how Asterisk 22 answers them.

Every sentence and every list here was seen on 22.10.1; the contract test asks both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import localtime, strftime
from typing import Protocol

from telephony.demo_pbx.exchange import Channel, Exchange, Queue, QueueMember
from telephony.demo_pbx.recording import Headers, value
from telephony.dialplan import HELD_VARIABLE, HOLD_KEY

Lines = list[Headers]
"""What goes back: the response first, then the items and the end of a list."""


class Session(Protocol):
    """What an answer may need to know of the session that asked."""

    def set_mask(self, mask: str) -> int | None: ...
    def add_filter(self, criteria: str, text: str) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An action with its headers, which are told apart without regard to case."""

    headers: Headers

    def get(self, name: str) -> str:
        """The first header of that name; empty if there is none."""
        wanted = name.lower()
        return next((text for found, text in self.headers if found.lower() == wanted), "")

    @property
    def id(self) -> Headers:
        return (("ActionID", self.get("ActionID")),) if self.get("ActionID") else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Switchboard:
    """What the answers work on."""

    exchange: Exchange
    hang_up: Callable[[str, int], None]
    """Ends the channel of that name with that cause."""
    send_away: Callable[[str], None]
    """Takes the channel of that name out of its conversation; it hangs up."""
    started_at: float
    session: Session
    held: set[str]
    """Channels whose other party is on hold, by name."""


def response(asked: Asked, kind: str, *rest: tuple[str, str]) -> Headers:
    return (("Response", kind), *asked.id, *rest)


def error(asked: Asked, message: str) -> Lines:
    return [response(asked, "Error", ("Message", message))]


def success(asked: Asked, message: str) -> Lines:
    return [response(asked, "Success", ("Message", message))]


def listed(
    asked: Asked, message: str, complete: str, items: Lines, *more: tuple[str, str]
) -> Lines:
    """A list as Asterisk frames it. `more` are headers that this list's end has beside ListItems."""
    start = response(asked, "Success", ("EventList", "start"), ("Message", message))
    end = (
        ("Event", complete),
        *asked.id,
        ("EventList", "Complete"),
        ("ListItems", str(len(items))),
        *more,
    )
    return [start, *items, end]


# --- the system -----------------------------------------------------------------------------------


def ping(board: Switchboard, asked: Asked) -> Lines:
    now = f"{board.exchange.clock():.6f}"
    return [response(asked, "Success", ("Ping", "Pong"), ("Timestamp", now))]


def login(board: Switchboard, asked: Asked) -> Lines:
    return success(asked, "Already authenticated")


def logoff(board: Switchboard, asked: Asked) -> Lines:
    return [response(asked, "Goodbye", ("Message", "Thanks for all the fish."))]


def core_status(board: Switchboard, asked: Asked) -> Lines:
    started = localtime(board.started_at)
    day, time = strftime("%Y-%m-%d", started), strftime("%H:%M:%S", started)
    headers = (
        ("CoreStartupDate", day),
        ("CoreStartupTime", time),
        ("CoreReloadDate", day),
        ("CoreReloadTime", time),
        ("CoreCurrentCalls", str(len(board.exchange.channels))),
        ("CoreProcessedCalls", str(board.exchange.processed)),
    )
    return [response(asked, "Success", *headers)]


def events(board: Switchboard, asked: Asked) -> Lines:
    mask = board.session.set_mask(asked.get("EventMask"))
    if mask is None:
        return error(asked, "Invalid event mask")
    return [response(asked, "Success", ("Events", "On" if mask else "Off"))]


def add_filter(board: Switchboard, asked: Asked) -> Lines:
    if asked.get("Operation").lower() != "add":
        return error(asked, "Unknown operation")
    if not board.session.add_filter(asked.get("MatchCriteria"), asked.get("Filter")):
        wrong = "Filter was formatted incorrectly.  Check the syntax of the filter given."
        return error(asked, wrong)
    return success(asked, "Success")


# --- channels and bridges -------------------------------------------------------------------------


def status(board: Switchboard, asked: Asked) -> Lines:
    channels = list(board.exchange.channels.values())
    if name := asked.get("Channel"):
        found = board.exchange.channel(name)
        if found is None:
            return error(asked, "No such channel")
        channels = [found]
    items = [_status_of(board.exchange, channel, asked) for channel in channels]
    return listed(
        asked,
        "Channel status will follow",
        "StatusComplete",
        items,
        ("Items", str(len(items))),
    )


def _status_of(exchange: Exchange, channel: Channel, asked: Asked) -> Headers:
    variables = [name for name in asked.get("Variables").split(",") if name]
    return (
        ("Event", "Status"),
        ("Privilege", "Call"),
        *channel.snapshot,
        ("Type", channel.name.partition("/")[0]),
        ("DNID", channel.called),
        ("EffectiveConnectedLineNum", value(channel.snapshot, "ConnectedLineNum") or ""),
        ("EffectiveConnectedLineName", value(channel.snapshot, "ConnectedLineName") or ""),
        ("TimeToHangup", "0"),
        ("BridgeID", channel.bridge),
        ("Application", "Queue" if channel.is_caller else "AppQueue"),
        ("Data", channel.data),
        ("Nativeformats", "(ulaw)"),
        ("Readformat", "ulaw"),
        ("Readtrans", ""),
        ("Writeformat", "ulaw"),
        ("Writetrans", ""),
        ("Callgroup", "0"),
        ("Pickupgroup", "0"),
        ("Seconds", str(int(exchange.clock() - channel.born))),
        # A variable that is not set; the demonstration's channels have none.
        *(("Variable", f"{name}=(null)") for name in variables),
        *asked.id,
    )


def core_show_channels(board: Switchboard, asked: Asked) -> Lines:
    now = board.exchange.clock()
    items = [
        (
            ("Event", "CoreShowChannel"),
            *asked.id,
            *channel.snapshot,
            ("Application", "Queue" if channel.is_caller else "AppQueue"),
            ("ApplicationData", channel.data),
            ("Duration", _clock_face(int(now - channel.born))),
            ("BridgeId", channel.bridge),
        )
        for channel in board.exchange.channels.values()
    ]
    return listed(asked, "Channels will follow", "CoreShowChannelsComplete", items)


def _clock_face(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def bridge_list(board: Switchboard, asked: Asked) -> Lines:
    wanted = asked.get("BridgeType")
    items = [
        (("Event", "BridgeListItem"), *asked.id, *bridge)
        for bridge in board.exchange.bridges.values()
        if wanted in ("", value(bridge, "BridgeType"))
    ]
    return listed(asked, "Bridge listing will follow", "BridgeListComplete", items)


def hangup(board: Switchboard, asked: Asked) -> Lines:
    name, text = asked.get("Channel"), asked.get("Cause")
    cause = int(text) if text.isdecimal() else 0
    if not name:
        return error(asked, "No channel specified")
    if len(name) > 2 and name[0] == name[-1] == "/":
        return _hang_up_matching(board, asked, name[1:-1], cause)
    channel = board.exchange.channel(name)
    if channel is None:
        return error(asked, "No such channel")
    board.hang_up(channel.name, cause)
    return success(asked, "Channel Hungup")


def _hang_up_matching(board: Switchboard, asked: Asked, pattern: str, cause: int) -> Lines:
    try:
        matching = [name for name in board.exchange.channels if re.search(pattern, name)]
    except re.error:
        return error(asked, "Regex compile error")
    for name in matching:
        board.hang_up(name, cause)
    items: Lines = [(("Event", "ChannelHungup"), ("Channel", n), *asked.id) for n in matching]
    return listed(asked, "Channels hung up will follow", "ChannelsHungupListComplete", items)


def redirect(board: Switchboard, asked: Asked) -> Lines:
    """Only what the product asks of it: out of the conversation, and the channel hangs up."""
    name = asked.get("Channel")
    channel = board.exchange.channel(name)
    if channel is None:
        return error(asked, f"Channel does not exist: {name}")
    board.send_away(channel.name)
    return success(asked, "Redirect successful")


# --- what the desk does to a call -----------------------------------------------------------------

NOT_PLAYED = "The demonstration cannot do this; a real Asterisk does (make lab)."
"""Not Asterisk's sentence: what is played are recordings, and none dials or transfers."""


def play_dtmf(board: Switchboard, asked: Asked) -> Lines:
    """The one key that the desk presses: the other party is put on hold, unless it is already."""
    channel = board.exchange.channel(asked.get("Channel"))
    if channel is None:
        return error(asked, "Channel not found")
    board.held.intersection_update(board.exchange.channels)
    if asked.get("Digit") == HOLD_KEY and channel.bridge and channel.name not in board.held:
        board.held.add(channel.name)
        board.exchange.tell(board.exchange.stamped("Hold", "call,all", *channel.snapshot))
    return success(asked, "DTMF successfully queued")


def setvar(board: Switchboard, asked: Asked) -> Lines:
    """The one variable that the desk sets on a live leg: the other party is taken back."""
    channel = board.exchange.channel(asked.get("Channel"))
    if channel is None:
        return error(asked, "No such channel")
    if asked.get("Variable") == HELD_VARIABLE and channel.name in board.held:
        board.held.discard(channel.name)
        board.exchange.tell(board.exchange.stamped("Unhold", "call,all", *channel.snapshot))
    return success(asked, "Variable Set")


def not_played(board: Switchboard, asked: Asked) -> Lines:
    return error(asked, NOT_PLAYED)


# --- queues ---------------------------------------------------------------------------------------


def queue_status(board: Switchboard, asked: Asked) -> Lines:
    exchange, wanted = board.exchange, asked.get("Queue")
    items = [
        item
        for name, queue in exchange.queues.items()
        if wanted in ("", name)
        for item in _queue_items(exchange, queue, asked)
    ]
    return listed(asked, "Queue status will follow", "QueueStatusComplete", items)


def _queue_items(exchange: Exchange, queue: Queue, asked: Asked) -> Iterator[Headers]:
    yield (("Event", "QueueParams"), *_parameters(queue), *asked.id)
    wanted = asked.get("Member")
    for member in queue.members.values():
        if wanted in ("", member.interface, member.name):
            yield (
                ("Event", "QueueMember"),
                ("Queue", queue.plan.name),
                ("Name", member.name),
                ("Location", member.interface),
                *exchange.member_state(member),
                ("Wrapuptime", "0"),
                *asked.id,
            )
    for place, waiting in enumerate(queue.waiting, 1):
        snapshot = exchange.channels[waiting.channel].snapshot
        yield (
            ("Event", "QueueEntry"),
            ("Queue", queue.plan.name),
            ("Position", str(place)),
            ("Channel", waiting.channel),
            ("Uniqueid", value(snapshot, "Uniqueid") or ""),
            *((name, _or_unknown(value(snapshot, name))) for name in _WHO),
            ("Wait", str(int(exchange.clock()) - int(waiting.joined))),
            ("Priority", "0"),
            *asked.id,
        )


_WHO = ("CallerIDNum", "CallerIDName", "ConnectedLineNum", "ConnectedLineName")


def _or_unknown(text: str | None) -> str:
    """QueueEntry alone writes `unknown` without the angle brackets."""
    return "unknown" if text in (None, "", "<unknown>") else str(text)


def _parameters(queue: Queue) -> Headers:
    ended = queue.completed + queue.abandoned
    in_time = queue.connected_at_once
    in_time_or_gone = in_time + queue.abandoned_at_once
    return (
        ("Queue", queue.plan.name),
        ("Max", str(queue.plan.max_callers)),
        ("Strategy", queue.plan.strategy.value),
        ("Calls", str(len(queue.waiting))),
        ("Holdtime", str(queue.hold_seconds)),
        ("TalkTime", str(queue.talk_seconds)),
        ("Completed", str(queue.completed)),
        ("Abandoned", str(queue.abandoned)),
        ("ServiceLevel", "0"),
        ("ServicelevelPerf", f"{100 * in_time / queue.completed if queue.completed else 0:.1f}"),
        ("ServicelevelPerf2", f"{100 * in_time_or_gone / ended if ended else 0:.1f}"),
        ("Weight", str(queue.plan.weight)),
    )


def queue_add(board: Switchboard, asked: Asked) -> Lines:
    exchange, name, interface = board.exchange, asked.get("Queue"), asked.get("Interface")
    if not name:
        return error(asked, "'Queue' not specified.")
    if not interface:
        return error(asked, "'Interface' not specified.")
    queue = exchange.queues.get(name)
    if queue is None:
        return error(asked, "Unable to add interface to queue: No such queue")
    if interface in queue.members:
        return error(asked, "Unable to add interface: Already there")
    penalty, now = asked.get("Penalty"), int(exchange.clock())
    paused = _is_true(asked.get("Paused"))
    reason = asked.get("Reason") if paused else ""
    member = QueueMember(
        name=asked.get("MemberName") or interface,
        interface=interface,
        state_interface=asked.get("StateInterface") or interface,
        penalty=int(penalty) if penalty.isdecimal() else 0,
        paused=paused,
        reason=reason,
        last_pause=now if paused else 0,
        login_time=now,
    )
    queue.members[interface] = member
    exchange.tell_member("QueueMemberAdded", queue, member)
    exchange.write("MANAGER", name, member.name, "ADDMEMBER", "PAUSED" if paused else "")
    return success(asked, "Added interface to queue")


def queue_remove(board: Switchboard, asked: Asked) -> Lines:
    exchange, name, interface = board.exchange, asked.get("Queue"), asked.get("Interface")
    if not name or not interface:
        return error(asked, "Need 'Queue' and 'Interface' parameters.")
    queue = exchange.queues.get(name)
    if queue is None:
        return error(asked, "Unable to remove interface from queue: No such queue")
    member = queue.members.pop(interface, None)
    if member is None:
        return error(asked, "Unable to remove interface: Not there")
    exchange.tell_member("QueueMemberRemoved", queue, member)
    exchange.write("MANAGER", name, member.name, "REMOVEMEMBER")
    return success(asked, "Removed interface from queue")


def queue_pause(board: Switchboard, asked: Asked) -> Lines:
    exchange, interface, text = board.exchange, asked.get("Interface"), asked.get("Paused")
    if not interface or not text:
        return error(asked, "Need 'Interface' and 'Paused' parameters.")
    wanted, paused, reason = asked.get("Queue"), _is_true(text), asked.get("Reason")
    if not exchange.pause(interface, wanted, paused=paused, reason=reason):
        return error(asked, "Interface not found")
    return success(asked, f"Interface {'' if paused else 'un'}paused successfully")


def _is_true(text: str) -> bool:
    """Asterisk's `ast_true`."""
    return text.lower() in ("yes", "true", "y", "t", "1", "on")


Answer = Callable[[Switchboard, Asked], Lines]

# Action (lower case) → which of these write permissions it needs (any one; none: everybody may).
ACTIONS: dict[str, tuple[frozenset[str], Answer]] = {
    "atxfer": (frozenset({"call"}), not_played),
    "blindtransfer": (frozenset({"call"}), not_played),
    "bridgelist": (frozenset(), bridge_list),
    "cancelatxfer": (frozenset({"call"}), not_played),
    "coreshowchannels": (frozenset({"system", "reporting"}), core_show_channels),
    "corestatus": (frozenset({"system", "reporting"}), core_status),
    "events": (frozenset(), events),
    "filter": (frozenset({"system"}), add_filter),
    "hangup": (frozenset({"system", "call"}), hangup),
    "login": (frozenset(), login),
    "logoff": (frozenset(), logoff),
    "originate": (frozenset({"originate"}), not_played),
    "ping": (frozenset(), ping),
    "playdtmf": (frozenset({"call"}), play_dtmf),
    "queueadd": (frozenset({"agent"}), queue_add),
    "queuepause": (frozenset({"agent"}), queue_pause),
    "queueremove": (frozenset({"agent"}), queue_remove),
    "queuestatus": (frozenset(), queue_status),
    "redirect": (frozenset({"call"}), redirect),
    "setvar": (frozenset({"call"}), setvar),
    "showdialplan": (frozenset({"config", "reporting"}), not_played),
    "status": (frozenset({"system", "call", "reporting"}), status),
}
