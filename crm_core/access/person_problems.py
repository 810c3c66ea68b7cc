"""What can be wrong in a person's file, by field and kind; pages say it in the reader's language. Pure."""

from __future__ import annotations

from enum import StrEnum

from crm_core.quick_dataclass import dataclass


class PersonProblem(StrEnum):
    """What is wrong with one field of a wish."""

    NAME_FORM = "name_form"
    NAME_TAKEN = "name_taken"
    FULL_NAME_EMPTY = "full_name_empty"
    FULL_NAME_LONG = "full_name_long"
    NUMBER_FORM = "number_form"
    NUMBER_TAKEN = "number_taken"
    NUMBER_FIXED = "number_fixed"
    """Calls are credited by it already: it is the person's for good."""
    NUMBER_NEEDED = "number_needed"
    """Somebody with queues takes calls, and a queue's member is called by the number."""
    ROLE_NEEDED = "role_needed"
    ROLE_UNKNOWN = "role_unknown"
    LAST_ADMINISTRATOR = "last_administrator"
    TEAM_UNKNOWN = "team_unknown"
    QUEUE_UNKNOWN = "queue_unknown"
    SEAT_UNKNOWN = "seat_unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """`who`: the person it is about, where it is about another one."""

    kind: PersonProblem
    who: str = ""
