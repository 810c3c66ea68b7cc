"""The log of a whole centre at its most talkative: requests have names, secrets are nowhere."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from agent_ui.request_ids import LENGTH, LETTERS
from crm_core.logs import configure
from tests.agent_ui.world import DIGITS, HOTLINE, NUMBER, PASSWORD, RAW, World


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What goes to standard error when the level is `debug`."""
    root, ours = logging.getLogger(), logging.getLogger("zuoxi")
    before = root.handlers, root.level, ours.level
    configure("debug", "json")
    stream = io.StringIO()
    [handler] = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    yield stream
    logging.captureWarnings(False)
    root.handlers, root.level = before[:2]
    ours.setLevel(before[2])


def entries(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


async def test_a_call_leaves_one_line_with_its_id_and_no_whole_number(
    written: io.StringIO, world: World
) -> None:
    ring = world.a_call_rings()
    world.answers(ring)
    world.hangs_up(ring)
    await world.settled()
    [line] = [each for each in entries(written) if each["logger"] == "zuoxi.calls"]
    assert (line["call_id"], line["level"]) == (ring.call, "info")
    assert "answered by 1001" in line["event"]
    for number in (NUMBER, RAW, DIGITS, HOTLINE):
        assert number not in written.getvalue()


@contextmanager
def a_broken_board(world: World) -> Iterator[None]:
    """A defect of our own: whoever reads the board meets a call that is none."""
    calls = cast("dict[str, object]", world.ui.deps.board.calls)
    calls["broken"] = None
    yield
    del calls["broken"]


async def test_no_secret_of_a_person_or_program_is_written(
    written: io.StringIO, world: World
) -> None:
    token = await world.token("a", "admin")
    browser = world.browser()
    await browser.sign_in("limin", "wrong-canary-password")
    await browser.sign_in("limin", PASSWORD)
    await browser.get("/set-up/canary-of-a-link")
    await browser.get("/account")  # a page of the session: with its form token
    headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
    await browser.get(f"/api/v1/calls?token={token}", headers=headers)
    await browser.get("/api/v1/live", headers=headers)
    listener = await world.listen(token=token)
    await listener.frame("snapshot")
    with a_broken_board(world):
        broken = await browser.get("/api/v1/live", headers=headers)
    assert broken.status_code == 500
    said = written.getvalue()
    assert "case " in said
    secrets = {PASSWORD, "wrong-canary-password", token, browser.csrf, *browser.cookies.values()}
    assert len(secrets - {""}) >= 5
    assert [secret for secret in secrets - {""} if secret in said] == []
    assert "canary-of-a-link" not in said


async def test_an_error_is_found_in_the_log_by_the_number_on_its_page(
    written: io.StringIO, world: World
) -> None:
    browser = await world.signed_in("admin")
    with a_broken_board(world):
        answer = await browser.get("/api/v1/live")
    case = answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.json()["detail"] == f"Number of this case: {case}"
    [line] = [each for each in entries(written) if "case " in each["event"]]
    assert line["event"] == f"case {case}: /api/v1/live failed"
    assert "Traceback" in line["exception"]


async def test_every_answer_has_a_name_of_its_own_or_the_proxys(world: World) -> None:
    browser = world.browser()
    first, second = [(await browser.get("/healthz")).headers["x-request-id"] for _ in range(2)]
    assert first != second
    assert len(first) == LENGTH
    assert set(first) <= set(LETTERS)
    given = {"x-request-id": "4f0c1f5d2f3b4a5d9c8e7f6a5b4c3d2e"}
    assert (await browser.get("/healthz", headers=given)).headers["x-request-id"] == given[
        "x-request-id"
    ]
    for bad in ("short", "a" * 65, "with space 12345", "汉字汉字".encode().hex() + "%0a"):
        answer = await browser.get("/healthz", headers={"x-request-id": bad})
        assert answer.headers["x-request-id"] != bad
