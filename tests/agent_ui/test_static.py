"""What browsers are given: files with a release in their address, nothing from elsewhere, old enough."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

from agent_ui.rendering import HERE, StaticFiles
from agent_ui.words import STATES

STATIC = HERE / "static"
FILES = StaticFiles()
CSS = sorted((STATIC / "css").glob("*.css"))
JS = sorted((STATIC / "js").glob("*.js"))
TEMPLATES = sorted((HERE / "templates").rglob("*.html"))

NEWER_THAN_THE_FLOOR = (
    "text-wrap-style",
    "field-sizing",
    "anchor-name",
    "position-anchor",
    "position-try",
    "interpolate-size",
    "calc-size(",
    "view-transition",
    "startViewTransition",
    "@container style",
    "sibling-index(",
    "corner-shape",
    "documentPictureInPicture",
    "setAppBadge",
    "Promise.try",
    "Iterator.concat",
    "Uint8Array.fromBase64",
    ".toHex(",
    "getOrInsert",
    "commandfor",
    "closedby",
    "if(style(",
)
"""After Chromium 131 (2024-11): what the desk needs may not be newer. `text-autospace` and
`text-spacing-trim` are extras: an older browser ignores them and nothing is lost but looks."""


def test_an_address_changes_with_the_content(tmp_path: Path) -> None:
    shutil.copytree(STATIC, tmp_path / "static")
    same = StaticFiles(tmp_path / "static")
    assert same.release == FILES.release
    (tmp_path / "static/css/base.css").write_text("/* other */", encoding="utf-8")
    assert StaticFiles(tmp_path / "static").release != FILES.release


def test_an_address_holds_the_release_as_a_folder() -> None:
    assert FILES.url("js/main.js") == f"/static/{FILES.release}/js/main.js"


def test_a_file_that_is_not_there_has_no_address() -> None:
    with pytest.raises(KeyError, match=re.escape("no file 'js/none.js'")):
        FILES.url("js/none.js")


def test_integrity_is_the_hash_of_the_file() -> None:
    digest = hashlib.sha384((STATIC / "js/main.js").read_bytes()).digest()
    assert FILES.integrity("js/main.js") == "sha384-" + base64.b64encode(digest).decode()


# --- vendor files ---------------------------------------------------------------------------------


def test_vendor_files_are_those_that_vendor_json_names() -> None:
    vendored = json.loads((STATIC / "vendor/vendor.json").read_text(encoding="utf-8"))
    named = {entry["file"]: entry["sha384"] for part in vendored for entry in part["files"]}
    there = {p.name for p in (STATIC / "vendor").iterdir()}
    assert there == {*named, "vendor.json", "THIRD_PARTY.fragment.md"}
    for name, sha384 in named.items():
        digest = hashlib.sha384((STATIC / "vendor" / name).read_bytes()).digest()
        assert base64.b64encode(digest).decode() == sha384
    assert all(part["version"] and part["licence"] for part in vendored)


def test_no_lock_file_of_ours_holds_an_address() -> None:
    lock = (HERE / "frontend/package-lock.json").read_text(encoding="utf-8")
    assert "://" not in lock


def icons_in(path: Path) -> set[str]:
    """Icons a source names outright, and every quoted name of the sprite (one of two may be chosen)."""
    text = path.read_text(encoding="utf-8")
    named = re.findall(r'\bicon(?:_name|:)?[(=]? ?"([a-z-]+)"', text)
    return {*named, *(set(re.findall(r'"([a-z][a-z-]*)"', text)) & set(FILES.icon_names))}


def test_every_icon_that_is_used_is_in_the_sprite_and_none_is_carried_for_nothing() -> None:
    sources = [HERE / "words.py", HERE / "calls/view.py", *TEMPLATES, *JS]
    used = set().union(*(icons_in(path) for path in sources))
    assert used - set(FILES.icon_names) == set()
    assert set(FILES.icon_names) - used == set()


# --- our own files --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*CSS, *JS, *TEMPLATES], ids=lambda path: path.name)
def test_nothing_is_loaded_from_elsewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", text) == []


@pytest.mark.parametrize("path", [*CSS, *JS], ids=lambda path: path.name)
def test_nothing_is_newer_than_the_browser_floor(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert [name for name in NEWER_THAN_THE_FLOOR if name in text] == []


@pytest.mark.parametrize("path", [*CSS, *JS], ids=lambda path: path.name)
def test_a_file_opens_with_a_sentence(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert re.match(r"(/\*|//) .{20,}", first)


@pytest.mark.parametrize("path", JS, ids=lambda path: path.name)
def test_scripts_need_nothing_unsafe(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"\beval\(|new Function\(|setAttribute\(\"style\"|\.cssText", text) == []


def test_every_script_is_reached_from_the_one_that_pages_load() -> None:
    reached: set[str] = set()
    left = ["main.js"]
    while left:
        name = left.pop()
        if name not in reached:
            reached.add(name)
            text = (STATIC / "js" / name).read_text(encoding="utf-8")
            left += re.findall(r'(?:import|from) "\./([a-z-]+\.js)"', text)
    assert reached == {path.name for path in JS}


@pytest.mark.parametrize("path", CSS, ids=lambda path: path.name)
def test_styles_stand_in_a_layer_and_shout_nowhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "@layer" in text
    assert "!important" not in text
    assert "italic" not in text
    assert "uppercase" not in text
    assert "letter-spacing" not in text


# --- colours --------------------------------------------------------------------------------------

TOKENS = (STATIC / "css/tokens.css").read_text(encoding="utf-8")
RAW = {
    name: values
    for name, *values in re.findall(
        r"(--[a-z]+-(?:\d\d|tint)|--on-solid): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);",
        TOKENS,
    )
}
MEANING = dict(re.findall(r"(--color-[a-z-]+): var\((--[a-z0-9-]+)\);", TOKENS))


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio of two colours `#rrggbb`."""

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (
            c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("name", [n for n in MEANING if f"{n}-tint" in MEANING])
def test_text_is_readable_on_its_tint_and_on_every_surface(name: str, theme: int) -> None:
    colour = RAW[MEANING[name]][theme]
    for ground in (f"{name}-tint", "--color-page", "--color-panel", "--color-panel-quiet"):
        assert contrast(colour, RAW[MEANING[ground]][theme]) >= 4.5, ground


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["--color-accent", "--color-danger"])
def test_text_on_a_filled_button_is_readable(name: str, theme: int) -> None:
    on = RAW[MEANING["--color-on-solid"]][theme]
    assert contrast(RAW[MEANING[name]][theme], on) >= 4.5


@pytest.mark.parametrize("state", [s.value for s in STATES])
def test_every_state_has_a_colour_under_its_own_name(state: str) -> None:
    name = state.replace("_", "-")
    assert {f"--color-{name}", f"--color-{name}-tint"} <= set(MEANING)
    assert f".is-{state}" in (STATIC / "css/badge.css").read_text(encoding="utf-8") or (
        state == "offline"  # the badge's own look
    )


@pytest.mark.parametrize("path", CSS, ids=lambda path: path.name)
def test_components_use_meanings_and_no_raw_values(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.name != "tokens.css":
        assert re.findall(r"#[0-9a-f]{3,8}\b|\brgb\(", text) == []
        assert [name for name in RAW if f"var({name})" in text] == []
