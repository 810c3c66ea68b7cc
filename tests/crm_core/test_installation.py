"""What the doctor finds wrong with our own side, and whether the running service beats."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from sqlalchemy import insert

from crm_core import installation
from crm_core.call_log.models import FeedRow
from crm_core.db import engine_of, transaction
from crm_core.events import Feed
from crm_core.findings import told
from crm_core.migrations import revisions, upgrade
from crm_core.settings import Settings

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ENTRY = "ami://zuoxi-events:a-secret-word@127.0.0.1:5038/main"


def a_site(folder: Path, **settings: object) -> Settings:
    given = {
        "database_url": f"sqlite:///{folder}/zuoxi.db",
        "pbx_urls": ENTRY,
        "var": folder / "var",
        "asterisk_conf": folder / "asterisk",
        **settings,
    }
    return Settings.model_validate(given)


async def said(settings: Settings) -> list[list[str]]:
    found, _ = await installation.look_at(settings)
    for finding in found:
        assert "a-secret-word" not in "\n".join(told(finding))
    return [told(finding) for finding in found]


async def test_a_good_installation_is_not_spoken_of(tmp_path: Path) -> None:
    settings = a_site(tmp_path)
    await upgrade(settings.database_url)
    found, plans = await installation.look_at(settings)
    assert found == []
    assert list(plans) == ["main"]
    assert plans[settings.pbxs[0].pbx] is not None


async def test_a_database_that_was_never_made_and_one_that_is_older(tmp_path: Path) -> None:
    ((first, cure),) = await said(a_site(tmp_path))
    assert "revision none" in first
    assert cure.strip() == "zuoxi migrate"
    assert not (tmp_path / "zuoxi.db").exists()


async def test_a_database_of_a_newer_version(tmp_path: Path) -> None:
    settings = a_site(tmp_path)
    await upgrade(settings.database_url)
    with sqlite3.connect(tmp_path / "zuoxi.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    ((first, cure),) = await said(settings)
    assert f"revision 9999; this one knows {revisions()[-1]}" in first
    assert "start that version again" in cure


async def test_a_database_that_is_away_is_told_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://zuoxi:a-secret-word@127.0.0.1:1/zuoxi"
    ((first, cure),) = await said(a_site(tmp_path, database_url=url))
    assert first.startswith("database: The database cannot be reached")
    assert "ZUOXI_DATABASE_URL" in cure


async def test_folders_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = a_site(tmp_path, var=tmp_path / "file" / "var", asterisk_conf=tmp_path / "file")
    await upgrade(settings.database_url)
    var, conf = await said(settings)
    assert "ZUOXI_VAR" in var[0]
    assert "ZUOXI_ASTERISK_CONF" in conf[0]
    assert "chown" in var[1]


async def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = a_site(tmp_path)
    await upgrade(settings.database_url)
    monkeypatch.setattr(installation, "ROOM", 1 << 62)
    assert ["MB are left on the disk" in lines[0] for lines in await said(settings)] == [True] * 2


async def test_nobody_to_follow_and_secrets_for_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = a_site(tmp_path, pbx_urls="")
    await upgrade(settings.database_url)
    monkeypatch.chdir(tmp_path)
    with open(".env", "w") as file:  # noqa: ASYNC230
        file.write("ZUOXI_PBX_URLS=a-secret-word\n")
    os.chmod(".env", 0o644)
    empty, open_ = await said(settings)
    assert "ZUOXI_PBX_URLS is empty" in empty[0]
    assert open_[1].strip() == "chmod 600 .env"
    os.chmod(".env", 0o600)
    assert len(await said(settings)) == 1


# --- does the running service beat? -----------------------------------------------------------------


async def heard(settings: Settings, until: datetime) -> None:
    await upgrade(settings.database_url)
    engine = engine_of(settings.database_url)
    async with transaction(engine) as connection:
        row = {"pbx": "main", "feed": Feed.AMI, "heard_until": until}
        await connection.execute(insert(FeedRow).values(row))
    await engine.dispose()


@pytest.mark.parametrize(("ago", "beats"), [(0.5, True), (9, True), (11, False), (3600, False)])
async def test_a_service_beats_while_asterisk_is_heard(
    tmp_path: Path, ago: float, beats: bool
) -> None:
    settings = a_site(tmp_path)
    await heard(settings, NOW - timedelta(seconds=ago))
    assert (await installation.silent_feeds(settings, NOW) == []) is beats


async def test_a_service_that_never_heard_and_a_database_without_tables(tmp_path: Path) -> None:
    settings = a_site(tmp_path)
    (word,) = await installation.silent_feeds(settings, NOW)
    assert word.startswith("the database: ")
    await upgrade(settings.database_url)
    assert await installation.silent_feeds(settings, NOW) == [
        "main: nothing was heard of Asterisk yet"
    ]


@contextmanager
def answering(code: int) -> Iterator[int]:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            serving.join()


@pytest.mark.parametrize(("code", "beats"), [(200, True), (503, False), (404, False)])
def test_pages_beat_while_they_answer_that_they_are_ready(
    tmp_path: Path, code: int, beats: bool
) -> None:
    with answering(code) as port:
        for host in ("127.0.0.1", "0.0.0.0"):
            settings = a_site(tmp_path, http_bind=f"{host}:{port}")
            assert (installation.silent_pages(settings) == []) is beats


def test_pages_that_nobody_serves(tmp_path: Path) -> None:
    (word,) = installation.silent_pages(a_site(tmp_path, http_bind="127.0.0.1:1"))
    assert word.startswith("http://127.0.0.1:1/readyz does not answer")
