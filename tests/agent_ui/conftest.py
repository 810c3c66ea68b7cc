"""One furnished database per session, copied for each test; the real server in the test's loop."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from crm_core import migrations
from crm_core.settings import Settings
from tests.agent_ui.agent_page import agent, chromium
from tests.agent_ui.world import World, furnish, running

__all__ = ["agent", "chromium"]


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("furnished") / "zuoxi.db"

    async def prepare() -> None:
        await migrations.upgrade(f"sqlite:///{path}")
        await furnish(f"sqlite:///{path}")

    asyncio.run(prepare())
    return path


@pytest.fixture
def settings(furnished: Path, tmp_path: Path) -> Settings:
    shutil.copy(furnished, tmp_path / "zuoxi.db")
    return Settings(
        database_url=f"sqlite:///{tmp_path}/zuoxi.db",
        var=tmp_path / "var",
        http_bind="127.0.0.1:0",
        pbx_urls="ami://events:secret@127.0.0.1:5038/main",
    )


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with running(settings) as found:
        yield found
