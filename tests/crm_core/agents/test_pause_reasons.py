"""The reasons for a pause in a set-up file."""

from __future__ import annotations

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.agents.queries import pause_reasons
from crm_core.agents.rules import RESERVED_REASONS
from crm_core.centre.setup import SetupReport, import_setup
from crm_core.centre.setup_file import SetupInvalid
from crm_core.db import reading, transaction
from tests.crm_core.agents.a_floor import T0

CENTRE = "projects: [{name: 华东售后}]\n"
OWN = """
pause_reasons:
  - {code: coaching, zh: 辅导, en: Coaching}
  - {code: meal, zh: 午餐, en: Lunch}
  - {code: training, zh: 培训, en: Training, active: false}
"""


async def load(engine: AsyncEngine, text: str) -> SetupReport:
    async with transaction(engine) as connection:
        return await import_setup(connection, CENTRE + text, now=T0)


async def codes(engine: AsyncEngine, *, all_of_them: bool = False) -> list[str]:
    async with reading(engine) as connection:
        return [one.code for one in await pause_reasons(connection, all_of_them=all_of_them)]


async def test_site_names_its_own_reasons_and_they_come_first(engine: AsyncEngine) -> None:
    report = await load(engine, OWN)
    assert report.added[-1] == "pause reason coaching"
    assert report.changed == ("pause reason meal", "pause reason training")
    assert await codes(engine) == ["coaching", "meal", "break", "meeting"]
    assert "training" in await codes(engine, all_of_them=True)
    assert (await load(engine, OWN)).changed == ()


async def test_file_that_names_none_leaves_them_alone(engine: AsyncEngine) -> None:
    await load(engine, "")
    assert await codes(engine) == ["break", "meal", "training", "meeting"]


@pytest.mark.parametrize("code", [*sorted(RESERVED_REASONS), "zx:break", "Break", "a b", ""])
async def test_code_that_would_be_taken_for_a_state_is_refused(
    engine: AsyncEngine, code: str
) -> None:
    with pytest.raises(SetupInvalid, match="line 3"):
        await load(engine, f"pause_reasons:\n  - {{code: '{code}', zh: 一, en: One}}\n")
