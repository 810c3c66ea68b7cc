"""Settings: defaults that work, and a sentence for every wrong one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crm_core.errors import SettingError
from crm_core.settings import Settings, pbx_url, read

ROOT = Path(__file__).parent.parent.parent


def test_nothing_set_gives_the_defaults_of_the_contract() -> None:
    found = read({})
    assert found.database_url == "sqlite:///var/zuoxi.db"
    assert found.http_address == ("127.0.0.1", 8000)
    assert found.agi_address == ("127.0.0.1", 4573)
    assert (found.timezone, found.region, found.language) == ("Asia/Shanghai", "CN", "zh_CN")
    assert found.pbxs == ()


def test_every_setting_stands_in_the_example_file_with_its_default() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8")
    for name, field in Settings.model_fields.items():
        shown = re.search(rf"^#ZUOXI_{name.upper()}=(.*)$", lines, re.MULTILINE)
        assert shown, f"ZUOXI_{name.upper()} is missing in .env.example"
        if field.default and not isinstance(field.default, bool):
            assert shown.group(1) == str(field.default)


def test_pbx_url_is_taken_apart_and_percent_decoded() -> None:
    found = pbx_url(
        "ami://ev:s%40cret%3A1@10.0.0.5:5040/north?queue_log=/var/log/q%20l&control=ctl:x%3Ay"
    )
    assert (found.host, found.port, found.pbx) == ("10.0.0.5", 5040, "north")
    assert (found.user, found.secret) == ("ev", "s@cret:1")
    assert (found.control_user, found.control_secret) == ("ctl", "x:y")
    assert found.queue_log == Path("/var/log/q l")
    assert not found.tls


def test_without_control_both_sessions_use_the_one_account() -> None:
    found = pbx_url("amis://u:p@host/name")
    assert (found.control_user, found.control_secret, found.port, found.tls) == (
        "u",
        "p",
        5039,
        True,
    )


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"ZUOXI_TIMEZONE": "Mars/Olympus"}, "ZUOXI_TIMEZONE: no such time zone"),
        ({"ZUOXI_LANGUAGE": "fr"}, "ZUOXI_LANGUAGE: use zh_CN or en"),
        ({"ZUOXI_DATABASE_URL": "mysql://x"}, "ZUOXI_DATABASE_URL: use sqlite:///PATH"),
        ({"ZUOXI_HTTP_BIND": "8000"}, "ZUOXI_HTTP_BIND: use HOST:PORT"),
        ({"ZUOXI_AGI_BIND": "4573"}, "ZUOXI_AGI_BIND: use HOST:PORT"),
        ({"ZUOXI_AGI_BIND": "0.0.0.0:4573"}, "ZUOXI_AGI_BIND: use the one address"),
        ({"ZUOXI_AGI_BIND": "[::]:4573"}, "ZUOXI_AGI_BIND: use the one address"),
        ({"ZUOXI_HTTP_BIND": "127.0.0.1:99999"}, "ZUOXI_HTTP_BIND: use HOST:PORT"),
        ({"ZUOXI_PBX_URLS": "http://x"}, "does not begin with ami://"),
        ({"ZUOXI_PBX_URLS": "ami://host/name"}, "an entry looks like"),
        ({"ZUOXI_PBX_URLS": "ami://u:p@h:port/n"}, "is not a number"),
        ({"ZUOXI_PBX_URLS": "ami://u:p@h/a,ami://u:p@i/a"}, "two entries end in the same name"),
        ({"ZUOXI_DATABASE_URL_FILE": "/nowhere/key"}, "ZUOXI_DATABASE_URL_FILE: cannot read"),
        ({"ZUOXI_LOG_FORMAT": "xml"}, "ZUOXI_LOG_FORMAT: use text or json"),
        ({"ZUOXI_INSECURE_HTTP": "perhaps"}, "ZUOXI_INSECURE_HTTP"),
    ],
)
def test_wrong_setting_gets_a_sentence_that_names_it(
    environ: dict[str, str], sentence: str
) -> None:
    with pytest.raises(SettingError, match=re.escape(sentence)):
        read(environ)


def test_no_sentence_shows_a_secret() -> None:
    with pytest.raises(SettingError) as wrong:
        read({"ZUOXI_PBX_URLS": "http://user:topsecret@host/name"})
    assert "topsecret" not in str(wrong.value)


def test_secret_comes_from_a_file_a_list_one_entry_a_line(tmp_path: Path) -> None:
    file = tmp_path / "urls"
    file.write_text("ami://u:p@h/a\n\nami://u:p@i/b\n", encoding="utf-8")
    assert [entry.pbx for entry in read({"ZUOXI_PBX_URLS_FILE": str(file)}).pbxs] == ["a", "b"]
