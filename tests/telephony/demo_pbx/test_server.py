"""The demonstration's AMI socket takes no harm from who does not speak AMI."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from telephony.demo_pbx.server import MAX_LINE_BYTES
from tests.telephony.demo_pbx.client import value
from tests.telephony.demo_pbx.conftest import a_stage


async def test_a_line_without_end_closes_that_session_only(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as stage, stage.pbx.session("control") as control:
        await control.login()
        reader, writer = await asyncio.open_connection(stage.pbx.url.host, stage.pbx.url.port)
        writer.write(b"x" * (3 * MAX_LINE_BYTES))
        with suppress(ConnectionResetError):  # closed with bytes of ours unread
            assert await reader.read() in (b"", b"Asterisk Call Manager/11.0.0\r\n")
        writer.close()
        (said,) = await control.ask("Action: Ping")
        assert value(said, "Ping") == "Pong"


async def test_bytes_that_are_no_text_are_answered_like_any_nonsense(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as stage:
        reader, writer = await asyncio.open_connection(stage.pbx.url.host, stage.pbx.url.port)
        writer.write(b"\xff\xfe\x00: \x80\r\n\r\n")
        await reader.readline()
        assert await reader.readline() == b"Response: Error\r\n"
        writer.close()


async def test_it_stops_while_somebody_is_connected(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as stage, stage.pbx.session("events") as events:
        await events.login()
        await stage.demo.stop()
        await events.until(lambda: events.ended)
