"""What we ask of Asterisk: typed actions, no free header. `encoder` makes bytes of them.

Every value passes the rule of its kind in `encoder`; there is no `Command`, no `Application` and no
`Originate` here, and an account that runs on these needs no such right.
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
