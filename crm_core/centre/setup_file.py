"""The set-up file, read: YAML into checked entries that remember their lines.

Pure. Nothing of a file is believed: sections, keys and values have to be listed here, and what is
wrong is told with its line, all of it at once. Values that end in Asterisk's files (names, numbers,
secrets) hold no character that could end a line or a string there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import Any

import yaml

from crm_core.access.users import wrong_agent_number, wrong_name
from crm_core.centre.plan import RecordingRule, Strategy
from crm_core.customers.models import FieldKind
from crm_core.errors import Invalid
from crm_core.events import Direction
from crm_core.quick_dataclass import dataclass

MOST_CHARACTERS = 2_000_000


class SetupInvalid(Invalid):
    """The set-up file has mistakes; nothing was imported."""

    def __init__(self, mistakes: tuple[tuple[int, str], ...]) -> None:
        self.mistakes = tuple(sorted(mistakes))
        super().__init__("\n".join(f"line {line}: {what}" for line, what in self.mistakes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One item of a section: the values that were named, and where."""

    section: str
    line: int
    values: Mapping[str, Any]
    lines: Mapping[str, int]

    def line_of(self, key: str) -> int:
        return self.lines.get(key, self.line)


@dataclass(slots=True)
class SetupFile:
    """What a file says, and what is wrong with it."""

    pbx: str | None = None
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    mistakes: list[tuple[int, str]] = field(default_factory=list)

    def wrong(self, line: int, what: str) -> None:
        self.mistakes.append((line, what))

    def section(self, name: str) -> list[Entry]:
        return self.entries.get(name, [])


class _Wrong(Exception):
    """This value is not of its kind; the text says what is expected."""


Reader = Callable[[yaml.Node], Any]


def read_setup(text: str) -> SetupFile:
    """Everything that could be understood, with every mistake."""
    found = SetupFile()
    root = _compose(text, found)
    if root is None:
        return found
    if not isinstance(root, yaml.MappingNode):
        found.wrong(1, f"the file is a mapping of sections: {', '.join(SECTIONS)}")
        return found
    for key, node in _pairs(root, found, "the file"):
        if key == "pbx":
            found.pbx = _value(node, _matching(_PBX, "a name of letters and digits"), found, "pbx")
        elif key not in SECTIONS:
            found.wrong(
                _line(node), f"there is no section {key!r}; there are: pbx, {', '.join(SECTIONS)}"
            )
        elif isinstance(node, yaml.SequenceNode):
            found.entries[key] = list(_entries(key, node, found))
        elif _is_null(node):
            found.entries[key] = []
        else:
            found.wrong(_line(node), f"{key}: a list is expected")
    return found


# --- nodes ----------------------------------------------------------------------------------------


def _compose(text: str, found: SetupFile) -> yaml.Node | None:
    if len(text) > MOST_CHARACTERS:
        found.wrong(1, f"the file is longer than {MOST_CHARACTERS} characters")
        return None
    try:
        # Ten lines of aliases can stand for a billion entries: none are taken.
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                found.wrong(_line(event), "aliases (*name) are not taken: write it out")
                return None
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        found.wrong(mark.line + 1 if mark else 1, f"this is not YAML: {wrong.problem}")
    except yaml.YAMLError as wrong:
        found.wrong(1, f"this is not YAML: {wrong}")
    except RecursionError:
        found.wrong(1, "this is not a set-up file: it is nested too deeply")
    return None


def _line(node: yaml.Node | yaml.Event) -> int:
    return int(node.start_mark.line) + 1 if node.start_mark else 1


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _pairs(node: yaml.MappingNode, found: SetupFile, where: str) -> Iterator[tuple[str, yaml.Node]]:
    seen = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            found.wrong(_line(key), f"{where}: a key is a word")
        elif key.value in seen:
            found.wrong(_line(key), f"{where}: {key.value} stands here twice")
        else:
            seen.add(key.value)
            yield key.value, value


def _entries(section: str, node: yaml.SequenceNode, found: SetupFile) -> Iterator[Entry]:
    spec = SECTIONS[section]
    for item in node.value:
        if not isinstance(item, yaml.MappingNode):
            found.wrong(_line(item), f"{section}: keys and values are expected ({spec.example})")
            continue
        values, lines, sound = {}, {}, True
        for key, value in _pairs(item, found, section):
            lines[key] = _line(value)
            reader = spec.readers.get(key)
            if reader is None:
                found.wrong(
                    _line(value),
                    f"{section}: there is no key {key!r}; there are: {', '.join(spec.readers)}",
                )
            elif not _is_null(value):
                values[key] = _value(value, reader, found, f"{section}: {key}")
                sound = sound and values[key] is not None
        for key in spec.needed:
            if key not in values:
                found.wrong(_line(item), f"{section}: {key} is missing")
                sound = False
        if sound:
            yield Entry(section=section, line=_line(item), values=values, lines=lines)


def _value(node: yaml.Node, reader: Reader, found: SetupFile, where: str) -> Any:
    try:
        return reader(node)
    except _Wrong as wrong:
        found.wrong(_line(node), f"{where}: {wrong}")
        return None


# --- kinds of values ------------------------------------------------------------------------------


def _scalar(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _Wrong("one value is expected")
    # The text as it stands there: 0755 is an area code, not 493.
    return str(node.value).strip()


def _text(longest: int, *, lines: bool = False) -> Reader:
    def read(node: yaml.Node) -> str:
        text = _scalar(node)
        if len(text) > longest:
            raise _Wrong(f"at most {longest} characters")
        if not all(char.isprintable() or (lines and char == "\n") for char in text):
            raise _Wrong("control characters are not taken")
        return text

    return read


def _matching(pattern: re.Pattern[str], expected: str, *, is_secret: bool = False) -> Reader:
    def read(node: yaml.Node) -> str:
        text = _scalar(node)
        if not pattern.fullmatch(text):
            # A secret is not repeated in a sentence that terminals and logs keep.
            raise _Wrong(f"{expected} is expected" + ("" if is_secret else f", not {text[:40]!r}"))
        return text

    return read


def _checked(what_is_wrong: Callable[[str], str | None]) -> Reader:
    def read(node: yaml.Node) -> str:
        text = _scalar(node)
        if wrong := what_is_wrong(text):
            raise _Wrong(wrong)
        return text

    return read


def _one_of(*words: str) -> Reader:
    def read(node: yaml.Node) -> str:
        text = _scalar(node)
        if text not in words:
            raise _Wrong(f"one of {', '.join(words)} is expected, not {text[:40]!r}")
        return text

    return read


def _whole(least: int, most: int) -> Reader:
    def read(node: yaml.Node) -> int:
        text = _scalar(node)
        if not (text.isascii() and text.isdecimal() and least <= int(text[:10]) <= most):
            raise _Wrong(f"a whole number from {least} to {most} is expected, not {text[:40]!r}")
        return int(text)

    return read


def _yes_or_no(node: yaml.Node) -> bool:
    text = _scalar(node).lower()
    if text not in ("true", "false", "yes", "no"):
        raise _Wrong("true or false is expected")
    return text in ("true", "yes")


def _list(one: Reader) -> Reader:
    def read(node: yaml.Node) -> tuple[Any, ...]:
        if not isinstance(node, yaml.SequenceNode):
            raise _Wrong("a list is expected")
        return tuple(dict.fromkeys(one(item) for item in node.value))

    return read


def _mapping(name: Reader, one: Reader) -> Reader:
    def read(node: yaml.Node) -> dict[Any, Any]:
        if not isinstance(node, yaml.MappingNode):
            raise _Wrong("names and their values are expected, like A: 20")
        return {name(key): one(value) for key, value in node.value}

    return read


# --- sections -------------------------------------------------------------------------------------

_PBX = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_QUEUE = re.compile(r"(?=[ -~]{1,79}$|.{1,26}$)[^\W_][\w-]*")
"""Letters of any script: queues of a site of somebody else's making have Chinese names. app_queue keeps
79 bytes of a name; a letter has three at most."""
_DIALLED = re.compile(r"\+?[0-9]{2,31}")
_EXTENSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,31}")
_INTERFACE = re.compile(r"[A-Za-z0-9]+/[A-Za-z0-9_.@/-]{1,100}")
_SECRET = re.compile(r"[!-~]{8,128}")
_CONTACT = re.compile(r"sips?:[A-Za-z0-9_.@:=\[\]-]{1,120}")
_SOUND = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}(?:/[A-Za-z0-9][A-Za-z0-9_-]{0,31}){0,3}")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CODE = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The keys of one section's entries, those that each needs, and one entry to show."""

    needed: tuple[str, ...]
    readers: Mapping[str, Reader]
    example: str


_name = _text(128)
_pbx = _matching(_PBX, "a PBX's name")
_queue = _matching(_QUEUE, "a queue's name of letters, digits, - and _ (at most 79 bytes)")
_queue_of_person = _matching(
    re.compile(rf"(?:{_PBX.pattern}/)?{_QUEUE.pattern}"), "a queue's name, or PBX/name,"
)
_extension = _matching(_EXTENSION, "an extension")
_recording = _one_of(*(rule.value for rule in RecordingRule))
_sound = _matching(_SOUND, "a sound's name like zuoxi/recorded, without its ending,")

SECTIONS: Mapping[str, Section] = {
    "projects": Section(
        needed=("name",),
        readers={
            "name": _name,
            "client": _name,
            "default": _yes_or_no,
            "keep_recordings_days": _whole(0, 36_500),
        },
        example="name: Appliances",
    ),
    "queues": Section(
        needed=("name",),
        readers={
            "name": _queue,
            "title": _name,
            "project": _name,
            "pbx": _pbx,
            "strategy": _one_of(*(strategy.value for strategy in Strategy)),
            "ring_seconds": _whole(1, 300),
            "max_wait_seconds": _whole(1, 86_400),
            "wrap_up_seconds": _whole(0, 3_600),
            "max_callers": _whole(0, 10_000),
            "weight": _whole(0, 1_000),
            "announce_position": _yes_or_no,
            "missed_rings": _whole(1, 9),
            "recording": _recording,
            "announcement": _sound,
        },
        example="name: support",
    ),
    "recording": Section(
        needed=("direction", "recording"),
        readers={
            "direction": _one_of(Direction.INTERNAL.value, Direction.OUTBOUND.value),
            "recording": _recording,
            "announcement": _sound,
            "pbx": _pbx,
        },
        example="direction: internal, recording: always",
    ),
    "hotlines": Section(
        needed=("number", "name"),
        readers={
            "number": _matching(_DIALLED, "the number as it arrives, digits only,"),
            "name": _name,
            "greeting": _text(2_000, lines=True),
            "queue": _queue,
            "priorities": _mapping(_text(16), _whole(0, 1_000)),
            "last_agent_days": _whole(0, 365),
            "project": _name,
            "pbx": _pbx,
        },
        example="number: 4008001234, name: Service, queue: support",
    ),
    "teams": Section(
        needed=("name",),
        readers={"name": _name, "project": _name, "region": _text(64)},
        example="name: Team North",
    ),
    "seats": Section(
        needed=("extension",),
        readers={
            "extension": _extension,
            "interface": _matching(_INTERFACE, "an interface like PJSIP/8001"),
            "secret": _matching(
                _SECRET, "a secret of 8 to 128 ASCII characters without spaces", is_secret=True
            ),
            "contact": _matching(_CONTACT, "a SIP address like sip:8001@127.0.0.1:5061"),
            "pbx": _pbx,
        },
        example="extension: 8001",
    ),
    "people": Section(
        needed=("name", "roles"),
        readers={
            "name": _checked(wrong_name),
            "full_name": _name,
            "agent_number": _checked(wrong_agent_number),
            "roles": _list(_text(64)),
            "team": _name,
            "projects": _list(_name),
            "queues": _list(_queue_of_person),
            "extension": _extension,
            "pbx": _pbx,
            "language": _one_of("zh_CN", "en"),
            "password": _text(256),
        },
        example="name: limin, roles: [agent]",
    ),
    "customer_fields": Section(
        needed=("key",),
        readers={
            "key": _matching(_KEY, "a key of small letters, digits and _"),
            "zh": _text(64),
            "en": _text(64),
            "kind": _one_of(*(kind.value for kind in FieldKind)),
            "choices": _list(_text(128)),
            "on_pop": _yes_or_no,
            "read_roles": _list(_text(64)),
            "write_roles": _list(_text(64)),
        },
        example="key: contract, zh: 合同号, en: Contract",
    ),
    "pause_reasons": Section(
        needed=("code", "zh", "en"),
        readers={
            "code": _matching(_CODE, "a code of small letters, digits and _, at most 32,"),
            "zh": _text(64),
            "en": _text(64),
            "active": _yes_or_no,
        },
        example="code: coaching, zh: 辅导, en: Coaching",
    ),
    "dispositions": Section(
        needed=("key", "zh", "en"),
        readers={
            "key": _matching(_KEY, "a key of small letters, digits and _"),
            "zh": _text(64),
            "en": _text(64),
            "digit": _whole(1, 9),
            "parent": _matching(_KEY, "the key of another disposition"),
            "project": _name,
        },
        example="key: resolved, zh: 已解决, en: Resolved",
    ),
}
