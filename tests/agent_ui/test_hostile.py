"""Names and numbers as an attacker's phone sends them, on pages and in frames."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_ui.security import safe_next
from agent_ui.shapes import name_for, text_of
from tests.agent_ui.test_socket import drawn
from tests.agent_ui.world import World

NAMES = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>',
    "javascript:alert(1)", "</script><script>alert(1)</script>", "{{7*7}}", "${7*7}",
    "%3Cscript%3E", "<!--", "]]>", "&lt;b&gt;", "'; DROP TABLE calls; --", "=cmd|' /C calc'!A0",
    "a\r\nSet-Cookie: x=1", "\x00\x01\x1b[31m", "\u202eabc", "张\ud83d", "😀" * 40, "x" * 5000,
    "<a href=//evil.example>", "<iframe srcdoc='<script>'>", "`${alert(1)}`", "%(number)s", "%s%s",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
async def test_a_hostile_caller_is_text_everywhere(world: World, name: str) -> None:
    browser = await world.at_desk("limin", "8001")
    page = await world.listen(browser, query="?page=desk")
    await page.frame("snapshot")
    ring = world.a_call_rings(caller=name[:80].replace("\x00", ""), name=name)
    frame = await page.frame("call.offered")
    assert frame["call"]["call_id"] == ring.call
    assert all(letter.isprintable() for letter in frame["call"]["caller_name"] or "")
    html = await drawn(page, "screen-pops", has=f"pop-{ring.call}")
    desk = await browser.get("/desk")
    assert desk.status_code == 200
    for text in (html, desk.text):
        for tag in re.findall(r"<\s*(script|img|svg|iframe|a)\b[^>]*>", text):
            assert tag in ("script", "svg", "a")
        assert "alert(1)" not in re.sub(r"&[a-z#0-9]+;", "", text) or "<script>alert" not in text
        for marked in ("<img", "onerror=", "onload=", "<iframe", "href=//", "<script>"):
            assert marked not in text
        assert "49" not in re.findall(r"{{(.*?)}}", text)


async def test_a_customers_hostile_name_is_text_on_every_page(world: World) -> None:
    boss = await world.signed_in("wangfang")
    hostile = '<img src=x onerror="alert(1)">'
    body = {"name": hostile, "company": hostile, "remark": hostile, "phones": ["13511110000"]}
    headers = {"origin": boss.url, "x-csrf-token": boss.csrf}
    made = await boss.request("POST", "/api/v1/customers", json=body, headers=headers)
    assert made.status_code == 201
    browser = await world.at_desk("limin", "8001")
    ring = world.a_call_rings(caller="13511110000")
    ringing = (await browser.get("/desk")).text
    world.answers(ring)
    await world.recorded()
    note = {"note": hostile, "revision": "1"}
    assert (await browser.post(f"/calls/{ring.call}/note", note)).status_code == 204
    pages = [ringing] + [
        (await browser.get(path)).text for path in ("/desk", "/calls", f"/calls/{ring.call}")
    ]
    for page in pages:
        assert "<img" not in page
        assert "&lt;img" in page


@given(st.text(max_size=300))
@settings(deadline=None)
def test_any_name_becomes_valid_json(name: str) -> None:
    from tests.agent_ui.viewers import AGENT, SUPERVISOR

    for viewer in (AGENT, SUPERVISOR):
        shown = name_for(viewer, name)
        assert shown is None or shown.isprintable()
        text_of({"name": shown})


@given(st.text(max_size=60))
@settings(deadline=None)
def test_next_is_always_a_path_of_ours(target: str) -> None:
    where = safe_next(target)
    assert re.match(r"/(?![/\\])", where)
    assert where.isprintable()
