"""Passwords: argon2id, computed away from the event loop, at most two at a time."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING

from crm_core.errors import Invalid

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST = 8
LONGEST = 256
"""Longer ones are refused before they cost any work."""

_TOO_COMMON = frozenset(
    [
        "password",
        "passw0rd",
        "password1",
        "12345678",
        "123456789",
        "1234567890",
        "87654321",
        "11111111",
        "88888888",
        "66666666",
        "00000000",
        "qwertyui",
        "qwerty123",
        "1qaz2wsx",
        "abcd1234",
        "abc12345",
        "iloveyou",
        "woaini1314",
        "5201314520",
        "administrator",
        "admin123",
        "admin888",
        "changeme",
        "letmein1",
        "zuoxi123",
    ]
)
# Neither 0/O nor 1/l/I: a one-time password is read out and typed.
_READABLE = "23456789abcdefghjkmnpqrstuvwxyz"

# One hash takes 64 MiB and some 50 ms of one core: a storm of sign-ins must not take them all.
_workers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="passwords")


def weakness(password: str, *, name: str = "") -> str | None:
    """What is wrong with a new password, as a sentence; None: nothing."""
    if len(password) < SHORTEST:
        return f"The password is too short: use at least {SHORTEST} characters."
    if len(password) > LONGEST:
        return f"The password is too long: use at most {LONGEST} characters."
    if password.lower() in _TOO_COMMON or len(set(password)) < 4:
        return "The password is one of those that are guessed first: choose another."
    if name and password.lower() == name.lower():
        return "The password must not be the sign-in name."
    return None


async def hash_password(password: str, *, name: str = "") -> str:
    """The argon2id hash of a new password. Raises `Invalid` where `weakness` finds one."""
    if wrong := weakness(password, name=name):
        raise Invalid(wrong)
    return await hash_again(password)


async def hash_again(password: str) -> str:
    """The hash of a password that is in use already: it may be weaker than today's rule."""
    return await asyncio.get_running_loop().run_in_executor(_workers, _hasher().hash, password)


async def verify(password_hash: str | None, password: str) -> bool:
    """Is this the password? With None (no such person) it takes as long and answers no."""
    if len(password) > LONGEST:
        return False
    return await asyncio.get_running_loop().run_in_executor(
        _workers, _matches, password_hash, password
    )


def outdated(password_hash: str) -> bool:
    """Was it made with weaker parameters than new ones are?"""
    return _hasher().check_needs_rehash(password_hash)


def one_time_password() -> str:
    """A password to be handed over once: 79 bits, without letters that look alike."""
    letters = "".join(secrets.choice(_READABLE) for _ in range(16))
    return "-".join(letters[start : start + 4] for start in range(0, 16, 4))


def _matches(password_hash: str | None, password: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        found = _hasher().verify(password_hash or _nobodys_hash(), password)
    except (VerificationError, InvalidHashError):
        return False
    return found and password_hash is not None


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher  # with the first password: a start needs none

    return PasswordHasher()  # argon2id with the library's present defaults (RFC 9106, low memory)


@cache
def _nobodys_hash() -> str:
    return _hasher().hash(secrets.token_hex(16))
