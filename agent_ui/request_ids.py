"""Every request has a name: on its answer, beside its lines in the log, on the page of an error."""

from __future__ import annotations

import re
import secrets
from collections.abc import MutableMapping
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crm_core.logs import about

HEADER: Final = b"x-request-id"
KEY: Final = "zuoxi.request"
LETTERS: Final = "bcdfghjkmnpqrstvwxz"
"""No vowels, so that it is no word; no digits, so that nobody takes it for a phone number."""
LENGTH: Final = 10
_GIVEN = re.compile(rb"[A-Za-z0-9-]{8,64}")
"""What a proxy may call it (nginx: `$request_id`)."""


def id_of(scope: MutableMapping[str, Any]) -> str:
    """The name of this request; made when somebody asks for it first."""
    found: str | None = scope.get(KEY)
    if found is None:
        found = scope[KEY] = _given(scope) or "".join(
            secrets.choice(LETTERS) for _ in range(LENGTH)
        )
    return found


def _given(scope: MutableMapping[str, Any]) -> str | None:
    given = dict(scope["headers"]).get(HEADER, b"")
    return given.decode() if _GIVEN.fullmatch(given) else None


class RequestIds:
    """ASGI middleware; the outermost of ours, so that whatever fails inside has its name."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        name = id_of(scope)

        async def send_with_name(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (HEADER, name.encode())]
                message = {**message, "headers": headers}
            await send(message)

        with about(request=name):
            await self.app(scope, receive, send_with_name)
