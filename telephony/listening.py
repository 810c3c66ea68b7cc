"""A supervisor's phone that hears one channel: an Originate into a context of ours, and nothing else.

The phone's channel has an id of our choosing, by which the tracker knows that it is nobody's call; a
second Originate with the same id is refused by Asterisk, so doing it twice rings once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from crm_core.commands import ListenTo
from telephony.ami.actions import Action
from telephony.calls.channels import LISTENER
from telephony.dialplan import LISTEN_CONTEXT, LISTEN_VARIABLE

RING_MILLISECONDS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Originate(Action):
    """Ring `channel`; who answers is sent to step 1 of `s` in a context. Answered at once (`Async`)."""

    channel: str
    context: str
    variable: str
    channel_id: str
    exten: str = "s"
    priority: int = 1
    timeout: int = RING_MILLISECONDS
    asynchronous: bool = True
    HEADERS: ClassVar[dict[str, tuple[str, str]]] = {
        "channel": ("Channel", "channel"),
        "context": ("Context", "context"),
        "variable": ("Variable", "spied"),
        "channel_id": ("ChannelId", "listener"),
        "exten": ("Exten", "exten"),
        "priority": ("Priority", "count"),
        "timeout": ("Timeout", "count"),
        "asynchronous": ("Async", "claim"),
    }


def listen(command: ListenTo) -> list[Action]:
    """What makes the phone hear this leg."""
    return [
        Originate(
            channel=command.interface,
            context=LISTEN_CONTEXT,
            variable=f"{LISTEN_VARIABLE}={command.leg}",
            channel_id=f"{LISTENER}{command.listener}",
        )
    ]
