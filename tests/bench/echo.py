"""Printed beside the memory per agent: uvicorn with an application that accepts sockets, no more."""

from __future__ import annotations

import sys
from typing import Any

import uvicorn
import uvloop


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "websocket":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (said := await receive())["type"] != "websocket.disconnect":
        await send({"type": "websocket.send", "text": said["text"]})


def main() -> None:
    config = uvicorn.Config(
        application, port=int(sys.argv[1]), loop="none", ws="websockets-sansio",
        ws_per_message_deflate=False, lifespan="off", log_level="warning", access_log=False,
        backlog=2048,
    )  # fmt: skip
    uvloop.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main()
