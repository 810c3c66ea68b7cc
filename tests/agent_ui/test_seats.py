"""Seats: the five values of a phone, whose password is shown to who asks and noted; taking one over."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select, update

from agent_ui.admin.seats import sip_address
from crm_core.access.models import AuditEntry
from crm_core.centre.models import Seat
from crm_core.db import reading, transaction
from crm_core.settings import Settings
from tests.agent_ui.world import World

SECRET = "a-Secret-of-8001-xyz"


def value(page: str, name: str) -> str | None:
    found = re.search(rf'id="sip-{name}">([^<]*)<', page)
    return found.group(1).strip() if found else None


async def noted(world: World) -> list[tuple[str, str, str]]:
    async with reading(world.engine) as connection:
        rows = await connection.execute(
            select(AuditEntry.actor, AuditEntry.act, AuditEntry.subject).where(
                AuditEntry.act.startswith("seat.")
            )
        )
        return [(row.actor, row.act, row.subject) for row in rows]


async def test_list_says_who_sits_where_since_when(world: World) -> None:
    await world.at_desk("limin", "8001")
    admin = await world.signed_in("admin")
    page = (await admin.get("/seats")).text
    assert page.index("8001") < page.index("8002") < page.index("8003")
    assert "李敏 · 1001" in page
    assert page.count("用密码注册") == 3
    assert SECRET not in page


async def test_password_is_shown_to_who_asks_and_the_audit_says_who(world: World) -> None:
    admin = await world.signed_in("admin")
    hidden = (await admin.get("/seats/main/8001")).text
    assert {name: value(hidden, name) for name in ("host", "port", "transport", "user")} == {
        "host": "127.0.0.1",
        "port": "5060",
        "transport": "UDP",
        "user": "8001",
    }
    assert value(hidden, "display") == "8001"
    assert SECRET not in hidden
    assert await noted(world) == []
    shown = await admin.post("/seats/main/8001/show")
    assert value(shown.text, "password") == SECRET
    assert shown.headers["cache-control"] == "no-store"
    assert await noted(world) == [("admin", "seat.reveal", "main/8001")]


async def test_new_password_replaces_the_old_one_and_a_fixed_address(world: World) -> None:
    async with transaction(world.engine) as connection:
        await connection.execute(
            update(Seat)
            .where(Seat.extension == "8002")
            .values(secret=None, contact="sip:8002@192.0.2.12")
        )
        await connection.execute(
            update(Seat).where(Seat.extension == "8003").values(secret=None, contact=None)
        )
    admin = await world.signed_in("admin")
    assert "sip:8002@192.0.2.12" in (await admin.get("/seats/main/8002")).text
    assert "还没有密码" in (await admin.get("/seats/main/8003")).text
    for extension in ("8001", "8002", "8003"):
        made = await admin.post(f"/seats/main/{extension}/password")
        password = value(made.text, "password")
        assert password is not None
        assert len(password) >= 20
        async with reading(world.engine) as connection:
            row = (
                await connection.execute(
                    select(Seat.secret, Seat.contact).where(Seat.extension == extension)
                )
            ).one()
        assert (row.secret, row.contact) == (password, None)
    assert [act for _, act, _ in await noted(world)] == ["seat.secret"] * 3


async def test_seat_that_is_not_there_is_not_found(world: World) -> None:
    admin = await world.signed_in("admin")
    for path in ("/seats/main/9999", "/seats/other/8001", "/seats/main/%00", "/seats/main/a%0ab"):
        assert (await admin.get(path)).status_code == 404
        assert (await admin.post(f"{path}/show")).status_code == 404
        assert (await admin.post(f"{path}/password")).status_code == 404


@pytest.mark.parametrize(
    ("pbx_urls", "public_url", "expected"),
    [
        ("ami://u:s@192.0.2.10/main", "", ("192.0.2.10", 5060)),
        ("ami://u:s@192.0.2.10/main", "https://calls.example", ("192.0.2.10", 5060)),
        ("ami://u:s@127.0.0.1/main", "https://calls.example:8443", ("calls.example", 5060)),
        ("ami://u:s@127.0.0.1/main", "", ("127.0.0.1", 5060)),
        ("ami://u:s@127.0.0.1/main?sip=10.0.0.7:5070", "https://x.example", ("10.0.0.7", 5070)),
        ("ami://u:s@10.0.0.1/main?sip=[2001:db8::7]:5060", "", ("2001:db8::7", 5060)),
        ("ami://u:s@10.0.0.1/other", "https://calls.example", ("calls.example", 5060)),
        ("", "", ("127.0.0.1", 5060)),
    ],
)
def test_phones_register_where_the_setting_says_else_at_the_pbx(
    pbx_urls: str, public_url: str, expected: tuple[str, int]
) -> None:
    settings = Settings(pbx_urls=pbx_urls, public_url=public_url)
    assert sip_address(settings, "main") == expected


# --- taking a seat over ---------------------------------------------------------------------------


async def test_forgotten_seat_is_asked_about_and_then_taken_over(world: World) -> None:
    limin = await world.at_desk("limin", "8001")
    zhaolei = await world.signed_in("zhaolei")
    listed = (await zhaolei.get("/device")).text
    assert "李敏 · 1001 使用中" in listed
    assert 'href="/device?from=main/8001"' in listed
    refused = await zhaolei.post("/device", {"device": "main/8001"})
    assert refused.status_code == 409
    asked = (await zhaolei.get("/device?from=main/8001")).text
    holder = re.search(r'name="from" value="(\d+)"', asked)
    assert holder is not None
    form = {"device": "main/8001", "from": holder.group(1)}
    assert (await zhaolei.post("/device", form)).headers["location"] == "/desk"
    assert (await limin.get("/desk")).headers["location"] == "/device"
    agents = {agent.name: agent.interface for agent in world.board.agents.values()}
    assert agents == {"赵磊": "PJSIP/8001"}
    assert ("zhaolei", "seat.take_over", "PJSIP/8001") in await noted(world)


async def test_nobody_is_thrown_out_of_a_call_nor_off_a_phone_that_rings(world: World) -> None:
    await world.at_desk("limin", "8001")
    zhaolei = await world.signed_in("zhaolei")
    asked = (await zhaolei.get("/device?from=main/8001")).text
    holder = re.search(r'name="from" value="(\d+)"', asked)
    assert holder is not None
    form = {"device": "main/8001", "from": holder.group(1)}
    ring = world.a_call_rings()
    for _ in range(2):
        refused = await zhaolei.post("/device", form)
        assert refused.status_code == 409
        assert "正在通话" in refused.text
        world.answers(ring)
    world.hangs_up(ring)
    assert (await zhaolei.post("/device", form)).status_code == 303


async def test_whoever_sits_down_in_between_is_not_thrown_out(world: World) -> None:
    limin = await world.at_desk("limin", "8001")
    zhaolei, sunli = await world.signed_in("zhaolei"), await world.signed_in("sunli")
    holder = re.search(
        r'name="from" value="(\d+)"', (await zhaolei.get("/device?from=main/8001")).text
    )
    assert holder is not None
    await limin.post("/sign-out")
    await sunli.post("/device", {"device": "main/8001"})
    form = {"device": "main/8001", "from": holder.group(1)}
    refused = await zhaolei.post("/device", form)
    assert refused.status_code == 409
    assert [agent.name for agent in world.board.agents.values()] == ["孙丽"]


async def test_hostile_take_overs_are_refused_or_nothing(world: World) -> None:
    await world.at_desk("limin", "8001")
    zhaolei = await world.signed_in("zhaolei")
    for asked in ("main/9999", "x", "main/8002", "<script>", "a" * 5000):
        page = await zhaolei.get("/device", params={"from": asked})
        assert page.status_code == 200
        assert 'name="from"' not in page.text
    for holder in ("-1", "0", "9" * 30, "x", "<script>"):
        form = {"device": "main/8001", "from": holder}
        assert (await zhaolei.post("/device", form)).status_code == 409
