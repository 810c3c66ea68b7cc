"""Settings: environment variables and `.env`, prefix `ZUOXI_`, read once in `zuoxi.main`.

Each has a default that works on a laptop, or a sentence that says what to set. A secret may come
from a file: `ZUOXI_PBX_URLS_FILE=/run/secrets/pbx` (a list: one entry a line).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from crm_core.errors import SettingError
from crm_core.ids import PbxId
from crm_core.quick_dataclass import dataclass

_PBX_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""It stands in the names of files and folders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PbxUrl:
    """One entry of `ZUOXI_PBX_URLS`: where an Asterisk is and how to log in."""

    pbx: PbxId
    host: str
    port: int
    user: str
    secret: str
    control_user: str
    control_secret: str
    tls: bool = False
    queue_log: Path | None = None
    recordings: Path | None = None
    """Asterisk's folder of recordings (`/var/spool/asterisk/monitor`) as this machine sees it."""
    sip: str = ""
    """`HOST:PORT` where phones register, for the seats' pages; empty: `host`, port 5060."""
    demo: bool = False


def pbx_url(text: str) -> PbxUrl:
    """Parse `ami://user:secret@host:port/name?queue_log=PATH&recordings=PATH&control=user:secret
    &sip=host:port`, or `demo:`."""
    if text == "demo:":
        return PbxUrl(
            pbx=PbxId("demo"),
            host="127.0.0.1",
            port=0,
            user="zuoxi-events",
            secret="",
            control_user="zuoxi-control",
            control_secret="",
            demo=True,
        )
    parts = urlsplit(text)
    if parts.scheme not in ("ami", "amis"):
        raise SettingError(
            f"ZUOXI_PBX_URLS: {text.split('@')[-1]!r} does not begin with ami://, amis:// or demo:"
        )
    name = parts.path.strip("/")
    if not (parts.hostname and parts.username and parts.password and name):
        raise SettingError(
            "ZUOXI_PBX_URLS: an entry looks like ami://user:secret@host:5038/name; "
            f"this one lacks a part: {parts.hostname or '(no host)'}/{name or '(no name)'}"
        )
    if not _PBX_NAME.fullmatch(name):
        raise SettingError(
            "ZUOXI_PBX_URLS: the name of a PBX is letters, digits, dot, dash and underscore; "
            f"{name!r} is not"
        )
    try:
        port = parts.port or (5039 if parts.scheme == "amis" else 5038)
    except ValueError:
        raise SettingError(f"ZUOXI_PBX_URLS: the port of {name!r} is not a number") from None
    query = parse_qs(parts.query)
    user, secret = unquote(parts.username), unquote(parts.password)
    control_user, _, control_secret = query.get("control", [f"{user}:{secret}"])[0].partition(":")
    queue_log = query.get("queue_log", [None])[0]
    recordings = query.get("recordings", [None])[0]
    sip = query.get("sip", [""])[0]
    if sip and not _is_host_and_port(sip):
        raise SettingError(
            f"ZUOXI_PBX_URLS: sip= of {name!r} is HOST:PORT, for instance sip=192.0.2.10:5060"
        )
    return PbxUrl(
        pbx=PbxId(name),
        host=parts.hostname,
        port=port,
        user=user,
        secret=secret,
        control_user=control_user,
        control_secret=control_secret,
        tls=parts.scheme == "amis",
        queue_log=Path(queue_log) if queue_log else None,
        recordings=Path(recordings) if recordings else None,
        sip=sip,
    )


def pbx_id(name: str) -> PbxId:
    """The name of a PBX that somebody gave. Raises `SettingError`."""
    if not _PBX_NAME.fullmatch(name):
        raise SettingError(
            f"the name of a PBX is letters, digits, dot, dash and underscore; {name!r} is not"
        )
    return PbxId(name)


def _is_host_and_port(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isascii() and port.isdecimal() and 0 < int(port) <= 65535


class Settings(BaseModel):
    """All settings. Their names, upper case with `ZUOXI_` before them, are the variables' names."""

    model_config = ConfigDict(frozen=True)

    database_url: str = "sqlite:///var/zuoxi.db"
    bus_url: str = "memory:"
    pbx_urls: str = ""
    agi_bind: str = "127.0.0.1:4573"
    asterisk_conf: Path = Path("var/asterisk")
    http_bind: str = "127.0.0.1:8000"
    public_url: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    trusted_proxies: str = ""
    insecure_http: bool = False
    var: Path = Path("var")
    timezone: str = "Asia/Shanghai"
    region: str = "CN"
    language: str = "zh_CN"
    log_level: str = "info"
    log_format: str = "text"

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("no such time zone; use a name like Asia/Shanghai") from None
        return value

    @field_validator("language")
    @classmethod
    def _known_language(cls, value: str) -> str:
        if value not in ("zh_CN", "en"):
            raise ValueError("use zh_CN or en")
        return value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if not value.startswith(("sqlite:///", "postgresql://")):
            raise ValueError("use sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME")
        return value

    @field_validator("bus_url")
    @classmethod
    def _known_bus(cls, value: str) -> str:
        if value != "memory:" and not value.startswith(("redis://", "rediss://")):
            raise ValueError("use memory: or redis://HOST:PORT/NUMBER (rediss:// for TLS)")
        return value

    @field_validator("log_format")
    @classmethod
    def _known_format(cls, value: str) -> str:
        if value not in ("text", "json"):
            raise ValueError("use text or json")
        return value

    @field_validator("http_bind")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535:
            raise ValueError("use HOST:PORT, for instance 127.0.0.1:8000")
        return value

    @field_validator("agi_bind")
    @classmethod
    def _one_address(cls, value: str) -> str:
        host = cls._host_and_port(value).rpartition(":")[0].strip("[]")
        if host in ("0.0.0.0", "::", "*"):
            raise ValueError(
                "use the one address that Asterisk reaches, for instance 127.0.0.1:4573: nobody is "
                "asked for a password there"
            )
        return value

    @property
    def pbxs(self) -> tuple[PbxUrl, ...]:
        found = tuple(pbx_url(entry.strip()) for entry in self.pbx_urls.split(",") if entry.strip())
        names = [entry.pbx for entry in found]
        if len(set(names)) != len(names):
            raise SettingError("ZUOXI_PBX_URLS: two entries end in the same name")
        return found

    @property
    def secrets(self) -> frozenset[str]:
        """What no log, page or answer may ever show."""
        found = {secret for pbx in self.pbxs for secret in (pbx.secret, pbx.control_secret)}
        for url in (self.database_url, self.bus_url):
            password = urlsplit(url).password or ""
            found |= {password, unquote(password)}
        return frozenset(found - {""})

    @property
    def is_split(self) -> bool:
        """Whether other processes may be on the bus."""
        return self.bus_url != "memory:"

    @property
    def demo_pbxs(self) -> frozenset[PbxId]:
        """The demonstration, where it is one of the PBXs: its phones are drawn on the desk."""
        return frozenset(entry.pbx for entry in self.pbxs if entry.demo)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def agi_address(self) -> tuple[str, int]:
        host, _, port = self.agi_bind.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def http_address(self) -> tuple[str, int]:
        host, _, port = self.http_bind.rpartition(":")
        return host.strip("[]"), int(port)


def read(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process. Raises `SettingError` with a sentence for the first wrong one."""
    source = dict(os.environ if environ is None else environ)
    if environ is None:
        source = {**_dotenv(Path(".env")), **source}
    for name, path in list(source.items()):
        if name.startswith("ZUOXI_") and name.endswith("_FILE") and path:
            try:
                lines = Path(path).read_text(encoding="utf-8").split("\n")
            except OSError as wrong:
                raise SettingError(f"{name}: cannot read {path}: {wrong.strerror}") from None
            source[name.removesuffix("_FILE")] = ",".join(line for line in lines if line.strip())
    fields = {
        field: source[f"ZUOXI_{field.upper()}"]
        for field in Settings.model_fields
        if source.get(f"ZUOXI_{field.upper()}")
    }
    try:
        found = Settings.model_validate(fields)
        _ = found.pbxs
    except ValidationError as wrong:
        first = wrong.errors()[0]
        name = f"ZUOXI_{str(first['loc'][0]).upper()}"
        raise SettingError(f"{name}: {first['msg'].removeprefix('Value error, ')}") from None
    return found


def _dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    return {name: value for name, value in dotenv_values(path).items() if value is not None}
