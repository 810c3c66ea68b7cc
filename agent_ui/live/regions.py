"""Which pieces of the desk an event touches, and which template draws each: two tables.

A region is a named piece of a page: one element id, one value of `desk.view`, one template. The page
includes it, the socket sends the same template again in a frame `{type: "region", id, html}`.
Whose desk is touched, the hub knows (agent, queue, PBX of the event); this file knows only which
regions of that desk.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from crm_core.events import (
    AgentSignedIn,
    AgentSignedOut,
    AgentState,
    AgentStateChanged,
    CallAnswered,
    CallEnded,
    CallHeld,
    CallJoined,
    CallLeftQueue,
    CallOffered,
    CallPlaced,
    CallQueued,
    CallResumed,
    ContactRecorded,
    ConversationEnded,
    CustomerChanged,
    DeviceSeen,
    Event,
    LinkChanged,
    NextStateChosen,
    OfferEnded,
    TransferBegan,
    TransferEnded,
)
from crm_core.quick_dataclass import dataclass


class Region(StrEnum):
    """The pieces of the desk; the value is the element's id."""

    CONNECTION = "connection"
    AGENT_STATE = "agent-state"
    QUEUE_CHIPS = "queue-chips"
    CALL_BAR = "call-bar"
    SCREEN_POPS = "screen-pops"
    CARDS = "cards"
    """Who and what, one card per call."""
    MY_CALLS = "my-calls"
    DEMO_PHONE = "demo-phone"
    """Only at a desk whose PBX is the demonstration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How a region is drawn: `render(template, language, **{variable: value})`."""

    template: str
    variable: str


DRAWINGS: Mapping[Region, Drawing] = {
    Region.CONNECTION: Drawing(template="desk/connection.html", variable="connection"),
    Region.AGENT_STATE: Drawing(template="desk/agent_state.html", variable="badge"),
    Region.QUEUE_CHIPS: Drawing(template="desk/queue_chips.html", variable="chips"),
    Region.CALL_BAR: Drawing(template="desk/call_bar.html", variable="bars"),
    Region.SCREEN_POPS: Drawing(template="desk/screen_pops.html", variable="pops"),
    Region.CARDS: Drawing(template="desk/cards.html", variable="cards"),
    Region.MY_CALLS: Drawing(template="desk/my_calls.html", variable="day"),
    Region.DEMO_PHONE: Drawing(template="desk/demo_phone.html", variable="phone"),
}
"""`variable` is the name of the value in the template, and of the field of `DeskPage`."""

EVERY_REGION = frozenset(Region)

R = Region

REGIONS: Mapping[type[Event], frozenset[Region]] = {
    CallQueued: frozenset({R.QUEUE_CHIPS}),
    CallLeftQueue: frozenset({R.QUEUE_CHIPS}),
    CallOffered: frozenset({R.SCREEN_POPS, R.AGENT_STATE, R.DEMO_PHONE}),
    OfferEnded: frozenset({R.SCREEN_POPS, R.AGENT_STATE, R.MY_CALLS, R.DEMO_PHONE}),
    CallPlaced: frozenset({R.CALL_BAR, R.CARDS, R.AGENT_STATE, R.DEMO_PHONE}),
    CallAnswered: EVERY_REGION - {R.CONNECTION},
    ConversationEnded: frozenset({R.CALL_BAR, R.CARDS, R.AGENT_STATE, R.MY_CALLS, R.DEMO_PHONE}),
    CallHeld: frozenset({R.CALL_BAR}),
    CallResumed: frozenset({R.CALL_BAR}),
    # Somebody's call is a part of another one now: bar and card are that one's.
    CallJoined: frozenset({R.CALL_BAR, R.CARDS, R.SCREEN_POPS}),
    TransferBegan: frozenset({R.CALL_BAR, R.SCREEN_POPS}),
    TransferEnded: frozenset({R.CALL_BAR, R.SCREEN_POPS}),
    CallEnded: EVERY_REGION - {R.CONNECTION},
    ContactRecorded: frozenset({R.CALL_BAR, R.CARDS, R.MY_CALLS}),
    CustomerChanged: frozenset({R.CARDS, R.CALL_BAR}),
    AgentSignedIn: EVERY_REGION,
    AgentSignedOut: EVERY_REGION,
    # The card says whether its wrap-up runs.
    AgentStateChanged: frozenset({R.AGENT_STATE, R.CARDS}),
    NextStateChosen: frozenset({R.AGENT_STATE}),
    DeviceSeen: frozenset({R.CONNECTION}),
    # Everything on the desk that Asterisk told becomes *unknown*, or is believed again.
    LinkChanged: EVERY_REGION,
}


def regions_changed_by(event: Event) -> frozenset[Region]:
    """The regions of a touched desk that must be drawn again; empty for events no desk shows."""
    if isinstance(event, AgentStateChanged) and event.state is AgentState.RINGING:
        return frozenset({R.AGENT_STATE})  # a ring is no reason to draw what somebody types in
    return REGIONS.get(type(event), frozenset())
