"""A supervisor's phone that hears one channel: an Originate into a context of ours, and nothing else.

The phone's channel has an id of our choosing, by which the tracker knows that it is nobody's call; a
second Originate with the same id is refused by Asterisk, so doing it twice rings once.
"""

from __future__ import annotations

from crm_core.commands import ListenTo
from telephony.ami.actions import Action, Originate
from telephony.calls.channels import LISTENER
from telephony.dialplan import LISTEN_CONTEXT, LISTEN_VARIABLE

RING_MILLISECONDS = 20_000


def listen(command: ListenTo) -> list[Action]:
    """What makes the phone hear this leg."""
    return [
        Originate(
            channel=command.interface,
            channel_id=f"{LISTENER}{command.listener}",
            context=LISTEN_CONTEXT,
            exten="s",
            timeout=RING_MILLISECONDS,
            variable=f"{LISTEN_VARIABLE}={command.leg}",
        )
    ]
