"""Rules about `manager.conf`: may the accounts do what Zuoxi does, and does everything reach it? Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from crm_core.findings import Finding, Lines
from telephony.ami.messages import KINDS
from telephony.doctor.sight import Rule, Section, Sight

FILE: Final = "manager.conf"
RELOAD: Final = "asterisk -rx 'manager reload', and restart Zuoxi: rights are read at login"

LEAST_WRITE_TIMEOUT: Final = 1000
"""Milliseconds. The default of 100 cuts a reader off that is busy for 2 MB (reliability 1.1)."""
WRITE_TIMEOUT: Final = "writetimeout = 10000"

_ANSWERS: Final = {
    "FullyBooted", "Status", "CoreShowChannel", "QueueParams", "QueueEntry", "QueueMember",
    "BridgeListItem",
}  # fmt: skip
"""No event filter touches these: answers to an action, and the greeting of a session."""
NEEDED: Final = tuple(name for each in KINDS if (name := each.decode()) not in _ANSWERS)
"""The events that Zuoxi cannot do without."""

_READS: Final = ("system", "call", "agent")
_LISTENING_WRITES: Final = ("system", "call", "reporting")
_ACTING_WRITES: Final = ("system", "call", "agent", "reporting")
_SHELL: Final = ("command", "config", "all")
"""Who may write these may run programs on the machine of Asterisk."""
_FLOOD: Final = ("dialplan", "verbose", "log", "all")
"""Events by the dozen for each call that nobody here reads (96 VarSet of a call: measured)."""


def no_link(sight: Sight) -> Iterator[Finding]:
    """There is nobody to ask: what a site needs, from nothing."""
    permits = "permit = ADDRESS/255.255.255.255 (of the machine of Zuoxi)"
    yield Finding(
        where=sight.pbx,
        says=f"there is no link to Asterisk at {sight.address}: {sight.trouble}",
        cure=Lines(
            file=FILE,
            section=sight.listens,
            add=(
                "secret = the one of ZUOXI_PBX_URLS",
                "deny = 0.0.0.0/0.0.0.0",
                permits,
                f"read = {','.join(_READS)}",
                f"write = {','.join(_ACTING_WRITES)}",
                WRITE_TIMEOUT,
            ),
            then="[general] needs enabled = yes, and a bindaddr and port that Zuoxi reaches; then "
            "asterisk -rx 'manager reload'",
        ),
    )


def unseen(sight: Sight) -> Iterator[Finding]:
    """What this account may not even ask."""
    if sight.refused:
        section = sight.section(FILE, sight.acts)
        yield Finding(
            where=sight.pbx,
            says=f"the account {sight.acts} may not ask for {', '.join(sight.refused)} "
            f"({next(iter(sight.refused.values()))}): not all can be looked at",
            cure=_line(sight.acts, "write", _joined(section, "write", _ACTING_WRITES)),
        )


def stamps(sight: Sight) -> Iterator[Finding]:
    if _is_read(sight) and not sight.section(FILE, "general").is_yes("timestampevents"):
        yield Finding(
            where=sight.pbx,
            says="events bear no moment (timestampevents): that of receipt is taken, and rows say so",
            cure=_line("general", "timestampevents", "yes"),
        )


def many_logins(sight: Sight) -> Iterator[Finding]:
    if not sight.section(FILE, "general").is_yes("allowmultiplelogin", default=True):
        yield Finding(
            where=sight.pbx,
            says="an account may log in once only (allowmultiplelogin): a dead link keeps the next "
            "one out",
            cure=_line("general", "allowmultiplelogin", "yes"),
        )


def disabled_events(sight: Sight) -> Iterator[Finding]:
    value = sight.section(FILE, "general").get("disabledevents")
    lost = [name for name in NEEDED if name in re.split(r"[,\s]+", value)]
    if lost:
        kept = [name for name in re.split(r"[,\s]+", value) if name not in NEEDED]
        yield Finding(
            where=sight.pbx,
            says=f"Asterisk tells nobody of {', '.join(lost)} (disabledevents)",
            cure=_line("general", "disabledevents", ",".join(kept)),
        )


def rights(sight: Sight) -> Iterator[Finding]:
    """The classes that an account lacks, and those that it should not have."""
    needs = [(sight.listens, "read", _READS), (sight.acts, "write", _ACTING_WRITES)]
    if len(sight.accounts) > 1:
        needs.insert(1, (sight.listens, "write", _LISTENING_WRITES))
    for account, key, classes in needs:
        section = sight.section(FILE, account)
        present = _classes(section, key)
        missing = [] if "all" in present else [each for each in classes if each not in present]
        if section.pairs and missing:
            yield Finding(
                where=sight.pbx,
                says=f"the account {account} lacks {key} = {','.join(missing)}",
                cure=_line(account, key, _joined(section, key, classes)),
            )


def too_many_rights(sight: Sight) -> Iterator[Finding]:
    for account in sight.accounts:
        section = sight.section(FILE, account)
        excess = [each for each in _SHELL if each in _classes(section, "write")]
        if excess:
            yield Finding(
                where=sight.pbx,
                says=f"the account {account} may write {','.join(excess)}: who has its secret can run "
                "programs on this machine",
                cure=_line(account, "write", _joined(section, "write", _ACTING_WRITES)),
            )
    section = sight.section(FILE, sight.listens)
    flood = [each for each in _FLOOD if each in _classes(section, "read")]
    if flood:
        yield Finding(
            where=sight.pbx,
            says=f"the account {sight.listens} reads {','.join(flood)}: dozens of events for each call "
            "that nobody needs",
            cure=_line(sight.listens, "read", _joined(section, "read", _READS)),
        )


def patience(sight: Sight) -> Iterator[Finding]:
    for account in sight.accounts:
        section = sight.section(FILE, account)
        value = section.get("writetimeout", "100")
        if section.pairs and (not value.isdecimal() or int(value) < LEAST_WRITE_TIMEOUT):
            yield Finding(
                where=sight.pbx,
                says=f"Asterisk gives {account} up after {value} ms (writetimeout): a busy moment "
                "costs the link",
                cure=Lines(file=FILE, section=account, add=(WRITE_TIMEOUT,), then=RELOAD),
            )


def filters(sight: Sight) -> Iterator[Finding]:
    """An event filter must let through what a call is folded from."""
    section = sight.section(FILE, sight.listens)
    given = [_Filter(key, value) for key, value in section.pairs if key.startswith("eventfilter")]
    for each in given:
        lost = [name for name in NEEDED if each.excludes and each.fits(name)]
        if lost:
            yield Finding(
                where=sight.pbx,
                says=f"an event filter of {sight.listens} holds back {', '.join(lost)}",
                cure=Lines(file=FILE, section=sight.listens, remove=(each.line,), then=RELOAD),
            )
    includes = [each for each in given if not each.excludes]
    lost = [name for name in NEEDED if not any(each.fits(name) for each in includes)]
    if includes and lost:
        yield Finding(
            where=sight.pbx,
            says=f"the event filters of {sight.listens} let through some events only, and not "
            f"{', '.join(lost)}",
            cure=Lines(
                file=FILE,
                section=sight.listens,
                remove=tuple(each.line for each in includes),
                then=RELOAD,
            ),
        )


class _Filter:
    """One `eventfilter`: by name (20.11 and newer) or a regular expression on the whole event."""

    def __init__(self, key: str, value: str) -> None:
        self.line = f"{key} = {value}".rstrip()
        self._name = re.search(r"name\(([^)]*)\)", key)
        self._value = value.removeprefix("!")
        self.excludes = "action(exclude)" in key or ("(" not in key and value.startswith("!"))

    def fits(self, name: str) -> bool:
        """Whether it is about events of this name; one about a header may be about any."""
        if self._name is not None:
            return self._name[1] == name
        try:
            return re.search(self._value, f"Event: {name}\r\n") is not None
        except re.error:
            return False


def _is_read(sight: Sight) -> bool:
    return FILE in sight.files


def _classes(section: Section, key: str) -> list[str]:
    return [each for each in re.split(r"[,\s]+", section.get(key)) if each]


def _joined(section: Section, key: str, needed: tuple[str, ...]) -> str:
    """What is there stays, but for what is too much."""
    unwanted = {*_SHELL, *(_FLOOD if key == "read" else ())}
    present = [each for each in _classes(section, key) if each not in unwanted]
    return ",".join(dict.fromkeys((*present, *needed)))


def _line(section: str, key: str, value: str) -> Lines:
    return Lines(file=FILE, section=section, add=(f"{key} = {value}",), then=RELOAD)


RULES: Final[tuple[Rule, ...]] = (
    unseen,
    stamps,
    many_logins,
    disabled_events,
    rights,
    too_many_rights,
    patience,
    filters,
)
