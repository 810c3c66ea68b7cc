"""The samples of the READMEs for who runs the centre: they are what they say."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from configparser import RawConfigParser
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent_ui.operations.metrics import text_of
from crm_core.settings import Settings
from tests.agent_ui.operations.samples import a_full_picture

ROOT = Path(__file__).parent.parent
README = (ROOT / "agent_ui/README.md").read_text("utf-8")
OF_ASTERISK = (ROOT / "asterisk_conf/README.md").read_text("utf-8")


def block(text: str, holds: str) -> str:
    """The one fenced block that holds this."""
    [found] = [each for each in re.findall(r"```\w*\n(.*?)```", text, re.S) if holds in each]
    return str(found)


UNIT = block(README, "[Unit]")


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    parsed = RawConfigParser(strict=False)
    parsed.optionxform = str  # type: ignore[assignment, method-assign]
    parsed.read_string(UNIT)
    service = dict(parsed["Service"])
    assert (service["Restart"], service["NoNewPrivileges"]) == ("always", "yes")
    assert service["ExecStart"] == "/opt/zuoxi/.venv/bin/zuoxi run"
    file = tmp_path / "zuoxi.service"
    file.write_text(UNIT.replace("/opt/zuoxi/.venv/bin/zuoxi", sys.executable), "utf-8")
    verify = shutil.which("systemd-analyze")
    if verify is not None:  # where there is no systemd, nobody can use the unit either
        done = subprocess.run([verify, "verify", file], capture_output=True, text=True, check=False)
        assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize("text", [README, OF_ASTERISK])
def test_settings_that_are_named_exist(text: str) -> None:
    known = {f"ZUOXI_{name.upper()}" for name in Settings.model_fields}
    named = set(re.findall(r"\bZUOXI_[A-Z_]+\b", text))
    assert named
    assert {name.removesuffix("_FILE") for name in named} <= known


def test_the_settings_for_a_proxy_are_good_ones() -> None:
    lines = block(README, "ZUOXI_PUBLIC_URL=").splitlines()
    values = dict(line.removeprefix("ZUOXI_").split("=", 1) for line in lines)
    settings = Settings.model_validate({name.lower(): value for name, value in values.items()})
    assert settings.public_url == "https://desk.example.com"
    assert f"proxy_pass http://{settings.http_bind};" in README
    assert f"reverse_proxy {settings.http_bind}\n" in README


def test_metrics_that_are_worth_an_alarm_exist() -> None:
    families = text_string_to_metric_families(text_of(a_full_picture()).decode())
    known = {sample.name for family in families for sample in family.samples}
    named = set(re.findall(r"\bzuoxi_[a-z_]+\b", README))
    assert len(named) >= 8
    assert named <= known


def test_the_backup_holds_what_is_only_in_the_wal_yet(tmp_path: Path) -> None:
    [statement] = re.findall(r'sqlite3 \S+ "(VACUUM INTO .*?)"', README)
    source, copy = tmp_path / "zuoxi.db", tmp_path / "copy.db"
    with closing(sqlite3.connect(source, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE calls (id INTEGER)")
        writer.execute("INSERT INTO calls VALUES (7)")
        with closing(sqlite3.connect(source)) as backup:
            backup.execute(re.sub(r"'.*'", f"'{copy}'", statement))
        with closing(sqlite3.connect(copy)) as found:
            assert found.execute("SELECT id FROM calls").fetchall() == [(7,)]


def test_rotation_keeps_what_zuoxi_follows() -> None:
    rotation = block(OF_ASTERISK, "/var/log/asterisk/queue_log {")
    words = set(rotation.split())
    assert {"delaycompress", "create"} <= words
    assert "copytruncate" not in words
    assert "asterisk -rx 'logger reload'" in rotation
