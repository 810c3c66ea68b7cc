"""Bugs are planted, one at a time: a test that cannot fail would be worth nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.plans import plan_of
from tests.simulation.planted import PLANTED
from tests.simulation.stories import judged

WITHIN = 1_000
"""Seeds."""


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(bug: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    PLANTED[bug](monkeypatch)
    found = next((seed for seed in range(WITHIN) if judged(plan_of(seed), tmp_path)), None)
    print(f"{bug}: found by seed {found}")  # noqa: T201
    assert found is not None
