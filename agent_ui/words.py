"""The words for what code calls by a name: states, outcomes, results, with their icons. Tables only.

The message ids are English; `locale/` holds both languages. A state is colour, icon and word, always:
the colour is in `static/css/tokens.css` under the state's value.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent_ui.auth_view import DeviceProblem, PasswordProblem, SetUpProblem, SignInProblem
from agent_ui.desk.who import Recognised
from agent_ui.live_queues.view import Level
from crm_core.access.person_problems import PersonProblem
from crm_core.call_log.reconcile import Kind, Reason
from crm_core.call_log.records import Confidence
from crm_core.events import (
    AgentState,
    AttemptResult,
    Direction,
    EndedBy,
    LinkState,
    Outcome,
    TransferKind,
    TransferResult,
)
from crm_core.quick_dataclass import dataclass
from crm_core.recordings.records import RecordingState


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

RECORDINGS: Mapping[RecordingState, str] = {
    RecordingState.RECORDING: N_("It can be heard a moment after the call is over."),
    RecordingState.COMPLETE: N_("Recorded"),
    RecordingState.MISSING: N_("The file is missing, or lies where this machine cannot reach it."),
    RecordingState.DELETED: N_("Deleted: it was kept as long as the project says."),
}
"""Why a recording cannot be heard."""

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

TRANSFERS: Mapping[TransferKind, Word] = {
    TransferKind.BLIND: Word(text=N_("Blind transfer"), icon="arrow-forward-up"),
    TransferKind.ATTENDED: Word(text=N_("Attended transfer"), icon="users"),
    TransferKind.PICKUP: Word(text=N_("Picked up"), icon="phone-incoming"),
}

TRANSFER_RESULTS: Mapping[TransferResult, Word] = {
    TransferResult.SUCCEEDED: Word(text=N_("Succeeded"), icon="check"),
    TransferResult.FAILED: Word(text=N_("Failed"), icon="phone-x"),
    TransferResult.ABANDONED: Word(text=N_("Caller gone"), icon="phone-x"),
    TransferResult.RETURNED: Word(text=N_("Came back"), icon="history"),
}

ENDED_BY: Mapping[EndedBy, str] = {
    EndedBy.CALLER: N_("ended by the caller"),
    EndedBy.AGENT: N_("ended by the agent"),
    EndedBy.TRANSFER: N_("ended by a transfer"),
    EndedBy.UNKNOWN: N_("ended, not known by whom"),
}

CONFIDENCES: Mapping[Confidence, str] = {
    Confidence.COMPLETE: N_("Seen whole by both feeds"),
    Confidence.AMI_ONLY: N_("Seen live, not confirmed by the queue log: its outcome is not sure"),
    Confidence.QUEUE_LOG_ONLY: N_(
        "Known from the queue log only: whole seconds, no legs, no holds"
    ),
    Confidence.GAP: N_("A part of it was not seen: times may be missing, nothing is guessed"),
}

CONFIDENCE_BADGES: Mapping[Confidence, Word] = {
    Confidence.COMPLETE: Word(text=N_("Whole"), icon="check"),
    Confidence.AMI_ONLY: Word(text=N_("AMI only"), icon="alert-triangle"),
    Confidence.QUEUE_LOG_ONLY: Word(text=N_("Queue log only"), icon="file-text"),
    Confidence.GAP: Word(text=N_("With a gap"), icon="plug-x"),
}
"""How a call is known, in a word or two; `CONFIDENCES` says it in a sentence."""

DIFFERENCES: Mapping[Kind, str] = {
    Kind.MISSING: N_("Missing in the call table"),
    Kind.EXTRA: N_("Not in the queue log"),
    Kind.QUEUE: N_("Queue"),
    Kind.AGENT: N_("Agent"),
    Kind.OUTCOME: N_("Outcome"),
    Kind.WAIT: N_("Waited"),
    Kind.TALK: N_("Talked"),
}

REASONS: Mapping[Reason, str] = {
    Reason.NOT_RECORDED_THEN: N_("not recorded then"),
    Reason.OPEN: N_("the queue log does not reach its end"),
    Reason.TORN_ROW: N_("the queue log is damaged there: not counted"),
    Reason.GAP: N_("Asterisk was not heard then"),
    Reason.SECOND_CUT: N_("a second, cut off by the queue log"),
    Reason.UNEXPLAINED: N_("nothing explains it"),
}

GAP_REASONS = (N_("the link to Asterisk was away"),)
"""Reasons of gaps that pages translate; others are shown as they are."""

PAUSES_BY_RULE: Mapping[str, str] = {
    "outside": N_("Paused elsewhere"),
    "wrap_up_overdue": N_("Wrap-up overdue"),
}
"""Reasons that nobody chooses, so that no table has words for them."""

PAUSE_ICONS: Mapping[str, str] = {
    "meal": "tools-kitchen",
    "training": "school",
    "meeting": "users",
    "outside": "device-landline-phone",
}
"""Icons of the reasons that come with the product; a site's own have the cup."""


STATE_LEVELS: Mapping[AgentState, tuple[int, int]] = {
    AgentState.RINGING: (15, 30),
    AgentState.TALKING: (600, 1_200),
    AgentState.ON_HOLD: (60, 180),
    AgentState.PAUSED: (900, 1_800),
    AgentState.MISSED: (30, 60),
}
"""Seconds after which a stopwatch of the live queues is in amber, and says so in a word."""

LEVELS: Mapping[Level, str] = {
    Level.CALM: N_("No wait over 20 s"),
    Level.WARN: N_("Waits over 20 s"),
    Level.BREACH: N_("Waits over 1 min"),
}
"""How long somebody has waited."""


def pause_label(reason: str) -> str:
    """A reason in words: the site's own, or the message id of a rule's."""
    return PAUSES_BY_RULE.get(reason, reason)


PHONE_LINKS: Mapping[bool | None, Word] = {
    True: Word(text=N_("Phone OK"), icon="device-landline-phone"),
    False: Word(text=N_("Phone not connected"), icon="phone-off"),
    None: Word(text=N_("Phone unknown"), icon="device-landline-phone"),
}
"""The own phone, as Asterisk sees it."""

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
    PasswordProblem.TOO_MANY: N_("Too many attempts. Wait a while, then try again."),
    PasswordProblem.SHORT: N_("The new password is too short."),
    PasswordProblem.WEAK: N_("The new password is one of those that are guessed first."),
    PasswordProblem.DIFFERENT: N_("The two new passwords differ."),
    PasswordProblem.SAME: N_("The new password is the present one. Choose another."),
}

SET_UP_PROBLEMS: Mapping[SetUpProblem, str] = {
    SetUpProblem.NAME: N_("A sign-in name has 1 to 64 letters, digits, dots, hyphens or @."),
    SetUpProblem.WEAK: N_("The password is too short, or one of those that are guessed first."),
    SetUpProblem.DIFFERENT: N_("The two passwords differ."),
}

ROLES: Mapping[str, str] = {
    "agent": N_("Agent"),
    "outbound_caller": N_("Outbound caller"),
    "supervisor": N_("Supervisor"),
    "admin": N_("Administrator"),
}
"""The roles that ship; one of the site's own is called by its name."""

PERSON_PROBLEMS: Mapping[PersonProblem, str] = {
    PersonProblem.NAME_FORM: N_("A sign-in name has 1 to 64 letters, digits, dots, hyphens or @."),
    PersonProblem.NAME_TAKEN: N_("Somebody has this sign-in name already."),
    PersonProblem.FULL_NAME_EMPTY: N_("Enter the name, without line breaks."),
    PersonProblem.FULL_NAME_LONG: N_("The name has at most 128 characters."),
    PersonProblem.NUMBER_FORM: N_("An agent number has 1 to 16 digits or Latin letters."),
    PersonProblem.NUMBER_TAKEN: N_("This agent number is that of %(who)s."),
    PersonProblem.NUMBER_FIXED: N_("Calls are credited to agent number %(who)s: it stays."),
    PersonProblem.NUMBER_NEEDED: N_("Who takes calls of a queue needs an agent number."),
    PersonProblem.ROLE_NEEDED: N_("Choose at least one role."),
    PersonProblem.ROLE_UNKNOWN: N_("There is no such role any more. Choose again."),
    PersonProblem.LAST_ADMINISTRATOR: N_(
        "This is the last administrator: make somebody else one first."
    ),
    PersonProblem.TEAM_UNKNOWN: N_("There is no such team any more. Choose again."),
    PersonProblem.QUEUE_UNKNOWN: N_("There is no such queue any more. Choose again."),
    PersonProblem.SEAT_UNKNOWN: N_("There is no such extension any more. Choose again."),
}

DEVICE_PROBLEMS: Mapping[DeviceProblem, str] = {
    DeviceProblem.TAKEN: N_("Somebody else has just taken this extension. Choose another."),
    DeviceProblem.BUSY: N_("Its phone is in a call just now. Wait until that is over."),
    DeviceProblem.UNKNOWN: N_("There is no such extension. Choose one of these."),
    DeviceProblem.NO_LINK: N_(
        "The PBX is not reachable, so the queues cannot be joined. Try again in a moment."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """What an error page says: what it is, and what to do, a line each."""

    title: str
    icon: str
    advice: tuple[str, ...]


MISHAPS: Mapping[int, Mishap] = {
    403: Mishap(
        title=N_("Not allowed"),
        icon="lock",
        advice=(
            N_("Your roles do not allow this."),
            N_("If you need it, ask an administrator to give you the role."),
        ),
    ),
    404: Mishap(
        title=N_("Not found"),
        icon="search",
        advice=(
            N_("There is no such page or entry, or you may not see it."),
            N_("If you followed a link, it may be old: look the entry up from the list."),
        ),
    ),
    409: Mishap(
        title=N_("Somebody was faster"),
        icon="refresh",
        advice=(N_("Go back, load the page again to see how it stands now, then decide anew."),),
    ),
    422: Mishap(
        title=N_("Something is missing or invalid"),
        icon="alert-triangle",
        advice=(N_("Go back, correct what you entered and send it again."),),
    ),
    429: Mishap(
        title=N_("Too many attempts"),
        icon="clock",
        advice=(N_("Wait a minute, then try again."),),
    ),
    500: Mishap(
        title=N_("Something broke on our side"),
        icon="alert-triangle",
        advice=(
            N_("Calls go on at the phones."),
            N_("Try again. If it happens once more, tell an administrator the number below."),
        ),
    ),
    503: Mishap(
        title=N_("Not reachable just now"),
        icon="plug-x",
        advice=(
            N_("A part that this page needs is away. Calls go on at the phones."),
            N_("Try again in a moment."),
        ),
    ),
}
