"""What can be known about the containers without an engine that runs them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from crm_core.settings import Settings, read
from telephony.dialplan import Site, render_site

ROOT = Path(__file__).parent.parent
ENTRYPOINT = ROOT / "asterisk_conf/docker-entrypoint.sh"
SECRETS = {"AMI_EVENTS_SECRET": "events.secret-1", "AMI_CONTROL_SECRET": "control~secret_2"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return found


DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
ENV_EXAMPLE = (ROOT / ".env.example").read_text("utf-8")


def settings_in(text: str) -> set[str]:
    return set(re.findall(r"\bZUOXI_[A-Z_]+\b", text)) - {"ZUOXI_PBX_URLS_FILE"}


# --- the files ------------------------------------------------------------------------------------


def test_everything_that_is_copied_into_an_image_is_there() -> None:
    copied = [
        source
        for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.M)
        for source in line.split()[:-1]
    ]
    assert "telephony" in copied
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert "." not in copied


def test_every_package_is_in_the_image() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages == {"crm_core", "telephony", "routing", "agent_ui"}
    assert all(f"COPY {name} {name}\n" in DOCKERFILE for name in packages)


def test_every_service_builds_a_stage_that_exists(compose: dict[str, Any]) -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\w+)$", DOCKERFILE, re.M))
    built = {each["build"]["target"] for each in compose["services"].values() if "build" in each}
    assert built == stages


def test_every_volume_is_declared_and_shared_ones_are_at_one_place(compose: dict[str, Any]) -> None:
    places: dict[str, set[str]] = {}
    for service in compose["services"].values():
        for mount in service.get("volumes", ()):
            name, place = mount.split(":")[:2]
            places.setdefault(name, set()).add(place)
    assert set(places) == set(compose["volumes"])
    assert all(len(found) == 1 for found in places.values())


def test_variables_are_settings_that_exist(compose: dict[str, Any]) -> None:
    known = {f"ZUOXI_{name.upper()}" for name in Settings.model_fields}
    assert settings_in(ENV_EXAMPLE) == known
    assert settings_in(DOCKERFILE) | settings_in(yaml.safe_dump(compose)) <= known


def test_example_says_the_true_defaults() -> None:
    defaults = Settings()
    for name, value in re.findall(r"^#?ZUOXI_([A-Z_]+)=(.*)$", ENV_EXAMPLE, re.M):
        default = getattr(defaults, name.lower())
        if name not in ("PUBLIC_URL", "TRUSTED_PROXIES"):  # these show how they look
            assert value == ("" if default is False else str(default)), name


def test_what_compose_asks_for_stands_in_the_example(compose: dict[str, Any]) -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", yaml.safe_dump(compose)))
    assert asked == set(re.findall(r"^#((?!ZUOXI_)[A-Z_]+)=", ENV_EXAMPLE, re.M))


PRODUCT = ("crm_core", "telephony", "routing", "agent_ui")


def test_every_service_of_the_product_is_started(compose: dict[str, Any]) -> None:
    commands = {
        name: each["command"]
        for name, each in compose["services"].items()
        if each.get("build", {}).get("target") == "zuoxi"
    }
    assert commands == {name: ["python", "-m", name] for name in PRODUCT}


def test_redis_keeps_nothing_and_is_open_to_this_host_alone(compose: dict[str, Any]) -> None:
    redis = compose["services"]["redis"]
    assert redis["command"][1:] == ["--save", "", "--appendonly", "no"]
    assert redis["ports"] == ["127.0.0.1:6379:6379"]


@pytest.mark.parametrize("service", PRODUCT)
def test_zuoxi_in_compose_has_good_settings(compose: dict[str, Any], service: str) -> None:
    values = {**SECRETS, "POSTGRES_PASSWORD": "pw"}
    environ = {
        name: re.sub(r"\$\{(\w+)[^}]*\}", lambda found: values[found[1]], value)
        for name, value in compose["services"][service]["environment"].items()
    }
    settings = read(environ)
    assert settings.is_split
    (pbx,) = settings.pbxs
    assert (pbx.secret, pbx.control_secret) == tuple(SECRETS.values())
    mounts = {mount.split(":")[1] for mount in compose["services"][service]["volumes"]}
    assert pbx.queue_log is not None
    assert mounts == {
        str(settings.asterisk_conf),
        str(settings.var),
        str(pbx.queue_log.parent),
        str(pbx.recordings),
    }


# --- the entrypoint of Asterisk -------------------------------------------------------------------


def render(folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(ENTRYPOINT), "render", str(folder)],
        env={"PATH": "/usr/bin:/bin", **SECRETS, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def system_name(folder: Path) -> str:
    return (folder / "zuoxi-asterisk.conf").read_text().removeprefix("systemname = ").rstrip("\n")


@pytest.mark.parametrize(
    ("environ", "more"),
    [
        ({}, {}),
        (
            {"SIP_ADDRESS": "192.0.2.1", "SIP_PORT": "5070", "RTP_FIRST": "12000"},
            {"sip_address": "192.0.2.1", "sip_port": 5070, "rtp_ports": (12000, 20000)},
        ),
        (
            {"TRUNK_ADDRESSES": "192.0.2.10,198.51.100.0/24", "ANSWER_FIRST": "no"},
            {"trunk_addresses": ("192.0.2.10", "198.51.100.0/24"), "answer_first": False},
        ),
        (
            {"AMI_CLIENTS": "127.0.0.1/32, 192.0.2.0/24", "AMI_ADDRESS": "0.0.0.0"},
            {"ami_clients": ("127.0.0.1/32", "192.0.2.0/24"), "ami_address": "0.0.0.0"},
        ),
    ],
)
def test_entrypoint_writes_what_the_product_would(
    tmp_path: Path, environ: dict[str, str], more: dict[str, Any]
) -> None:
    assert render(tmp_path, **environ).returncode == 0
    site = Site(
        system_name=system_name(tmp_path),
        events_secret=SECRETS["AMI_EVENTS_SECRET"],
        control_secret=SECRETS["AMI_CONTROL_SECRET"],
        **more,
    )
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert written == render_site(site)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o640}


def test_system_name_is_made_once_and_differs_from_site_to_site(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        assert render(tmp_path / folder).returncode == 0
    first = system_name(tmp_path / "a")
    assert render(tmp_path / "a", SIP_PORT="5070").returncode == 0
    assert system_name(tmp_path / "a") == first
    assert re.fullmatch(r"[0-9a-f]{16}", first)
    assert system_name(tmp_path / "b") != first


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AMI_EVENTS_SECRET", ""),
        ("AMI_EVENTS_SECRET", "short"),
        ("AMI_CONTROL_SECRET", "with;comment"),
        ("AMI_CONTROL_SECRET", "good-secret\n[general](+)"),
        ("AMI_CONTROL_SECRET", "good-secret\n"),
        ("SIP_ADDRESS", "example.com"),
        ("SIP_PORT", "5060\nx"),
        ("TRUNK_ADDRESSES", "192.0.2.1; $(id)"),
        ("AMI_CLIENTS", "anywhere"),
        ("ANSWER_FIRST", "maybe"),
    ],
)
def test_doubtful_value_is_refused_with_a_sentence_and_nothing_is_written(
    tmp_path: Path, name: str, value: str
) -> None:
    done = render(tmp_path / "site", **{name: value})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"docker-entrypoint.sh: {name} must be ")
    assert not (tmp_path / "site").exists()
