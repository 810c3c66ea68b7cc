"""Permissions, data scope, and the four preset roles: one table, read by every check."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from crm_core.quick_dataclass import dataclass


class Permission(StrEnum):
    """What a role may do. A route, socket topic or export names the one it needs."""

    TAKE_CALLS = "take_calls"
    """Sign in with a device; be offered calls; hang up the own call."""
    READ_CALLS = "read_calls"
    READ_LIVE = "read_live"
    READ_CUSTOMERS = "read_customers"
    WRITE_CUSTOMERS = "write_customers"
    WRITE_NOTES = "write_notes"
    REVEAL_NUMBERS = "reveal_numbers"
    PLACE_CALLS = "place_calls"
    """Have a number outside dialled, from the own phone or from one within the data scope."""
    EXPORT = "export"
    """Carry lists out as files; no more rows and no more of a number than the page shows."""
    LISTEN_RECORDINGS = "listen_recordings"
    """Play the recordings of the calls that one may see, on the call's page; each time is audited."""
    DOWNLOAD_RECORDINGS = "download_recordings"
    """Carry them away as files."""
    LISTEN_LIVE = "listen_live"
    """Hear a call that goes on, at the own phone (监听)."""
    ADMINISTER = "administer"


class DataScope(StrEnum):
    """Whose rows a role sees (domain 4.11): a filter on every query, beside the permission."""

    OWN = "own"
    TEAM = "team"
    PROJECT = "project"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetRole:
    permissions: frozenset[Permission]
    scope: DataScope


_P = Permission

PRESET_ROLES: Mapping[str, PresetRole] = {
    "agent": PresetRole(
        permissions=frozenset(
            {
                _P.TAKE_CALLS,
                _P.PLACE_CALLS,
                _P.READ_CALLS,
                _P.READ_LIVE,
                _P.READ_CUSTOMERS,
                _P.WRITE_CUSTOMERS,
                _P.WRITE_NOTES,
            }
        ),
        scope=DataScope.OWN,
    ),
    "outbound_caller": PresetRole(
        permissions=frozenset(
            {
                _P.TAKE_CALLS,
                _P.PLACE_CALLS,
                _P.READ_CALLS,
                _P.READ_LIVE,
                _P.READ_CUSTOMERS,
                _P.WRITE_NOTES,
            }
        ),
        scope=DataScope.OWN,
    ),
    "supervisor": PresetRole(
        permissions=frozenset(
            {
                _P.READ_CALLS,
                _P.READ_LIVE,
                _P.READ_CUSTOMERS,
                _P.WRITE_CUSTOMERS,
                _P.WRITE_NOTES,
                _P.REVEAL_NUMBERS,
                _P.PLACE_CALLS,
                _P.EXPORT,
                _P.LISTEN_RECORDINGS,
                _P.LISTEN_LIVE,
            }
        ),
        scope=DataScope.TEAM,
    ),
    "admin": PresetRole(permissions=frozenset(Permission), scope=DataScope.ALL),
}
"""The roles that ship. `admin` holds every permission; taking calls included, for small centres."""
