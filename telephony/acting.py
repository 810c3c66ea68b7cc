"""What the desk does to a call, as AMI actions: dial, hold, transfer, consult. Pure.

Each was tried on the real thing (22.10.1, `asterisk_conf/README.md`): none of them makes app_queue
write another end than the call's own. A step may be a number of seconds: Asterisk takes keys and
variables of a channel one after the other, but in a thread of the channel's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from crm_core.commands import (
    CompleteTransfer,
    ConsultCall,
    EndConsultation,
    HoldCall,
    OfOwnLeg,
    PlaceCall,
    ResumeCall,
    Target,
    TargetKind,
    TransferCall,
)
from telephony.ami.actions import (
    Action,
    Atxfer,
    BlindTransfer,
    CancelAtxfer,
    Originate,
    PlayDTMF,
    Redirect,
    Setvar,
    ShowDialPlan,
)
from telephony.dialplan import (
    HAND_OVER_CONTEXT,
    HELD_VARIABLE,
    HOLD_KEY,
    NUMBERS_CONTEXT,
    QUEUES_CONTEXT,
    SEATS_CONTEXT,
)

Step = Action | float

RING_MILLISECONDS: Final = 20_000
"""So long the own phone rings before the other side is dialled at all."""

LETS_GO_SECONDS: Final = 0.4
"""A leg that holds looks whether it still shall four times a second."""

TAKES_SECONDS: Final = 0.7
"""Until Asterisk has read the number of a consultation: 0.05 s measured."""

CONTEXTS: Final[Mapping[TargetKind, str]] = {
    TargetKind.SEAT: SEATS_CONTEXT,
    TargetKind.QUEUE: QUEUES_CONTEXT,
    TargetKind.NUMBER: NUMBERS_CONTEXT,
}
"""Never a context that somebody could choose."""

_TRANSFER_EXTEN = "TRANSFER_EXTEN"
_ANY_KEY = "A"
"""Atxfer wants keys to press; with `TRANSFER_EXTEN` nobody hears them."""


def placing(command: PlaceCall) -> Originate:
    """The own phone shows its own extension: an agent who sees masked numbers reads no other there."""
    extension = command.interface.rpartition("/")[2]
    return Originate(
        channel=command.interface,
        channel_id=command.attempt,
        context=CONTEXTS[command.to.kind],
        exten=command.to.exten,
        caller_id=extension if extension.isdecimal() else "",
        timeout=RING_MILLISECONDS,
    )


def steps(command: OfOwnLeg, channel: str) -> Sequence[Step]:
    """What to ask of Asterisk, in this order; `channel` is the name of the agent's own."""
    return _STEPS[type(command)](command, channel)


def _hold(_command: HoldCall, channel: str) -> Sequence[Step]:
    # A feature key, pressed for the agent. Redirect would take the caller out of the queue's bridge.
    return [PlayDTMF(channel=channel, digit=HOLD_KEY)]


def _resume(_command: ResumeCall, channel: str) -> Sequence[Step]:
    return [Setvar(channel=channel, variable=HELD_VARIABLE, value="no")]


def _transfer(command: TransferCall, channel: str) -> Sequence[Step]:
    context, exten = _place(command.to)
    return [
        ShowDialPlan(context=context, extension=exten),
        # Else a leg that holds would stay behind until it looks again.
        Setvar(channel=channel, variable=HELD_VARIABLE, value="no"),
        BlindTransfer(channel=channel, context=context, exten=exten),
    ]


def _consult(command: ConsultCall, channel: str) -> Sequence[Step]:
    context, exten = _place(command.to)
    first: list[Step] = []
    if command.held:
        # A leg that holds would take the keys for the wish to be taken back.
        first = [Setvar(channel=channel, variable=HELD_VARIABLE, value="no"), LETS_GO_SECONDS]
    return [
        ShowDialPlan(context=context, extension=exten),
        *first,
        Setvar(channel=channel, variable=_TRANSFER_EXTEN, value=exten),
        Atxfer(channel=channel, context=context, exten=_ANY_KEY),
        TAKES_SECONDS,
        # Else the phone's own *1 and *2 would go there too, and ask nobody.
        Setvar(channel=channel, variable=_TRANSFER_EXTEN),
    ]


def _complete(_command: CompleteTransfer, channel: str) -> Sequence[Step]:
    # As at a phone: who hangs up while he consults hands the call over, also while it still rings.
    return [Redirect(channel=channel, context=HAND_OVER_CONTEXT)]


def _end_consultation(_command: EndConsultation, channel: str) -> Sequence[Step]:
    return [CancelAtxfer(channel=channel)]


def _place(target: Target) -> tuple[str, str]:
    return CONTEXTS[target.kind], target.exten


_STEPS: Final[Mapping[type[OfOwnLeg], Callable[[Any, str], Sequence[Step]]]] = {
    HoldCall: _hold,
    ResumeCall: _resume,
    TransferCall: _transfer,
    ConsultCall: _consult,
    CompleteTransfer: _complete,
    EndConsultation: _end_consultation,
}
ACTS: Final = tuple(_STEPS)
