"""What we ask of Asterisk: typed actions, no free header. `encoder` makes bytes of them.

Every value passes the rule of its kind in `encoder`; there is no `Command` and no `Application` here,
and an account that runs on these needs no such right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """`HEADERS`: field → (header, kind of value); the name of the class is the action's."""

    HEADERS: ClassVar[dict[str, tuple[str, str]]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Login(Action):
    username: str
    secret: str
    events: str
    HEADERS: ClassVar[dict[str, tuple[str, str]]] = {
        "username": ("Username", "account"),
        "secret": ("Secret", "secret"),
        "events": ("Events", "mask"),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Logoff(Action):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping(Action):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreStatus(Action):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreShowChannels(Action):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Action):
    """All live channels, with the named channel variables (comma-separated)."""

    variables: str = ""
    HEADERS: ClassVar[dict[str, tuple[str, str]]] = {"variables": ("Variables", "variables")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Getvar(Action):
    """The value of one channel variable, in the answer's `Value`."""

    channel: str
    variable: str
    HEADERS: ClassVar[dict[str, tuple[str, str]]] = {
        "channel": ("Channel", "channel"),
        "variable": ("Variable", "variables"),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus(Action):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeList(Action):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueAdd(Action):
    """`reason` is that of the pause: a member that must not be rung is added paused."""

    queue: str
    interface: str
    member_name: str
    penalty: int = 0
    paused: bool = False
    reason: str = ""
    HEADERS: ClassVar[dict[str, tuple[str, str]]] = {
        "queue": ("Queue", "queue"),
        "interface": ("Interface", "interface"),
        "member_name": ("MemberName", "name"),
        "penalty": ("Penalty", "count"),
        "paused": ("Paused", "claim"),
        "reason": ("Reason", "reason"),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRemove(Action):
    queue: str
    interface: str
    HEADERS: ClassVar[dict[str, tuple[str, str]]] = {
        "queue": ("Queue", "queue"),
        "interface": ("Interface", "interface"),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePause(Action):
    """In all queues of the interface."""

    interface: str
    paused: bool
    reason: str = ""
    HEADERS: ClassVar[dict[str, tuple[str, str]]] = {
        "interface": ("Interface", "interface"),
        "paused": ("Paused", "claim"),
        "reason": ("Reason", "reason"),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Hangup(Action):
    """`cause` is Q.850; 16 is a normal end."""

    channel: str
    cause: int = 16
    HEADERS: ClassVar[dict[str, tuple[str, str]]] = {
        "channel": ("Channel", "channel"),
        "cause": ("Cause", "count"),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect(Action):
    """Out of its bridge to step 1 of `s` in a context."""

    channel: str
    context: str
    exten: str = "s"
    priority: int = 1
    HEADERS: ClassVar[dict[str, tuple[str, str]]] = {
        "channel": ("Channel", "channel"),
        "context": ("Context", "context"),
        "exten": ("Exten", "exten"),
        "priority": ("Priority", "count"),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Originate(Action):
    """Ring a phone; who answers goes on in the dialplan. Answered at once: *queued*.

    `channel_id` becomes the Uniqueid. While it lives a second Originate of it makes no second channel
    (measured, 22.10.1). An extension that does not exist is refused before anything rings.
    """

    channel: str
    channel_id: str
    context: str
    exten: str
    timeout: int
    """Milliseconds for the phone's answer."""
    caller_id: str = ""
    variable: str = ""
    """NAME=value for its channel: only what somebody listens to."""
    priority: int = 1
    run_async: bool = True
    HEADERS: ClassVar[dict[str, tuple[str, str]]] = {
        "channel": ("Channel", "interface"),
        "channel_id": ("ChannelId", "channel_id"),
        "context": ("Context", "context"),
        "exten": ("Exten", "target"),
        "timeout": ("Timeout", "count"),
        "caller_id": ("CallerID", "digits"),
        "variable": ("Variable", "spied"),
        "priority": ("Priority", "count"),
        "run_async": ("Async", "claim"),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Setvar(Action):
    """`value` empty: the variable is there and empty."""

    channel: str
    variable: str
    value: str = ""
    HEADERS: ClassVar[dict[str, tuple[str, str]]] = {
        "channel": ("Channel", "channel"),
        "variable": ("Variable", "variable"),
        "value": ("Value", "value"),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayDTMF(Action):
    """Press a key as if it had been pressed at the phone (`receive`)."""

    channel: str
    digit: str
    receive: bool = True
    HEADERS: ClassVar[dict[str, tuple[str, str]]] = {
        "channel": ("Channel", "channel"),
        "digit": ("Digit", "digit"),
        "receive": ("Receive", "claim"),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowDialPlan(Action):
    """What an extension does (an error where there is none: `Did not find …`), or every step that is
    loaded, as a list of `ListDialplan`."""

    context: str = ""
    extension: str = ""
    HEADERS: ClassVar[dict[str, tuple[str, str]]] = {
        "context": ("Context", "context_or_all"),
        "extension": ("Extension", "target_or_all"),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindTransfer(Action):
    """The party that `channel` talks with goes on at an extension; `channel` is let go.

    An extension that does not exist is no error to it: the call is lost (22.10.1). Look first.
    """

    channel: str
    context: str
    exten: str
    HEADERS: ClassVar[dict[str, tuple[str, str]]] = {
        "channel": ("Channel", "channel"),
        "context": ("Context", "context"),
        "exten": ("Exten", "target"),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Atxfer(Action):
    """Press the keys of an attended transfer: the feature's own, then those of `exten`.

    With the channel variable `TRANSFER_EXTEN` set Asterisk asks for no number and takes that one.
    """

    channel: str
    context: str
    exten: str
    HEADERS: ClassVar[dict[str, tuple[str, str]]] = {
        "channel": ("Channel", "channel"),
        "context": ("Context", "context"),
        "exten": ("Exten", "digit"),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAtxfer(Action):
    """Press the key that ends a consultation (`atxferabort`); the other party is there again."""

    channel: str
    HEADERS: ClassVar[dict[str, tuple[str, str]]] = {"channel": ("Channel", "channel")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload(Action):
    """One module only: a reload of everything drops what it should not."""

    module: str
    HEADERS: ClassVar[dict[str, tuple[str, str]]] = {"module": ("Module", "module")}


@dataclass(frozen=True, slots=True, kw_only=True)
class GetConfigJSON(Action):
    """One of our own files with all that it includes, as Asterisk's own parser reads it.

    `category`: only this section. The answer is one line, and that of a thousand seats a long one.
    """

    filename: str
    category: str = ""
    HEADERS: ClassVar[dict[str, tuple[str, str]]] = {
        "filename": ("Filename", "file"),
        "category": ("Category", "category"),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreSettings(Action):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleCheck(Action):
    """Success: the module is loaded."""

    module: str
    HEADERS: ClassVar[dict[str, tuple[str, str]]] = {"module": ("Module", "module")}
