"""The frames of the socket, described as JSON Schema: OpenAPI itself has no sockets.

They stand in `components/schemas`, `Frame` being any of them, and on the page `/docs`. A test holds
every frame that a working centre sends against this.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from crm_core.events import AgentState, AttemptResult, Direction, LinkState, Outcome

Schema = dict[str, Any]


def _of(kind: str, what: str = "", *, null: bool = False, **more: Any) -> Schema:
    found: Schema = {"type": [kind, "null"] if null else kind, **more}
    return {**found, "description": what} if what else found


def _text(what: str = "", *, null: bool = False) -> Schema:
    return _of("string", what, null=null)


def _whole(what: str = "", *, null: bool = False) -> Schema:
    return _of("integer", what, null=null)


def _claim(what: str) -> Schema:
    return _of("boolean", what)


def _moment(what: str = "", *, null: bool = False) -> Schema:
    return _of("string", what, null=null, format="date-time")


def _one_of(words: type[StrEnum], what: str = "", *, null: bool = False) -> Schema:
    values: list[str | None] = [word.value for word in words]
    return _of("string", what, null=null, enum=[*values, None] if null else values)


def _list(of: Schema, what: str = "") -> Schema:
    return _of("array", what, items=of)


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _or_null(name: str, what: str) -> Schema:
    return {"anyOf": [_ref(name), {"type": "null"}], "description": what}


def _object(what: str, **fields: Schema) -> Schema:
    return {
        "type": "object",
        "description": what,
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


_CALL = {
    "call_id": _text("The call, for good."),
    "aliases": _list(_text(), "Ids of calls that were joined to this one."),
    "pbx": _text(),
    "direction": _one_of(Direction),
    "project": _text(null=True),
    "called_number": _text(null=True),
    "caller_number": _text("E.164 where possible; masked unless the role reveals.", null=True),
    "caller_number_raw": _text("As the trunk wrote it; masked alike.", null=True),
    "caller_name": _text("As the PBX sent it: hostile text.", null=True),
    "started_at": _moment(),
}

_POP = {
    "call": _ref("LiveCall"),
    "customer": {
        "type": ["object", "null"],
        "description": "The caller's file, where one alone has the number.",
    },
    "customers": _list(_of("object"), "All files with this number, as the role may read them."),
    "agent": _or_null("Agent", "Where it rings."),
    "attempt": _whole("The how-manieth ring of this call."),
    "offered_at": _moment(),
    "queue": _text(null=True),
    "queue_title": _text(null=True),
    "hotline": _or_null("HotlineSpoken", "What the caller dialled."),
    "repeat": _or_null(
        "RepeatCall", "The answered call that this one repeats, by the site's rule."
    ),
    "last_contacts": _list(_ref("LastContact")),
    "looked_up": _claim("false: the customer could not be looked up (the database is away)."),
}

_QUEUE = {
    "pbx": _text(),
    "queue": _text(),
    "title": _text(),
    "waiting": _whole("Callers who wait."),
    "longest_since": _moment("When the first of them entered.", null=True),
    "members": _whole("Phones in the queue, as Asterisk has them."),
    "paused": _whole("Those of them that are paused."),
}

_LINK = {
    "pbx": _text(),
    "state": _one_of(LinkState),
    "since": _moment(),
    "heard_until": _moment("Nothing that came later is known."),
    "reason": _text("Why it is away.", null=True),
}

_AGENT_NOW = {
    "pbx": _text(),
    "agent": _ref("Agent"),
    "state": _one_of(AgentState, "`unknown` while the link to the PBX is away."),
    "since": _moment(),
    "reason": _text("Code of the pause reason.", null=True),
    "due_at": _moment("When wrap-up ends by itself.", null=True),
    "next": _or_null("NextState", "What the agent chose for after this call."),
    "queues": _list(_text()),
    "answered": _whole("Conversations since the sign-in."),
}

PARTS: Final[Mapping[str, Schema]] = {
    "Agent": _object(
        "Who it is; `number` (工号) is null where nobody knows the person.",
        number=_text(null=True),
        name=_text(null=True),
        interface=_text(null=True),
    ),
    "AgentNow": _object("A signed-in agent.", **_AGENT_NOW),
    "NextState": _object("What follows.", state=_one_of(AgentState), reason=_text(null=True)),
    "LiveCall": _object("A call that goes on.", **_CALL),
    "BoardCall": _object(
        "A call on the board.",
        **_CALL,
        queue=_text(null=True),
        entered_at=_moment("When it entered that queue.", null=True),
        waiting=_claim("It waits in the queue."),
        answered=_claim("Somebody talks to the caller, or did."),
    ),
    "HotlineSpoken": _object(
        "A hotline, and how to answer it.",
        number=_text(),
        name=_text(),
        greeting=_text(null=True),
    ),
    "RepeatCall": _object(
        "A call answered before, of the same number.",
        call_id=_text(),
        answered_at=_moment(),
        agent=_object("Who answered it.", number=_text(null=True), name=_text(null=True)),
    ),
    "LastContact": _object(
        "A call before this one.",
        call_id=_text(),
        started_at=_moment(),
        direction=_one_of(Direction),
        answered=_claim("Somebody talked to the customer."),
        outcome=_one_of(Outcome, null=True),
        agent=_object("Who talked.", number=_text(null=True), name=_text(null=True)),
        talk_seconds=_whole(null=True),
        disposition=_text("Its key.", null=True),
        note=_text(null=True),
    ),
    "Pop": _object("A phone that rings, with the caller's file.", **_POP),
    "LinkNow": _object("The connection to one PBX.", **_LINK),
    "QueueNow": _object(
        "A queue on the board.",
        **_QUEUE,
        today=_or_null("QueueToday", "null until today's rows have been read."),
    ),
    "QueueToday": _object(
        "What a queue did today, counted in passes.",
        offered=_whole("Passes that began."),
        answered=_whole(),
        abandoned=_whole("The caller hung up while waiting."),
        overflowed=_whole("Left by time-out, key, full or empty."),
        withdrawn=_whole(),
        otherwise=_whole("Any other end."),
        open=_whole("Without an end yet."),
        service_level=_of("number", "Share answered in time, 0 to 1.", null=True),
        service_level_seconds=_whole("What in time is."),
    ),
    "Board": _object(
        "What goes on, within the data scope.",
        links=_list(_ref("LinkNow")),
        agents=_list(_ref("AgentNow")),
        queues=_list(_ref("QueueNow")),
        calls=_list(_ref("BoardCall")),
    ),
}

FRAMES: Final[Mapping[str, tuple[str, Mapping[str, Schema]]]] = {
    "snapshot": (
        "The first frame of a socket without `since`, or whose `since` is too old or of another "
        "run of the server: everything as it is.",
        {"board": _ref("Board"), "pops": _list(_ref("Pop"), "What rings for you now.")},
    ),
    "call.offered": ("The screen pop: it rings at an agent.", _POP),
    "call.withdrawn": (
        "It rings there no longer, and was not answered there.",
        {
            "call": _ref("LiveCall"),
            "agent": _or_null("Agent", "Where it rang."),
            "attempt": _whole("Of the `call.offered` that this ends."),
            "result": _one_of(AttemptResult),
        },
    ),
    "call.answered": (
        "Caller and agent are connected.",
        {
            "call": _ref("LiveCall"),
            "agent": _or_null("Agent", "null where the agent is of another team than yours."),
            "queue": _text(null=True),
        },
    ),
    "call.ended": (
        "The last channel is gone.",
        {
            "call": _ref("LiveCall"),
            "ended_at": _moment(),
            "seen": _claim("false: nobody saw it end; this is the moment it was last seen."),
        },
    ),
    "agent.changed": (
        "An agent's state, device or queues; `offline` after a sign-out.",
        _AGENT_NOW,
    ),
    "queue.changed": ("Counts of a queue, at most a few times a second.", _QUEUE),
    "link.changed": ("The connection to a PBX. While it is away agents are `unknown`.", _LINK),
    "heartbeat": ("Every 15 s: the link lives.", {}),
    "region": (
        "Only for sockets that asked for a page: HTML of a part of it.",
        {"id": _text(), "html": _text()},
    ),
}
"""Type of a frame → what it says, and its fields beside the head."""

_SEQ = "Place on the bus, opaque: give the last one as `since` to go on after it."


def schema_of(kind: str) -> Schema:
    """The whole frame, head and all."""
    what, fields = FRAMES[kind]
    head = {"seq": _text(_SEQ), "at": _moment(), "type": _of("string", const=kind)}
    return _object(what, **{**head, **fields})


def name_of(kind: str) -> str:
    """`call.offered` → `CallOfferedFrame`."""
    return "".join(word.capitalize() for word in kind.split(".")) + "Frame"


def schemas() -> dict[str, Schema]:
    """For `components/schemas`."""
    frames = {name_of(kind): schema_of(kind) for kind in FRAMES}
    mapping = {kind: f"#/components/schemas/{name_of(kind)}" for kind in FRAMES}
    any_of_them = {
        "description": "One message of the socket `/api/v1/events`: JSON text.",
        "oneOf": [_ref(name) for name in frames],
        "discriminator": {"propertyName": "type", "mapping": mapping},
    }
    return {**PARTS, **frames, "Frame": any_of_them}


SOCKET: Final[Schema] = {
    "get": {
        "tags": ["live"],
        "summary": "The socket",
        "description": (
            "A WebSocket: frames (the schema `Frame`), within the data scope of the token; what is "
            "sent to it means nothing. Numbers of `seq` skip where you may not see.\n\n"
            "Closed with 4401 when the token or session ends, 4408 when you do not read fast enough "
            "(come back with the last `seq`), 1012 when the server restarts."
        ),
        "operationId": "events_api_v1_events_get",
        "parameters": [
            {
                "name": "since",
                "in": "query",
                "required": False,
                "description": "The `seq` of the last frame you have: what came after it follows.",
                "schema": {"type": "string", "maxLength": 64},
            },
            {
                "name": "page",
                "in": "query",
                "required": False,
                "description": "For the product's own pages, which get HTML.",
                "schema": {"type": "string", "enum": ["desk", "live"]},
            },
        ],
        "responses": {
            "101": {
                "description": "Switching to WebSocket; each message is a `Frame`.",
                "content": {"application/json": {"schema": _ref("Frame")}},
            }
        },
    }
}
