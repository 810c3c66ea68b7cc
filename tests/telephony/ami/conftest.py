"""A scripted AMI server for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.telephony.ami.scripted import Scripted, a_scripted_ami


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with a_scripted_ami() as scripted:
        yield scripted
