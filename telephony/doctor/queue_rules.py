"""Rules about `queues.conf` and the members that stand in queues. Pure.

What holds everywhere (a caller is served while another waits; figures can be told apart) comes first;
what only matters where people sign in to Zuoxi (`has_seats`) is not asked of anybody else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from crm_core.findings import Finding, Lines
from telephony import dialplan
from telephony.doctor.sight import Rule, Section, Sight

FILE: Final = "queues.conf"
RELOAD: Final = "asterisk -rx 'queue reload all'"

_TELLS_THE_DIALPLAN: Final = {
    "setinterfacevar": "whose phone answered",
    "setqueueentryvar": "when the caller came",
    "setqueuevar": "which queue it was",
}
_FOR_ALL: Final = {
    "autofill": "callers who wait are served one at a time, however many agents are ready",
    "log_membername_as_agent": "queue_log does not say who joins and leaves a queue",
}
_WITH_SEATS: Final = {
    "shared_lastcall": ("yes", "the wrap-up after a call holds in one queue only"),
    "persistentmembers": ("no", "a restarted Asterisk rings at who has signed out meanwhile"),
}


def for_all(sight: Sight) -> Iterator[Finding]:
    if FILE not in sight.files:
        return
    general = sight.section(FILE, "general")
    wanted = {key: ("yes", why) for key, why in _FOR_ALL.items()}
    wanted |= _WITH_SEATS if sight.has_seats else {}
    for key, (value, why) in wanted.items():
        if general.is_yes(key) is not (value == "yes"):
            yield _finding(sight, general, key, value, f"{key} is not {value}: {why}")


def for_each_queue(sight: Sight) -> Iterator[Finding]:
    for queue in sight.sections(FILE):
        missing = [key for key in _TELLS_THE_DIALPLAN if not queue.is_yes(key)]
        if missing:
            what = ", ".join(_TELLS_THE_DIALPLAN[key] for key in missing)
            yield Finding(
                where=sight.pbx,
                says=f"queue {queue.name} does not tell the dialplan {what} ({', '.join(missing)})",
                cure=Lines(
                    file=FILE,
                    section=queue.name,
                    add=tuple(f"{key} = yes" for key in missing),
                    then=RELOAD,
                ),
            )
        if queue.get("autofill") and not queue.is_yes("autofill"):
            why = _FOR_ALL["autofill"]
            yield _finding(
                sight, queue, "autofill", "yes", f"queue {queue.name} without autofill: {why}"
            )


def as_the_plan(sight: Sight) -> Iterator[Finding]:
    """Where Zuoxi keeps the agents' states, a queue must not work against it."""
    plan = sight.plan
    if plan is None or not sight.has_seats:
        return
    present = {queue.name: queue for queue in sight.sections(FILE)}
    for planned in plan.queues:
        queue = present.get(planned.name)
        if queue is None:
            if FILE in sight.files:
                yield Finding(
                    where=sight.pbx,
                    says=f"Asterisk has no queue {planned.name}, the set-up has",
                    cure=_include("queues.conf", "zuoxi-queues.conf", RELOAD),
                )
            continue
        autopause = "all" if planned.missed_rings == 1 else "no"
        if queue.get("autopause", "no") != autopause:
            says = (
                f"queue {queue.name}: autopause is not {autopause}: who has missed a call is "
                + ("rung again" if autopause == "all" else "taken out too early")
            )
            yield _finding(sight, queue, "autopause", autopause, says)
        wrap_up = queue.get("wrapuptime", "0")
        if wrap_up.isdecimal() and int(wrap_up) > dialplan.BELT_SECONDS:
            says = f"queue {queue.name}: wrapuptime is {wrap_up}: who ends his wrap-up early gets no call"
            yield _finding(sight, queue, "wrapuptime", str(dialplan.BELT_SECONDS), says)
        if queue.is_yes("ringinuse", default=True):
            says = f"queue {queue.name}: ringinuse: a second call rings at who talks"
            yield _finding(sight, queue, "ringinuse", "no", says)


def static_seats(sight: Sight) -> Iterator[Finding]:
    """A seat that stands in a file is rung whether somebody sits there or not."""
    seats = {seat.interface for seat in sight.plan.seats} if sight.plan else set()
    for queue in sight.sections(FILE):
        lines = [value for key, value in queue.pairs if key == "member"]
        ours = [line for line in lines if line.split(",")[0].strip() in seats]
        if ours:
            yield Finding(
                where=sight.pbx,
                says=f"queue {queue.name} has seats as members in the file: they ring when nobody is "
                "signed in",
                cure=Lines(
                    file=FILE,
                    section=queue.name,
                    remove=tuple(f"member = {line}" for line in ours),
                    then=RELOAD,
                ),
            )


def local_members(sight: Sight) -> Iterator[Finding]:
    """A Local channel has no state of its own: without StateInterface its phone is never busy."""
    blind = [
        member
        for member in sight.members
        if member.interface.startswith("Local/")
        and member.state_interface in ("", member.interface)
    ]
    for member in blind:
        extension = member.interface.removeprefix("Local/").partition("@")[0]
        present = [
            f"member = {value}"
            for key, value in sight.section(FILE, member.queue).pairs
            if key == "member" and value.split(",")[0].strip() == member.interface
        ]
        yield Finding(
            where=sight.pbx,
            says=f"queue {member.queue}: the member {member.interface} has no StateInterface: a second "
            "call rings at who talks, and nobody is known by it",
            cure=Lines(
                file=FILE,
                section=member.queue,
                remove=tuple(present),
                add=(f"member = {member.interface},0,{member.name},hint:{extension}@ext-local",),
                then=RELOAD,
            ),
        )


def shared_names(sight: Sight) -> Iterator[Finding]:
    """`queue_log` knows a member's name and nothing else."""
    bearers: dict[str, set[str]] = defaultdict(set)
    for member in sight.members:
        bearers[member.name].add(member.interface)
    for name, interfaces in sorted(bearers.items()):
        if len(interfaces) > 1:
            where = ", ".join(sorted(interfaces))
            yield Finding(
                where=sight.pbx,
                says=f"{len(interfaces)} members are called {name} ({where}): what queue_log alone tells "
                "is nobody's",
                cure=f"in {FILE} give each a name of its own, for instance with the agent number: "
                f"{name} 1001",
            )


def _include(file: str, generated: str, then: str) -> Lines:
    return Lines(
        file=file,
        section="general",
        add=(f"#include {dialplan.GENERATED_FOLDER}/{generated} (at the end of the file)",),
        then=f"ZUOXI_ASTERISK_CONF must be the folder {dialplan.GENERATED_FOLDER}/ beside it; {then}",
    )


def _finding(sight: Sight, section: Section, key: str, value: str, says: str) -> Finding:
    cure = Lines(file=FILE, section=section.name, add=(f"{key} = {value}",), then=RELOAD)
    return Finding(where=sight.pbx, says=says, cure=cure)


RULES: Final[tuple[Rule, ...]] = (
    for_all,
    for_each_queue,
    as_the_plan,
    static_seats,
    local_members,
    shared_names,
)
