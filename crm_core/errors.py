"""What can go wrong, by who can act on it. The docstring is the message, the HTTP status sits here."""

from __future__ import annotations


class ZuoxiError(Exception):
    """Something went wrong."""

    status = 500

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or self.__doc__)
        self.detail = detail or (self.__doc__ or "").strip()


class NotFound(ZuoxiError):
    """There is no such thing, or you may not see it."""

    status = 404


class NotAllowed(ZuoxiError):
    """Your roles do not allow this."""

    status = 403


class Conflict(ZuoxiError):
    """Somebody else was faster: look at the present state and try again."""

    status = 409


class Invalid(ZuoxiError):
    """A value is not valid."""

    status = 422


class TooMany(ZuoxiError):
    """Too many attempts. Wait a while and try again."""

    status = 429


class Unavailable(ZuoxiError):
    """A part that is needed for this is not reachable just now."""

    status = 503


class SettingError(ZuoxiError):
    """A setting is wrong. The sentence says which, and what to set."""
