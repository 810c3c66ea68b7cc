"""The same stories with the recorder itself and a real SQLite, whose transactions fail now and then."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from crm_core import migrations, recorder
from tests.simulation.invariants import complaints
from tests.simulation.plans import plan_of
from tests.simulation.play import Play, everybody
from tests.simulation.sqlite_records import SqliteRecords

EVERY = 50
SEEDS = range(0, 5_000, EVERY)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "zuoxi.db"
    asyncio.run(migrations.upgrade(f"sqlite:///{path}"))
    return path


def test_stories_in_a_real_database(
    migrated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "FIRST_PAUSE_SECONDS", 0.0)  # virtual time waits for nobody
    failed = 0
    for seed in SEEDS:
        records = SqliteRecords(everybody(), migrated, tmp_path, seed)
        play = Play(plan_of(seed), tmp_path, records)
        try:
            play.run()
            wrong = [*complaints(play), *records.wrong_rows()]
        finally:
            play.close()
            records.close()
        assert wrong == [], f"seed {seed}"
        failed += records.failed
    assert failed > len(SEEDS)  # so often a commit failed
