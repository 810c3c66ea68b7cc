"""How often a password may be guessed: per name and address, per address, per name.

A guesser at one address locks out only himself: the person still gets in from another. Guessers at
many addresses together meet the limit per name, which does not bind addresses where the person has
signed in before.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Mapping
from functools import cached_property

from crm_core.errors import TooMany

WINDOW_MINUTES = 15


class SignInThrottle:
    """Failed sign-ins, counted in the memory of this process. One per `agent_ui`."""

    def __init__(
        self, *, per_name_and_address: int = 10, per_address: int = 50, per_name: int = 100
    ) -> None:
        self._limits = {"pair": per_name_and_address, "address": per_address, "name": per_name}
        self._under_way: Counter[tuple[str, str]] = Counter()

    @cached_property
    def _failed(self) -> _Failed:
        return _Failed(self._limits)

    def begin(self, name: str, address: str, *, known_address: bool) -> None:
        """An attempt begins; `end` must follow. Raises `TooMany`, and then none has begun.

        Attempts under way count as failed ones: a hundred guesses sent together do not slip through
        while the first is being hashed.
        """
        pair = name, network = name.lower(), _network(address)
        allowed = (
            self._failed.leave_room("pair", *pair, cost=1 + self._under_way[pair])
            and self._failed.leave_room("address", network)
            and (known_address or self._failed.leave_room("name", name))
        )
        if not allowed:
            raise TooMany(f"Too many failed sign-ins. Wait {WINDOW_MINUTES} minutes and try again.")
        self._under_way[pair] += 1

    def end(self, name: str, address: str, *, succeeded: bool) -> None:
        """The attempt is over. Success lets this name begin anew at this address."""
        pair = name, network = name.lower(), _network(address)
        self._under_way[pair] -= 1
        if self._under_way[pair] <= 0:
            del self._under_way[pair]
        if succeeded:
            self._failed.forget("pair", *pair)
            return
        self._failed.count("pair", *pair)
        self._failed.count("address", network)
        self._failed.count("name", name)


class _Failed:
    """Failed attempts of the last minutes by `limits`, loaded with the first sign-in (14 ms)."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        from limits import RateLimitItemPerMinute
        from limits.storage import MemoryStorage
        from limits.strategies import FixedWindowRateLimiter

        self._windows = FixedWindowRateLimiter(MemoryStorage())
        self._limits = {
            kind: RateLimitItemPerMinute(allowed, WINDOW_MINUTES, kind)
            for kind, allowed in limits.items()
        }

    def leave_room(self, kind: str, *whose: str, cost: int = 1) -> bool:
        return self._windows.test(self._limits[kind], *whose, cost=cost)

    def count(self, kind: str, *whose: str) -> None:
        self._windows.hit(self._limits[kind], *whose)

    def forget(self, kind: str, *whose: str) -> None:
        self._windows.clear(self._limits[kind], *whose)


def _network(address: str) -> str:
    """An IPv6 customer owns a /64: one guesser must not have 2^64 addresses."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
