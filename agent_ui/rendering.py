"""Templates to HTML: one Jinja2 environment per language, made once, used for pages and for pushes.

`Renderer.render("desk/page.html", "zh_CN", shell=…, page=…)`. Which value a template takes is written
at that value's class in `auth_view`, `desk.view` and `calls.view`; for regions of the desk in
`live.regions.DRAWINGS`. A missing or misspelt value raises (StrictUndefined), it never shows as empty.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import cache, cached_property
from gettext import GNUTranslations, NullTranslations
from hashlib import sha384
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from agent_ui import words

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent
LANGUAGES: Mapping[str, str] = {"zh_CN": "zh-CN", "en": "en"}
"""Our name of a language → the value of the `lang` attribute."""

SCRIPT_MESSAGE = re.compile(r"""\bt\(\s*"((?:[^"\\]|\\.)*)\"""")
"""What the browser's own strings look like in static/js: t("…")."""


def translations(language: str) -> NullTranslations:
    """The catalogue of `language`, compiled in memory: no compiled file can be stale."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    path = HERE / "locale" / language / "LC_MESSAGES" / "messages.po"
    compiled = BytesIO()
    with path.open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    return GNUTranslations(compiled)


class StaticFiles:
    """The files below `static/` and their addresses, which hold the release.

    The address changes with the content, so a browser may keep a file for ever; relative imports of
    our unbundled modules stay right, because the release is a folder of the path.
    """

    def __init__(self, root: Path = HERE / "static") -> None:
        self.root = root
        digests = {name: sha384(path.read_bytes()) for name, path in self._files()}
        self._integrity = {
            name: "sha384-" + b64encode(digest.digest()).decode()
            for name, digest in digests.items()
        }
        whole = sha384()
        for name in sorted(digests):
            whole.update(name.encode() + digests[name].digest())
        self.release = whole.hexdigest()[:12]

    def _files(self) -> Iterator[tuple[str, Path]]:
        for path in sorted(self.root.rglob("*")):
            if path.is_file():
                yield path.relative_to(self.root).as_posix(), path

    def url(self, name: str) -> str:
        """The address of a file, e.g. `css/desk.css`. Raises KeyError for one that is not there."""
        if name not in self._integrity:
            raise KeyError(f"agent_ui/static has no file {name!r}")
        return f"/static/{self.release}/{name}"

    def integrity(self, name: str) -> str:
        """What a page's `integrity` attribute says of the file."""
        return self._integrity[name]

    def names(self, folder: str, suffix: str) -> list[str]:
        return [n for n in self._integrity if n.startswith(f"{folder}/") and n.endswith(suffix)]

    @cached_property
    def icons(self) -> str:
        """The address of the icon sprite; its version is in its name."""
        return self.url(self._sprite)

    @cached_property
    def icon_names(self) -> list[str]:
        """What the sprite holds."""
        text = (self.root / self._sprite).read_text(encoding="utf-8")
        return re.findall(r'<symbol id="([^"]+)"', text)

    @property
    def _sprite(self) -> str:
        return self.names("vendor", ".svg")[0]


class Renderer:
    """All templates in all languages, for one site's time zone."""

    def __init__(self, zone: ZoneInfo, *, development: bool = False) -> None:
        self.static = StaticFiles()
        self._zone, self._development = zone, development
        self._catalogue = cache(translations)
        self._environment = cache(self._make_environment)

    def warm(self, template: str) -> None:
        """Make what the first page would wait for: `template` compiled, in every language."""
        for language in LANGUAGES:
            self._environment(language).get_template(template)

    def render(self, template: str, language: str, **context: object) -> str:
        """`template` below templates/, in `language` (zh_CN or en; another one reads Chinese)."""
        return self._environment(_ours(language)).get_template(template).render(context)

    def text(self, message: str, language: str) -> str:
        """One message in `language`, for what is not a page; one that no catalogue has stays as it is."""
        return self._catalogue(_ours(language)).gettext(message)

    def _make_environment(self, language: str) -> Environment:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            extensions=["jinja2.ext.i18n"],
            auto_reload=self._development,
            cache_size=-1,
            lstrip_blocks=True,
        )
        catalogue = self._catalogue(language)
        # newstyle: placeholders are filled after escaping, so a caller's name cannot be markup
        environment.install_gettext_translations(  # type: ignore[attr-defined]
            catalogue, newstyle=True
        )
        environment.filters.update(filters(self._zone, catalogue))
        environment.globals.update(
            static=self.static.url,
            integrity=self.static.integrity,
            icons=self.static.icons,
            icon_names=self.static.icon_names,
            stylesheets=self.static.names("css", ".css"),
            scripts=self.static.names("js", ".js"),
            script_messages=_script_messages(self.static.root, catalogue),
            language=language,
            lang=LANGUAGES[language],
            languages=LANGUAGES,
            words=words,
        )
        return environment


def _ours(language: str) -> str:
    return language if language in LANGUAGES else "zh_CN"


def _script_messages(static: Path, catalogue: NullTranslations) -> Markup:
    """The browser's own strings as JSON for `<script type="application/json" id="messages">`."""
    found = {message: catalogue.gettext(message) for message in script_message_ids(static)}
    text = json.dumps(found, ensure_ascii=False, sort_keys=True)
    # "</script" inside a data block would end it
    return Markup(text.replace("<", "\\u003c"))


def script_message_ids(static: Path = HERE / "static") -> Iterable[str]:
    """Every t("…") of our own scripts, sorted."""
    sources = (path.read_text(encoding="utf-8") for path in sorted((static / "js").glob("*.js")))
    return sorted({json.loads(f'"{m}"') for text in sources for m in SCRIPT_MESSAGE.findall(text)})


# --- filters --------------------------------------------------------------------------------------


def filters(zone: ZoneInfo, catalogue: NullTranslations) -> dict[str, Any]:
    """What templates may do with a value. Instants are aware; they show in the site's zone."""

    def clock(at: datetime) -> str:
        """16:42:07"""
        return f"{at.astimezone(zone):%H:%M:%S}"

    def moment(at: datetime) -> str:
        """11-18 15:20"""
        return f"{at.astimezone(zone):%m-%d %H:%M}"

    def stamp(at: datetime) -> str:
        """2026-11-18 15:20:07"""
        return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"

    def day(at: datetime) -> date:
        return at.astimezone(zone).date()

    def span(seconds: int | None) -> str:
        """3 分 12 秒: a duration in prose"""
        return _span(seconds or 0, catalogue)

    return {
        "clock": clock,
        "moment": moment,
        "stamp": stamp,
        "day": day,
        "iso": iso,
        "duration": duration,
        "span": span,
        "phone": phone,
        # a sentence that comes as data, translated if the catalogue has it; `_` would fill in its %
        "known": catalogue.gettext,
    }


def _span(seconds: int, catalogue: NullTranslations) -> str:
    minutes, rest = divmod(max(0, seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return catalogue.gettext("%(hours)d h %(minutes)d min") % {
            "hours": hours,
            "minutes": minutes,
        }
    if minutes:
        return catalogue.gettext("%(minutes)d min %(seconds)d s") % {
            "minutes": minutes,
            "seconds": rest,
        }
    return catalogue.gettext("%(seconds)d s") % {"seconds": rest}


def iso(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: what `<time datetime>` and <call-timer since> read."""
    utc = at.astimezone(ZoneInfo("UTC"))
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def duration(seconds: float | timedelta | None) -> str:
    """mm:ss, from one hour h:mm:ss; an en dash where nobody knows."""
    if seconds is None:
        return "–"
    if isinstance(seconds, timedelta):
        seconds = seconds.total_seconds()
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


MASKED = re.compile(r"^(\+?[^*]*)(\*+)([^*]*)$")
FIXED = re.compile(r"^(\+86)(10|2\d|[3-9]\d\d)(\d{3,4})(\d{4})$")


def phone(number: str) -> str:
    """A number with the spaces that people read it by; nothing but spaces is added.

    A Chinese mobile number is 138 0013 8000, a fixed one 20 6123 8899 behind +86; a masked number
    parts where the mask begins and ends.
    """
    masked = MASKED.match(number)
    if masked:
        return " ".join(part for part in masked.groups() if part)
    if len(number) == 11 and number.startswith("1") and number.isdecimal():
        return f"{number[:3]} {number[3:7]} {number[7:]}"
    if len(number) == 14 and number.startswith("+861") and number[1:].isdecimal():
        return f"+86 {number[3:6]} {number[6:10]} {number[10:]}"
    fixed = FIXED.match(number)
    return " ".join(fixed.groups()) if fixed else number
