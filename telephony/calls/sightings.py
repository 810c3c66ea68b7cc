"""Which living call a message is about, by the channels that it shows. Pure."""

from __future__ import annotations

from datetime import datetime

from telephony.ami import messages as ami
from telephony.calls.book import CallBook
from telephony.calls.call import Call
from telephony.calls.channels import Channel
from telephony.calls.moves import Moves


class Sightings:
    """A call is opened where its first channel is seen, in whatever message that is."""

    def __init__(self, book: CallBook, moves: Moves) -> None:
        self._book, self._moves = book, moves

    def call_of(self, message: ami.ShowsChannel) -> Call | None:
        """The living call of a message that begins with a channel's snapshot."""
        call = self._book.of_channel(message.unique_id)
        if call is None or message.unique_id not in call.channels:
            if not message.unique_id or not message.channel:
                return None
            channel = Channel(
                unique_id=message.unique_id,
                linked_id=message.linked_id or message.unique_id,
                name=message.channel,
                started_at=message.at,
                exten=message.exten,
            )
            call = self._book.put(
                channel,
                context=message.context,
                caller_number=message.caller_id_num,
                caller_name=message.caller_id_name,
                at_is_receipt=message.at_is_receipt,
            )
            if call is not None and call.held and not channel.is_leg:
                self._moves.consults(message.at, call, channel)
        return seen(call, message.at)

    def dialled(self, message: ami.ShowsTwoChannels, call: Call) -> None:
        """The channel that is rung, where its Newchannel was not seen."""
        unique_id = message.dest_unique_id
        if not unique_id or not message.dest_channel or self._book.call_of(unique_id) is not None:
            return
        channel = Channel(
            unique_id=unique_id,
            linked_id=message.dest_linked_id or call.unique_id,
            name=message.dest_channel,
            started_at=message.at,
        )
        self._book.put(channel, context=message.dest_context)


def seen(call: Call | None, at: datetime) -> Call | None:
    """It lived at that moment."""
    if call is not None and at > call.last_seen_at:
        call.last_seen_at = at
    return call
