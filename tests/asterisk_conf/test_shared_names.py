"""`telephony.dialplan` and `asterisk_conf/` must speak of the same things."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from telephony import dialplan

FOLDER = Path(__file__).resolve().parents[2] / "asterisk_conf"


def configuration() -> str:
    """All files, without their comments."""
    text = "\n".join(path.read_text() for path in sorted(FOLDER.glob("*.conf")))
    return re.sub(r"(?m)^;.*$|\s;\s.*$", "", text)


@pytest.mark.parametrize("name", dialplan.SHARED_NAMES)
def test_a_shared_name_stands_in_the_configuration(name: str) -> None:
    assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", configuration())


@pytest.mark.parametrize("name", dialplan.GENERATED)
def test_every_generated_file_is_included(name: str) -> None:
    site = name in dialplan.SITE_FILES
    folder = dialplan.SITE_FOLDER if site else dialplan.GENERATED_FOLDER
    assert f"#include {folder}/{name}\n" in configuration()


def test_nothing_of_ours_has_another_prefix() -> None:
    text = configuration()
    contexts = re.findall(r"(?m)^\[([^\]]+)\]", (FOLDER / "extensions.conf").read_text())
    assert {name for name in contexts if not name.startswith("zuoxi-")} == {"general", "globals"}
    ours = {"CALLERID", "CHANNEL", "DIALSTATUS", "HANGUPCAUSE", "ANSWEREDTIME", "QUEUESTATUS"}
    ours |= {"AGIEXITONHANGUP", "TIMEOUT", "ARRAY"}  # Asterisk's own
    own = set(re.findall(r"Set\((\w+)", text)) - ours
    assert own
    assert all(name.startswith("ZX_") for name in own)


def test_no_secret_is_in_the_repository() -> None:
    assert not re.search(r"(?m)^\s*(secret|password|systemname)\s*=", configuration())


def test_only_listed_modules_are_loaded() -> None:
    modules = (FOLDER / "modules.conf").read_text()
    assert re.search(r"(?m)^autoload = no$", modules)
    assert "iax" not in modules


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("asterisk.conf", "live_dangerously = no"),
        ("asterisk.conf", "disable_remote_console_shell = yes"),
        ("logger.conf", "queue_log_to_file = yes"),
        ("manager.conf", "timestampevents = yes"),
        ("manager.conf", "allowmultiplelogin = yes"),
        ("pjsip.conf", "endpoint_identifier_order = header,ip,username,anonymous"),
        ("queues.conf", "autofill = yes"),
        ("queues.conf", "shared_lastcall = yes"),
        ("queues.conf", "setinterfacevar = yes"),
        ("queues.conf", "setqueueentryvar = yes"),
        ("queues.conf", "setqueuevar = yes"),
    ],
)
def test_a_setting_that_the_product_relies_on_is_there(file: str, line: str) -> None:
    text = (FOLDER / file).read_text()
    assert re.search(rf"(?m)^{re.escape(line)}(\s|$)", text)
