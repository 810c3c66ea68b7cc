"""What a person's own page shows."""

from __future__ import annotations

from datetime import datetime

from agent_ui.auth_view import PasswordProblem
from crm_core.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionShown:
    """A browser in which this person is signed in."""

    began_at: datetime
    seen_at: datetime
    address: str
    browser: str
    is_this: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPage:
    """`account/page.html`. The forms post to `/account/password` (`password`, `new_password`,
    `new_password_again`) and `/account/sign-out-elsewhere`."""

    name: str
    full_name: str
    agent_number: str | None
    roles: tuple[str, ...]
    team: str | None
    queues: tuple[str, ...]
    extension: str | None
    sessions: tuple[SessionShown, ...]
    minimum_length: int
    problem: PasswordProblem | None = None
    done: str = ""
    """`password` or `signed-out`: what has just been done."""
