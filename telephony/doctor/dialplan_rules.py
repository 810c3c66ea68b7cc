"""Rules about the way of a call: contexts, modules, who is taken for whom. Pure.

Judged is the dialplan that is loaded, whatever files it came from. A site with a dialplan of its own is
told only what its calls need; where that of `asterisk_conf/` is loaded, all of it has to be there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from crm_core.findings import Finding, Lines
from telephony import dialplan
from telephony.doctor.sight import Rule, Section, Sight, Step

FILE: Final = "extensions.conf"
RELOAD: Final = "asterisk -rx 'dialplan reload'"
RESTART: Final = "restart Asterisk"

TURNED_AWAY: Final = (
    'ExecIf($["${QUEUESTATUS}" = "FULL" | "${QUEUESTATUS}" = "JOINEMPTY" | "${QUEUESTATUS}" = '
    '"JOINUNAVAIL"]?QueueLog(%s,${CHANNEL(uniqueid)},NONE,'
    + dialplan.LEFT_ROW
    + ",${QUEUESTATUS}))"
)
"""The step after `Queue()` that writes the row which app_queue does not."""

_OURS: Final = (
    dialplan.INBOUND_CONTEXT,
    dialplan.QUEUE_ROUTINE,
    dialplan.DIAL_ROUTINE,
    dialplan.ENDED_ROUTINE,
    dialplan.DOOR_ROUTINE,
    dialplan.FIRST_ROUTINE,
)

_MODULES: Final[Mapping[str, str]] = {
    "app_queue": "there are no queues",
}
_OUR_MODULES: Final[Mapping[str, str]] = {
    "app_stack": "calls end at the first Gosub",
    "app_dial": "no phone rings without a queue",
    "app_exec": "what a queue turns away has no row",
    "func_callerid": "a caller's number is not filtered",
    "func_strings": "a caller's number and name are not filtered",
    "func_logic": "a caller's name is not filtered",
    "func_channel": "calls without a queue have no rows",
    "func_timeout": "a call waits at the door for as long as Zuoxi is silent",
    "func_devstate": "nobody's phone rings before the queue does",
    "res_agi": "no call asks at the door: no priorities, no last agent",
    "res_pjsip_caller_id": "calls have no caller number",
    "res_pjsip_authenticator_digest": "nobody who calls as a phone is asked for a password",
    "res_pjsip_endpoint_identifier_ip": "the carrier is not told from a phone",
    "res_pjsip_refer": "phones cannot transfer",
    "bridge_builtin_features": "*1 and *2 transfer nothing",
    "res_musiconhold": "waiting callers hear nothing",
}


def our_contexts(sight: Sight) -> Iterator[Finding]:
    if not sight.includes_ours:
        return
    for context in _OURS:
        if context not in sight.contexts:
            yield Finding(
                where=sight.pbx,
                says=f"the dialplan has no context {context}",
                cure=f"copy the section [{context}] of asterisk_conf/{FILE} into {FILE}; {RELOAD}",
            )


def hang_up(sight: Sight) -> Iterator[Finding]:
    """Needed wherever somebody presses the desk's button."""
    wanted = sight.includes_ours or sight.has_seats
    if wanted and dialplan.HANG_UP_CONTEXT not in sight.contexts:
        yield Finding(
            where=sight.pbx,
            says="what an agent hangs up on the desk stands in queue_log as the caller's hang-up",
            cure=Lines(
                file=FILE,
                section=dialplan.HANG_UP_CONTEXT,
                add=("exten => s,1,Hangup()",),
                then=RELOAD,
            ),
        )


def numbers(sight: Sight) -> Iterator[Finding]:
    """Hotlines and seats of the set-up that the loaded dialplan does not know."""
    if sight.plan is None or not sight.includes_ours:
        return
    known = {(step.context, step.exten): step.data for step in sight.steps}
    lost = [
        f"hotline {line.number}"
        for line in sight.plan.hotlines
        if f"({line.queue}," not in known.get((dialplan.HOTLINES_CONTEXT, line.number), "")
    ]
    lost += [
        f"seat {seat.extension}"
        for seat in sight.plan.seats
        if (dialplan.SEATS_CONTEXT, seat.extension) not in known
    ]
    if lost:
        more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
        yield Finding(
            where=sight.pbx,
            says=f"Asterisk does not know {', '.join(lost[:5])}{more}, or leads it elsewhere",
            cure=Lines(
                file=FILE,
                section="general",
                add=(
                    f"#include {dialplan.GENERATED_FOLDER}/zuoxi-extensions.conf (at the end of the file)",
                ),
                then=f"ZUOXI_ASTERISK_CONF must be the folder {dialplan.GENERATED_FOLDER}/ beside it; "
                f"start Zuoxi, {RELOAD}",
            ),
        )


def turned_away(sight: Sight) -> Iterator[Finding]:
    """A full queue, or one that nobody may enter, writes no row: the dialplan must."""
    queues = {each.name: each for each in sight.sections("queues.conf")}
    for place, step in enumerate(sight.steps):
        name = step.data.partition(",")[0]
        if step.application != "Queue" or not _turns_away(queues.get(name)):
            continue
        after = _rest_of(sight.steps[place + 1 :], step)
        if not any(dialplan.LEFT_ROW in each.data for each in after):
            yield Finding(
                where=sight.pbx,
                says=f"whom queue {name} turns away (full, or nobody there) is in no book: nothing "
                f"follows Queue() at {step.context},{step.exten}",
                cure=Lines(
                    file=FILE,
                    section=step.context,
                    add=(f"same => n,{TURNED_AWAY % name} (after Queue of {step.exten})",),
                    then=RELOAD,
                ),
            )


def _turns_away(queue: Section | None) -> bool:
    if queue is None:
        return False
    limited = queue.get("maxlen", "0") not in ("", "0")
    return limited or queue.get("joinempty", "yes") not in ("yes", "")


def _rest_of(steps: tuple[Step, ...], of: Step) -> Iterator[Step]:
    for step in steps:
        if (step.context, step.exten) != (of.context, of.exten):
            return
        yield step


def modules(sight: Sight) -> Iterator[Finding]:
    wanted = {**_MODULES, **(_OUR_MODULES if sight.includes_ours else {})}
    for module, why in wanted.items():
        if sight.modules.get(module) is False:
            yield Finding(
                where=sight.pbx,
                says=f"the module {module} is not loaded: {why}",
                cure=Lines(
                    file="modules.conf",
                    section="modules",
                    add=(f"load = {module}.so",),
                    then=f"asterisk -rx 'module load {module}.so'",
                ),
            )


def who_calls(sight: Sight) -> Iterator[Finding]:
    """A caller chooses his number: with `username` first he is taken for the phone of that number."""
    section = sight.section("pjsip.conf", "global")
    order = [each.strip() for each in section.get("endpoint_identifier_order").split(",") if each]
    if "username" not in order:
        return
    if "ip" not in order or order.index("username") < order.index("ip"):
        right = [*(each for each in order if each == "header"), "ip", "username"]
        right += [each for each in order if each not in right]
        yield Finding(
            where=sight.pbx,
            says="a caller whose number is an extension is taken for that phone (toll fraud): "
            "endpoint_identifier_order",
            cure=Lines(
                file="pjsip.conf",
                section="global",
                add=(f"endpoint_identifier_order = {','.join(right)}",),
                then=RESTART,
            ),
        )


def dangerous(sight: Sight) -> Iterator[Finding]:
    options = sight.section("asterisk.conf", "options")
    if options.is_yes("live_dangerously"):
        yield Finding(
            where=sight.pbx,
            says="live_dangerously: who may set a variable over AMI can run programs on this machine",
            cure=Lines(
                file="asterisk.conf",
                section="options",
                add=("live_dangerously = no",),
                then=RESTART,
            ),
        )


def system_name(sight: Sight) -> Iterator[Finding]:
    if sight.includes_ours and not sight.system_name:
        yield Finding(
            where=sight.pbx,
            says="Asterisk has no systemname: Uniqueids of two PBXs are alike, and events bear no name",
            cure=Lines(
                file="asterisk.conf",
                section="options",
                add=("systemname = a word of letters and digits that nobody guesses",),
                then=RESTART,
            ),
        )


RULES: Final[tuple[Rule, ...]] = (
    our_contexts,
    hang_up,
    numbers,
    turned_away,
    modules,
    who_calls,
    dangerous,
    system_name,
)

ASKED_MODULES: Final = (*_MODULES, *_OUR_MODULES)
