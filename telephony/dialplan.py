"""Every name that Zuoxi shares with `asterisk_conf/`, and the files it writes for Asterisk.

`asterisk_conf/*.conf` is the same everywhere and `#include`s two kinds of generated files. What differs
from site to site (addresses, secrets, carriers) is made once, by whoever sets the machine up; what
pages change (queues, hotlines, seats) is written by the product while it runs (`plan_writer`).
Members of queues are never in a file: they come, pause and go over AMI.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final

from jinja2 import Environment, StrictUndefined, Template

from crm_core.centre.plan import (
    DirectionPlan,
    HotlinePlan,
    QueuePlan,
    RecordingRule,
    SeatPlan,
    SwitchPlan,
)
from crm_core.errors import Invalid
from telephony.dialplan_templates import GENERATED as GENERATED
from telephony.dialplan_templates import PLAN_FILES as PLAN_FILES
from telephony.dialplan_templates import SITE_FILES as SITE_FILES

INBOUND_CONTEXT: Final = "zuoxi-inbound"
"""Where carriers enter: filters what a caller can choose, then goes to the hotline."""
HOTLINES_CONTEXT: Final = "zuoxi-hotlines"
SEATS_CONTEXT: Final = "zuoxi-seats"
"""Where phones enter, and where a transfer to an extension goes."""
QUEUE_ROUTINE: Final = "zuoxi-queue"
"""`Gosub(zuoxi-queue,s,1(QUEUE,MAX_WAIT_SECONDS[,HOTLINE]))`."""
DIAL_ROUTINE: Final = "zuoxi-dial"
"""`Gosub(zuoxi-dial,s,1(INTERFACE,EXTENSION))`."""
DIAL_OUT_ROUTINE: Final = "zuoxi-dial-out"
"""`Gosub(zuoxi-dial-out,NUMBER,1)`."""
ENDED_ROUTINE: Final = "zuoxi-ended"
DOOR_ROUTINE: Final = "zuoxi-door"
"""`Gosub(zuoxi-door,s,1(HOTLINE))`: asks where the call goes; sets `DOOR_VARIABLES`, or nothing."""
FIRST_ROUTINE: Final = "zuoxi-first"
"""`Gosub(zuoxi-first,s,1(INTERFACE,SECONDS))`: rings one phone before the queue does."""

RECORD_ROUTINE: Final = "zuoxi-record"
"""`Gosub(zuoxi-record,s,1(RULE,ANNOUNCEMENT))`: from here on this channel is recorded, by the rule."""
RECORD_VARIABLE: Final = "ZX_RECORD_"
"""Before INTERNAL or OUTBOUND: the global variable that holds the rule of calls without a queue."""
ANNOUNCE_VARIABLE: Final = "ZX_ANNOUNCE_"
"""The same: the sound that tells of it."""
QUEUE_RECORD_VARIABLE: Final = "ZX_QUEUE_RECORD_"
"""Before a queue's name: the rule of its calls."""
QUEUE_ANNOUNCE_VARIABLE: Final = "ZX_QUEUE_ANNOUNCE_"
LISTEN_CONTEXT: Final = "zuoxi-listen"
"""Where a supervisor's phone is sent that listens to the channel named in `ZX_LISTEN`."""
LISTEN_VARIABLE: Final = "ZX_LISTEN"
QUEUES_CONTEXT: Final = "zuoxi-queues"
"""Every queue by its name: where a transfer to a queue goes."""
NUMBERS_CONTEXT: Final = "zuoxi-numbers"
"""The numbers outside that may be dialled, and nothing else."""
HANG_UP_CONTEXT: Final = "zuoxi-hang-up"
"""A channel that is sent there hangs up; so it does where an Asterisk has no such context."""
HAND_OVER_CONTEXT: Final = "zuoxi-hand-over"
"""Where the leg of an agent goes who consults and hands the call over."""
HOLD_ROUTINE: Final = "zuoxi-hold"
HOLD_KEY: Final = "D"
"""Pressed for the agent, his leg goes into `HOLD_ROUTINE` (features.conf)."""

EVENTS_ACCOUNT: Final = "zuoxi-events"
CONTROL_ACCOUNT: Final = "zuoxi-control"

QUEUE_TEMPLATE: Final = "zuoxi-queue"
TRUNK_TEMPLATE: Final = "zuoxi-trunk-endpoint"
SEAT_TEMPLATE: Final = "zuoxi-seat-endpoint"
AOR_TEMPLATE: Final = "zuoxi-seat-aor"
AUTH_TEMPLATE: Final = "zuoxi-seat-auth"

SEAT_VARIABLE: Final = "ZX_SEAT"
"""`yes` on every channel of a seat."""
HELD_VARIABLE: Final = "ZX_HELD"
"""Of the agent's leg: anything but `yes` takes the other party back."""
DISPLAY_NUMBER_VARIABLE: Final = "ZX_DISPLAY_NUMBER"
"""What is shown to whom we call; empty: what the carrier makes of the agent's extension."""
ANSWER_FIRST_VARIABLE: Final = "ZX_ANSWER_FIRST"
"""`yes`: the caller is answered before the queue. Waiting then costs, and no carrier cuts it off."""

DOOR_VARIABLE: Final = "ZX_DOOR"
"""Global: the address of the door; without it nobody is asked."""
DOOR_VARIABLES: Final = ("ZX_QUEUE", "ZX_WAIT", "QUEUE_PRIO", "ZX_FIRST", "ZX_FIRST_SECONDS")
"""What the door says, in this order. `QUEUE_PRIO` is app_queue's own."""

LEFT_ROW: Final = "ZX_LEFT"
"""queue_log: `…|ZX_LEFT|QUEUESTATUS`, for ends that app_queue writes no row of (FULL, JOINEMPTY)."""
DIALLED_ROW: Final = "ZX_DIALLED"
"""queue_log: `…|ZX_DIALLED|FROM|TO|PHONE`, before a call without a queue rings."""
ENDED_ROW: Final = "ZX_ENDED"
"""queue_log: `…|ZX_ENDED|DIALSTATUS|HANGUPCAUSE|SECONDS`, when that call is over."""

BELT_SECONDS: Final = 5
"""Asterisk's own `wrapuptime` at most. Wrap-up is a pause of ours; this holds where nobody has set it,
because we were being restarted. Longer, it would keep calls from who has ended his wrap-up early."""

SHARED_NAMES: Final = (
    INBOUND_CONTEXT,
    HOTLINES_CONTEXT,
    SEATS_CONTEXT,
    QUEUE_ROUTINE,
    DIAL_ROUTINE,
    DIAL_OUT_ROUTINE,
    ENDED_ROUTINE,
    DOOR_ROUTINE,
    FIRST_ROUTINE,
    RECORD_ROUTINE,
    LISTEN_CONTEXT,
    LISTEN_VARIABLE,
    QUEUES_CONTEXT,
    NUMBERS_CONTEXT,
    HANG_UP_CONTEXT,
    HAND_OVER_CONTEXT,
    HOLD_ROUTINE,
    EVENTS_ACCOUNT,
    CONTROL_ACCOUNT,
    QUEUE_TEMPLATE,
    TRUNK_TEMPLATE,
    SEAT_TEMPLATE,
    AOR_TEMPLATE,
    AUTH_TEMPLATE,
    SEAT_VARIABLE,
    HELD_VARIABLE,
    DISPLAY_NUMBER_VARIABLE,
    ANSWER_FIRST_VARIABLE,
    DOOR_VARIABLE,
    *(name for name in DOOR_VARIABLES if name.startswith("ZX_")),
    LEFT_ROW,
    DIALLED_ROW,
    ENDED_ROW,
)

GENERATED_FOLDER: Final = "zuoxi"
"""Plan files, below Asterisk's own folder (`/etc/asterisk`); `ZUOXI_ASTERISK_CONF` is that place."""
SITE_FOLDER: Final = "zuoxi-site"
"""Site files, beside it. The product neither writes nor reads there."""


NUMBERS_OF_CHINA: Final = (
    "1[3-9]XXXXXXXXX",
    "0[1-9]XXXXXXXX",
    "0[1-9]XXXXXXXXX",
    "0[1-9]XXXXXXXXXX",
    "400XXXXXXX",
)
"""Mobiles, fixed lines with their area, 400. Nothing abroad, nothing at a premium."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What differs from PBX to PBX and is known when it is set up."""

    system_name: str
    """Begins every Uniqueid and stands in every event. Make it an unguessable word."""
    events_secret: str = field(repr=False)
    control_secret: str = field(repr=False)
    ami_address: str = "127.0.0.1"
    ami_port: int = 5038
    ami_clients: tuple[str, ...] = ("127.0.0.1/32",)
    """From where the two accounts may log in."""
    sip_address: str = "127.0.0.1"
    sip_port: int = 5060
    rtp_ports: tuple[int, int] = (10000, 20000)
    trunk_addresses: tuple[str, ...] = ()
    """The carrier's hosts or networks. Who calls from there is a caller, whatever he says he is."""
    answer_first: bool = True
    gateway: str = ""
    """Where calls leave: the carrier's `ADDRESS:PORT`, one of `trunk_addresses`. Empty: none leaves."""
    numbers: tuple[str, ...] = NUMBERS_OF_CHINA
    """What may be dialled there, as Asterisk's patterns of a whole length, without the `_`."""
    display_number: str = ""
    """What is shown to whom we call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What `write` changed, as what Asterisk must do about it."""

    files: tuple[str, ...]
    reload: tuple[str, ...]
    """Modules to reload, each by one AMI `Reload`."""
    restart: bool
    """Something changed that Asterisk reads only when it starts."""


def render_plan(plan: SwitchPlan, door: str = "") -> dict[str, str]:
    """What `plan` says, name → content. Raises `Invalid` with a sentence on any doubtful value.

    `door` is the address where calls ask for their way (`telephony.agi.door`); empty: they do not.
    """
    _check_plan(plan)
    if door:
        _match(_DOOR, door, "The door is agi://ADDRESS:PORT/door?pbx=NAME")
    values = {**_NAMES, "plan": plan, "door": door}
    return {name: _template(name).render(values) for name in PLAN_FILES}


def render_site(site: Site) -> dict[str, str]:
    """What belongs to the machine, name → content. Raises `Invalid` like `render_plan`."""
    _check_site(site)
    return {name: _template(name).render({**_NAMES, "site": site}) for name in SITE_FILES}


def write(files: Mapping[str, str], folder: Path) -> Changes:
    """Put the files in place: each whole or not at all, and only those that differ."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = tuple(name for name, text in files.items() if _differs(folder / name, text))
    for name in changed:
        replace(folder / name, files[name])
    if changed:
        _sync_folder(folder)
    modules = (GENERATED[name].module for name in changed)
    return Changes(
        files=changed,
        reload=tuple(dict.fromkeys(module for module in modules if module)),
        restart=any(GENERATED[name].at_start_only for name in changed),
    )


def _differs(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() != text.encode()
    except FileNotFoundError:
        return True


def replace(path: Path, text: str) -> None:
    """The file whole, or as it was. Raises `OSError`."""
    # Readable for the folder's group: Asterisk is another user, and these files hold secrets.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fchmod(file.fileno(), 0o640)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# What a value may look like. Each is narrower than what Asterisk's parser could misread: no blank
# at an end, no bracket, comma, `$`, quote, comment or control character.
_QUEUE = re.compile(r"[^\W_][\w.-]{0,78}")
_LONGEST_QUEUE = 79
"""Bytes: what app_queue keeps of a name."""
_EXTENSION = re.compile(r"[0-9]{2,10}")
_NUMBER = re.compile(r"\+?[0-9]{2,24}")
_INTERFACE = re.compile(r"PJSIP/[A-Za-z0-9][A-Za-z0-9_.-]{0,78}")
_SOUND = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}(/[A-Za-z0-9][A-Za-z0-9_-]{0,31}){0,3}")
_CONTACT = re.compile(r"sips?:[A-Za-z0-9_.+-]{1,64}@[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?")
_GATEWAY = re.compile(r"([0-9.]{7,15}|\[[0-9a-fA-F:]{2,39}\]):[0-9]{1,5}")
# Of one length, and no `.` or `!` at the end: what comes behind a number is not dialled, too.
_DIALLED = re.compile(r"([0-9XZN]|\[[0-9](-[0-9]|[0-9]*)\]){2,24}")
_SYSTEM_NAME = re.compile(r"[A-Za-z0-9]{1,32}")
_SECRET = re.compile(r"[!-~]{8,128}")

_DOOR = re.compile(r"agi://[A-Za-z0-9.:\[\]-]{1,253}/door\?pbx=[A-Za-z0-9_.-]{1,64}")

_RESERVED_NAMES = frozenset({"general", "default", "global", "system"})


def _check_site(site: Site) -> None:
    _match(_SYSTEM_NAME, site.system_name, "The system name is 1 to 32 letters and digits")
    for whose, secret in ("events", site.events_secret), ("control", site.control_secret):
        # The value is never repeated in a sentence that may be logged or shown.
        if not _SECRET.fullmatch(secret):
            raise Invalid(
                f"The {whose} secret must be 8 to 128 printable ASCII characters, no blank"
            )
    for address in (site.ami_address, site.sip_address):
        _address(address)
    for network in (*site.ami_clients, *site.trunk_addresses):
        _network(network)
    if site.gateway:
        _match(_GATEWAY, site.gateway, "The gateway is an IP address and a port, 192.0.2.1:5060")
        if not site.trunk_addresses:
            raise Invalid("A gateway is one of the carrier's addresses, and none is given")
    for pattern in site.numbers:
        _match(_DIALLED, pattern, "What may be dialled is digits, X, Z, N and [3-9]")
    if site.display_number:
        _match(_NUMBER, site.display_number, "The display number is 2 to 24 digits")
    for what, port in ("AMI", site.ami_port), ("SIP", site.sip_port):
        _between(1, 65535, port, f"The {what} port")
    first, last = site.rtp_ports
    _between(1024, 65534, first, "The first RTP port")
    _between(first + 1, 65535, last, "The last RTP port")


def _check_plan(plan: SwitchPlan) -> None:
    for queue in plan.queues:
        _check_queue(queue)
    for direction in plan.directions:
        _check_recording(direction, f"{direction.direction.value} calls")
    for hotline in plan.hotlines:
        _check_hotline(hotline, {queue.name for queue in plan.queues})
    for seat in plan.seats:
        _check_seat(seat)
    _once("queue", (queue.name for queue in plan.queues))
    # Phones may dial both, in one context: the number must say which is meant.
    _once(
        "number",
        (*(line.number for line in plan.hotlines), *(seat.extension for seat in plan.seats)),
    )
    _once("direction", (direction.direction.value for direction in plan.directions))
    _once("interface", (seat.interface for seat in plan.seats))


def _check_queue(queue: QueuePlan) -> None:
    _match(_QUEUE, queue.name, "A queue's name is letters, digits, dot, dash and underscore")
    _between(
        1, _LONGEST_QUEUE, len(queue.name.encode()), f"The bytes of {queue.name!r}, a queue's,"
    )
    if queue.name.lower() in _RESERVED_NAMES or queue.name.lower().startswith("zuoxi"):
        raise Invalid(f"{queue.name!r} is a name of Asterisk's or Zuoxi's own; name the queue else")
    for what, value, least, most in (
        ("Ring seconds", queue.ring_seconds, 1, 600),
        ("Longest wait", queue.max_wait_seconds, 1, 86400),
        ("Wrap-up seconds", queue.wrap_up_seconds, 0, 3600),
        ("Callers at most", queue.max_callers, 0, 100000),
        ("Weight", queue.weight, 0, 1000),
        ("Missed rings", queue.missed_rings, 1, 9),
    ):
        _between(least, most, value, f"{what} of queue {queue.name}")
    _check_recording(queue, f"queue {queue.name}")


def _check_recording(plan: QueuePlan | DirectionPlan, whose: str) -> None:
    if plan.announcement:
        _match(_SOUND, plan.announcement, "An announcement is a sound's name like zuoxi/recorded")
    elif plan.recording is RecordingRule.ANNOUNCED:
        raise Invalid(f"The recording of {whose} is to be announced, but no announcement is named")


def _check_hotline(hotline: HotlinePlan, queues: set[str]) -> None:
    _match(
        _NUMBER, hotline.number, "A hotline's number is 2 to 24 digits, with + before them or not"
    )
    if hotline.queue not in queues:
        raise Invalid(f"Hotline {hotline.number} leads to {hotline.queue!r}, which is not a queue")


def _check_seat(seat: SeatPlan) -> None:
    _match(_EXTENSION, seat.extension, "A seat's extension is 2 to 10 digits")
    _match(_INTERFACE, seat.interface, "A seat's interface is PJSIP/ and letters, digits, . - _")
    if _endpoint_of(seat).lower().startswith("zuoxi") or _endpoint_of(seat) in _RESERVED_NAMES:
        raise Invalid(f"{seat.interface!r} is a name of Asterisk's or Zuoxi's own")
    if seat.contact is None and seat.secret is None:
        raise Invalid(f"Seat {seat.extension} needs a secret to register with, or a fixed contact")
    if seat.contact is not None:
        _match(_CONTACT, seat.contact, "A contact looks like sip:8001@192.0.2.10:5060")
    if seat.secret is not None and not _SECRET.fullmatch(seat.secret):
        raise Invalid(
            f"The secret of seat {seat.extension} must be 8 to 128 printable ASCII characters, no blank"
        )


def _endpoint_of(seat: SeatPlan) -> str:
    return seat.interface.removeprefix("PJSIP/")


def _match(pattern: re.Pattern[str], value: str, sentence: str) -> None:
    # fullmatch: `$` would let a line break at the end pass.
    if not pattern.fullmatch(value):
        raise Invalid(f"{sentence}; {value!r} is not")


def _between(least: int, most: int, value: int, what: str) -> None:
    if not least <= value <= most:
        raise Invalid(f"{what} must be between {least} and {most}; it is {value}")


def _once(what: str, values: Iterable[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise Invalid(f"The {what} {value!r} is there twice")
        seen.add(value)


def _address(value: str) -> None:
    try:
        ip_address(value)
    except ValueError:
        raise Invalid(f"{value!r} is not an IP address") from None


def _network(value: str) -> None:
    try:
        ip_network(value)
    except ValueError:
        raise Invalid(f"{value!r} is not an IP address or network") from None


def _one_value(value: object) -> object:
    """The last door before the file: every `{{ … }}` passes here, whatever was checked before."""
    if not isinstance(value, str):
        return value
    if not value.isprintable():
        raise Invalid("A value for Asterisk holds a line break or another control character")
    # Asterisk's parser drops exactly the one backslash before `;`, whatever stands before that.
    return value.replace(";", "\\;")


_ENVIRONMENT: Final = Environment(
    # Not HTML: these are Asterisk's files, and `_one_value` is their escaping.
    autoescape=False,
    finalize=_one_value,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


_NAMES: Final[Mapping[str, object]] = {
    "endpoint_of": _endpoint_of,
    "HOTLINES": HOTLINES_CONTEXT,
    "SEATS": SEATS_CONTEXT,
    "QUEUE": QUEUE_ROUTINE,
    "DIAL": DIAL_ROUTINE,
    "DIAL_OUT": DIAL_OUT_ROUTINE,
    "QUEUES": QUEUES_CONTEXT,
    "NUMBERS": NUMBERS_CONTEXT,
    "DISPLAY_NUMBER": DISPLAY_NUMBER_VARIABLE,
    "EVENTS": EVENTS_ACCOUNT,
    "CONTROL": CONTROL_ACCOUNT,
    "QUEUE_TEMPLATE": QUEUE_TEMPLATE,
    "TRUNK_TEMPLATE": TRUNK_TEMPLATE,
    "SEAT_TEMPLATE": SEAT_TEMPLATE,
    "AOR_TEMPLATE": AOR_TEMPLATE,
    "AUTH_TEMPLATE": AUTH_TEMPLATE,
    "ANSWER_FIRST": ANSWER_FIRST_VARIABLE,
    "DOOR": DOOR_VARIABLE,
    "RECORD": RECORD_VARIABLE,
    "ANNOUNCE": ANNOUNCE_VARIABLE,
    "QUEUE_RECORD": QUEUE_RECORD_VARIABLE,
    "QUEUE_ANNOUNCE": QUEUE_ANNOUNCE_VARIABLE,
    "BELT_SECONDS": BELT_SECONDS,
}


@cache
def _template(name: str) -> Template:
    return _ENVIRONMENT.from_string(GENERATED[name].template)
