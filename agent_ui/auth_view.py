"""What the pages around a session show: sign-in, the choice of a device, errors, and the page's frame.

Plain values, already translated where they are data (names) and left to the templates where they
are words. Every template of a whole page is given `shell: Shell` beside its own `page`.
"""

from __future__ import annotations

from enum import StrEnum

from crm_core.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks at the page."""

    name: str
    """The full name, as colleagues read it."""
    agent_number: str | None
    has_desk: bool
    """May take calls: the desk is in the navigation."""
    has_calls: bool
    """May read the call list."""
    has_gaps: bool = False
    """May open the gap book."""
    has_live: bool = False
    """May see the live queues beyond the own work."""
    has_customers: bool = False
    """May read customers' files."""
    may_dial: bool = False
    """Has a phone now, and may have numbers dialled from it."""
    administers: bool = False
    """People and seats are in the navigation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """The frame of a page: what every one of them needs, whatever it is about."""

    viewer: Viewer | None = None
    """None before the sign-in."""
    csrf_token: str = ""
    path: str = "/"
    """Path and query of this page, where a change of language comes back to."""
    insecure_http: bool = False
    """Plain http off loopback: every page carries the red strip."""


class SignInProblem(StrEnum):
    """Why the sign-in page says no."""

    WRONG = "wrong"
    """Name or password; which of them is not told."""
    TOO_MANY = "too_many"
    DISABLED = "disabled"
    ENDED = "ended"
    """The session ended (expired, or signed out elsewhere)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInPage:
    """`auth/sign_in.html`. Posts `name`, `password`, `next`, `csrf_token` to `/sign-in`."""

    next: str = "/"
    name: str = ""
    problem: SignInProblem | None = None


class PasswordProblem(StrEnum):
    """Why a new password was not taken."""

    WRONG = "wrong"
    """The present password."""
    TOO_MANY = "too_many"
    """It was guessed too often."""
    SHORT = "short"
    WEAK = "weak"
    """One of those that are guessed first, or the sign-in name."""
    DIFFERENT = "different"
    """The two new ones differ."""
    SAME = "same"
    """The new one is the present one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordPage:
    """`auth/password.html`: the one-time password is replaced before anything else is shown.

    Posts `password`, `new_password`, `new_password_again`, `csrf_token` to `/password`.
    """

    minimum_length: int
    problem: PasswordProblem | None = None


class SetUpProblem(StrEnum):
    """Why the first administrator was not made."""

    NAME = "name"
    WEAK = "weak"
    DIFFERENT = "different"
    """The two passwords differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUpPage:
    """`auth/set_up.html`. Posts `name`, `new_password`, `new_password_again` to its own address."""

    minimum_length: int
    name: str = ""
    problem: SetUpProblem | None = None


class DeviceProblem(StrEnum):
    """Why the device could not be taken."""

    TAKEN = "taken"
    BUSY = "busy"
    """Its phone rings or talks: nobody is thrown out of a call."""
    UNKNOWN = "unknown"
    NO_LINK = "no_link"
    """Asterisk is not reachable: queues cannot be joined just now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One extension that an agent may sit down at."""

    pbx: str
    extension: str
    is_usual: bool = False
    held_by: str | None = None
    """The full name of who has it now; None: free."""
    held_number: str | None = None
    """That person's agent number."""
    holder: int | None = None
    """That person: the form names whom the seat is taken over from (`from`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePage:
    """`auth/device.html`: free extensions, the own usual one first, then the taken ones.

    Posts `device` (= `pbx/extension`) and `csrf_token` to `/device`; a taken one that somebody forgot to
    give back is asked again (`taking_over`), and then `from` names that person.
    """

    devices: tuple[Device, ...]
    queues: tuple[str, ...] = ()
    """Titles of the queues that the agent will take calls of."""
    shows_pbx: bool = False
    """More than one PBX: its name stands beside the extension."""
    problem: DeviceProblem | None = None
    taking_over: Device | None = None
    """The page asks whether this seat's holder is to be signed out there."""


def in_order(devices: tuple[Device, ...]) -> tuple[Device, ...]:
    """The own usual one first, then the free ones, the taken ones last; by number within each."""
    return tuple(
        sorted(
            devices,
            key=lambda device: (
                not device.is_usual,
                device.held_by is not None,
                device.pbx,
                # 900 before 8001, whatever letters an extension may hold besides.
                len(device.extension),
                device.extension,
            ),
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPage:
    """`error.html`: 403, 404, 409, 422, 429, 500 or 503, each with what to do about it."""

    status: int
    detail: str | None = None
    """A sentence of our own to show beside the general one; never a traceback."""
    request_id: str | None = None
    """What to tell the administrator, who finds it in the log."""
