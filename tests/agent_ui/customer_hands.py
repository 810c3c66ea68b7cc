"""What tests of the customers' pages do with them: read a form, look into the database."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import insert, select

from crm_core.customers.models import CustomerField, PhoneNumber
from crm_core.db import reading, transaction
from tests.agent_ui.world import Browser, World

ZHANG = 1
"""The id of 张三, who has a contract, a hidden risk and one number."""


async def scalar(world: World, asked: Any) -> Any:
    async with reading(world.engine) as connection:
        return await connection.scalar(asked)


async def numbers_of(world: World, customer: int) -> list[tuple[str, bool]]:
    async with reading(world.engine) as connection:
        rows = await connection.execute(
            select(PhoneNumber.number, PhoneNumber.invalid_at)
            .where(PhoneNumber.customer_id == customer)
            .order_by(PhoneNumber.ordinal)
        )
        return [(number, since is not None) for number, since in rows]


async def hide(world: World, key: str, *, write_only: bool = False) -> None:
    """A built-in field that only supervisors read, or (`write_only`) write."""
    roles = {"write_roles": ["supervisor"]} if write_only else {"read_roles": ["supervisor"]}
    async with transaction(world.engine) as connection:
        await connection.execute(
            insert(CustomerField).values(
                key=key, label_zh=key, label_en=key, kind="text", custom=False, **roles
            )
        )
    await world.ui.deps.directory.refresh()


def hidden_inputs(html: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden"\s+name="([^"]+)"\s+value="([^"]*)"', html)
    return dict(found)


async def form_of(browser: Browser, path: str) -> dict[str, str]:
    """What the form would post if nobody typed anything: inputs, texts, choices, rows."""
    html = (await browser.get(path)).text.split("<template>")
    page = html[0] + "".join(part.partition("</template>")[2] for part in html[1:])
    given = hidden_inputs(page)
    for name, value in re.findall(
        r'<input class="input[^"]*"[^>]*?name="([^"]+)"[^>]*?value="([^"]*)"', page
    ):
        given[name] = value
    for name, value in re.findall(r'<textarea[^>]*?name="([^"]+)"[^>]*>([^<]*)<', page):
        given[name] = value
    return given
