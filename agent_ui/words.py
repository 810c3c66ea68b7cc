"""The words for what code calls by a name: states, outcomes, results, with their icons. Tables only.

The message ids are English; `locale/` holds both languages. A state is colour, icon and word, always:
the colour is in `static/css/tokens.css` under the state's value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent_ui.auth_view import DeviceProblem, PasswordProblem, SignInProblem
from agent_ui.desk.view import Recognised
from crm_core.call_log.records import Confidence
from crm_core.events import AgentState, AttemptResult, Direction, EndedBy, LinkState, Outcome


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for "translate later"
    """Mark a message for extraction; the template translates it."""
    return message


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A message id and the icon that stands with it."""

    text: str
    icon: str


STATES: Mapping[AgentState, Word] = {
    AgentState.OFFLINE: Word(text=N_("Offline"), icon="circle-dashed"),
    AgentState.READY: Word(text=N_("Ready"), icon="circle-check"),
    AgentState.RINGING: Word(text=N_("Ringing"), icon="phone-incoming"),
    AgentState.TALKING: Word(text=N_("Talking"), icon="phone-call"),
    AgentState.ON_HOLD: Word(text=N_("On hold"), icon="player-pause"),
    AgentState.WRAP_UP: Word(text=N_("Wrap-up"), icon="pencil"),
    AgentState.PAUSED: Word(text=N_("Paused"), icon="coffee"),
    AgentState.MISSED: Word(text=N_("Missed"), icon="phone-x"),
    AgentState.UNKNOWN: Word(text=N_("State unknown"), icon="plug-x"),
}

DIRECTIONS: Mapping[Direction, Word] = {
    Direction.INBOUND: Word(text=N_("Inbound"), icon="phone-incoming"),
    Direction.OUTBOUND: Word(text=N_("Outbound"), icon="phone-outgoing"),
    Direction.INTERNAL: Word(text=N_("Internal"), icon="device-landline-phone"),
}

OUTCOMES: Mapping[Outcome, Word] = {
    Outcome.ANSWERED: Word(text=N_("Answered"), icon="phone-call"),
    Outcome.ABANDONED: Word(text=N_("Abandoned"), icon="phone-x"),
    Outcome.TIMEOUT: Word(text=N_("Waited too long"), icon="clock"),
    Outcome.EXIT_EMPTY: Word(text=N_("Queue became empty"), icon="users"),
    Outcome.EXIT_KEY: Word(text=N_("Left by a key"), icon="arrow-forward-up"),
    Outcome.FULL: Word(text=N_("Queue full"), icon="users"),
    Outcome.JOIN_EMPTY: Word(text=N_("Nobody signed in"), icon="users"),
    Outcome.WITHDRAWN: Word(text=N_("Taken out"), icon="arrow-forward-up"),
    Outcome.AGENT_DUMP: Word(text=N_("Refused by the agent"), icon="phone-off"),
    Outcome.CONTINUED: Word(text=N_("Continued elsewhere"), icon="arrow-forward-up"),
    Outcome.UNKNOWN_END: Word(text=N_("End not seen"), icon="plug-x"),
}

RESULTS: Mapping[AttemptResult, Word] = {
    AttemptResult.ANSWERED: Word(text=N_("Answered"), icon="phone-call"),
    AttemptResult.NO_ANSWER: Word(text=N_("No answer"), icon="phone-x"),
    AttemptResult.REFUSED: Word(text=N_("Refused"), icon="phone-off"),
    AttemptResult.ELSEWHERE: Word(text=N_("Answered elsewhere"), icon="arrow-forward-up"),
    AttemptResult.GONE: Word(text=N_("Caller gone"), icon="phone-x"),
}

ENDED_BY: Mapping[EndedBy, str] = {
    EndedBy.CALLER: N_("ended by the caller"),
    EndedBy.AGENT: N_("ended by the agent"),
    EndedBy.TRANSFER: N_("ended by a transfer"),
    EndedBy.UNKNOWN: N_("ended, not known by whom"),
}

CONFIDENCES: Mapping[Confidence, str] = {
    Confidence.COMPLETE: N_("Seen whole by both feeds"),
    Confidence.AMI_ONLY: N_("Not confirmed by the queue log"),
    Confidence.QUEUE_LOG_ONLY: N_("Known from the queue log only"),
    Confidence.GAP: N_("A part of it was not seen"),
}

PHONES: Mapping[AgentState, str] = {
    AgentState.READY: N_("On the hook"),
    AgentState.RINGING: N_("It rings: lift it"),
    AgentState.TALKING: N_("Off the hook"),
}
"""What the drawn phone of the demonstration does."""

CALLERS: Mapping[Recognised, str] = {
    Recognised.KNOWN: N_("Customer without a name"),
    Recognised.SEVERAL: N_("Several customers with this number"),
    Recognised.UNKNOWN: N_("Unknown caller"),
    Recognised.HIDDEN: N_("Withheld number"),
}
"""What stands where a name would."""

LINKS: Mapping[LinkState, Word] = {
    LinkState.UP: Word(text=N_("PBX OK"), icon="plug-connected"),
    LinkState.DOWN: Word(text=N_("PBX not reachable"), icon="plug-x"),
    LinkState.REFUSED: Word(text=N_("PBX refuses the sign-in"), icon="lock"),
}

SIGN_IN_PROBLEMS: Mapping[SignInProblem, str] = {
    SignInProblem.WRONG: N_("Name or password is wrong."),
    SignInProblem.TOO_MANY: N_("Too many attempts. Wait a minute, then try again."),
    SignInProblem.DISABLED: N_("This account is disabled. Ask an administrator."),
    SignInProblem.ENDED: N_("Your session has ended. Sign in again."),
}

PASSWORD_PROBLEMS: Mapping[PasswordProblem, str] = {
    PasswordProblem.WRONG: N_("The present password is wrong."),
    PasswordProblem.SHORT: N_("The new password is too short."),
    PasswordProblem.DIFFERENT: N_("The two new passwords differ."),
    PasswordProblem.SAME: N_("The new password is the present one. Choose another."),
}

DEVICE_PROBLEMS: Mapping[DeviceProblem, str] = {
    DeviceProblem.TAKEN: N_("Somebody else has just taken this extension. Choose another."),
    DeviceProblem.UNKNOWN: N_("There is no such extension. Choose one of these."),
    DeviceProblem.NO_LINK: N_(
        "The PBX is not reachable, so the queues cannot be joined. Try again in a moment."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """What an error page says: what it is, and what to do."""

    title: str
    advice: str


MISHAPS: Mapping[int, Mishap] = {
    403: Mishap(
        title=N_("Not allowed"),
        advice=N_("Your roles do not allow this. If you need it, ask an administrator."),
    ),
    404: Mishap(
        title=N_("Not found"),
        advice=N_("There is no such page or entry, or you may not see it."),
    ),
    409: Mishap(
        title=N_("Somebody was faster"),
        advice=N_("Look at the present state and try again."),
    ),
    422: Mishap(
        title=N_("Something is missing or invalid"),
        advice=N_("Go back, correct what you entered and send it again."),
    ),
    429: Mishap(
        title=N_("Too many attempts"),
        advice=N_("Wait a minute, then try again."),
    ),
    500: Mishap(
        title=N_("Something broke on our side"),
        advice=N_("It has been recorded. Calls go on; try again, or tell an administrator."),
    ),
    503: Mishap(
        title=N_("Not reachable just now"),
        advice=N_("A part that this page needs is away. Calls go on; try again in a moment."),
    ),
}
