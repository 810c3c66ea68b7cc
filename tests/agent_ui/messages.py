"""What there is to translate: every message of the templates, the Python tables and the scripts."""

from __future__ import annotations

from pathlib import Path

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from agent_ui.rendering import HERE, script_message_ids

Key = tuple[str, str | None]
"""A message id (the singular of a plural) and its context."""

METHODS = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
KEYWORDS = {
    "_": None,
    "gettext": None,
    "N_": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
}
OPTIONS = {"templates/**.html": {"trimmed": "false", "silent": "false", "newstyle_gettext": "true"}}


def messages_in_sources(root: Path = HERE) -> set[Key]:
    """The messages that pages may ask for."""
    found: set[Key] = set()
    for _, _, message, _, context in extract_from_dir(
        root, METHODS, OPTIONS, keywords=KEYWORDS, strip_comment_tags=True
    ):
        found.add((message if isinstance(message, str) else message[0], context))
    found.update((message, None) for message in script_message_ids(root / "static"))
    return found


def messages_in_catalogue(language: str) -> dict[Key, tuple[str, ...]]:
    """Message → translations (plural forms in order) of `locale/<language>`."""
    path = HERE / "locale" / language / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as source:
        catalogue = read_po(source, locale=language)
    found: dict[Key, tuple[str, ...]] = {}
    for message in catalogue:
        if not message.id:
            continue
        key = message.id if isinstance(message.id, str) else message.id[0]
        texts = message.string if isinstance(message.string, tuple | list) else (message.string,)
        found[key, message.context] = tuple(str(text) for text in texts)
    return found
