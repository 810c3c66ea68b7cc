"""Who may see `/metrics` and the parts of `/readyz`."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete

from agent_ui.operations.admission import FORWARDED, MOST_REMEMBERED, REMEMBERED
from crm_core.access.models import Token
from crm_core.db import transaction
from tests.agent_ui.world import World

AWAY = {"x-forwarded-for": "203.0.113.7"}
"""As a proxy on this machine passes on who comes from elsewhere."""


async def seen(world: World, **headers: str) -> tuple[int, bool]:
    """The status of `/metrics`, and whether `/readyz` names its parts."""
    browser = world.browser()
    metrics = await browser.get("/metrics", headers=headers)
    ready = await browser.get("/readyz", headers=headers)
    assert ready.status_code == 200
    assert set(ready.json()) <= {"status", "parts"}
    return metrics.status_code, "parts" in ready.json()


def bearer(token: str) -> dict[str, str]:
    return {**AWAY, "authorization": f"Bearer {token}"}


async def test_a_program_of_this_machine_needs_no_token(world: World) -> None:
    assert await seen(world) == (200, True)


@pytest.mark.parametrize("header", sorted(FORWARDED))
async def test_who_comes_through_a_proxy_is_not_of_this_machine(world: World, header: str) -> None:
    assert await seen(world, **{header: "127.0.0.1"}) == (401, False)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.0.2.1"])
async def test_a_page_whose_name_was_made_to_lead_here_reads_nothing(
    world: World, host: str
) -> None:
    assert await seen(world, host=host) == (401, False)


async def test_a_token_opens_for_who_sees_the_whole_work(world: World) -> None:
    assert await seen(world, **bearer(await world.token("a", "admin"))) == (200, True)
    assert await seen(world, **bearer(await world.token("s", "supervisor"))) == (200, True)
    assert await seen(world, **bearer(await world.token("l", "agent", "limin"))) == (403, False)
    assert await seen(world, **bearer("zx_no-token-of-ours")) == (401, False)
    assert await seen(world, **{**AWAY, "authorization": "Basic YWRtaW46eA=="}) == (401, False)


async def test_a_session_opens_nothing_from_elsewhere(world: World) -> None:
    admin = await world.signed_in("admin")
    assert (await admin.get("/metrics", headers=AWAY)).status_code == 401


async def test_while_the_database_is_away_a_token_it_knew_lately_still_opens(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, other = await world.token("a", "admin"), await world.token("b", "admin")
    assert await seen(world, **bearer(token)) == (200, True)

    async def away(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(world.ui.deps.identities, "visit", away)
    assert await seen(world, **bearer(token)) == (200, True)
    metrics = await world.browser().get("/metrics", headers=bearer(other))
    assert metrics.status_code == 503
    admission, now = world.ui.deps.operations.admission, world.ui.deps.now()
    for key in admission._admitted:
        admission._admitted[key] = now - REMEMBERED - timedelta(seconds=1)
    assert (await world.browser().get("/metrics", headers=bearer(token))).status_code == 503


async def test_a_token_that_is_taken_back_is_forgotten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await world.token("a", "admin")
    assert await seen(world, **bearer(token)) == (200, True)
    async with transaction(world.engine) as connection:
        await connection.execute(delete(Token))
    assert await seen(world, **bearer(token)) == (401, False)
    assert not world.ui.deps.operations.admission._admitted


async def test_few_tokens_are_remembered(world: World) -> None:
    admission, now = world.ui.deps.operations.admission, world.ui.deps.now()
    for number in range(MOST_REMEMBERED + 5):
        admission._remember(str(number), now)
    assert len(admission._admitted) == MOST_REMEMBERED
