"""Two columns of a small table that somebody kept in a spreadsheet: xlsx, or csv.

An xlsx is a zip of XML files. Only what a table of names needs is read of it (the first sheet, shared
and inline texts, numbers), so no library is needed; whatever else is in there is left alone.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from crm_core.customers.csv_rows import encoding_of
from crm_core.errors import Invalid

LARGEST_PART = 8 << 20
"""Bytes of one file in the zip, unpacked: a table of names is small, a bomb is not."""

SPREADSHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
SHEETS = re.compile(r"xl/worksheets/sheet(\d+)\.xml")
COLUMN = re.compile(r"[A-Z]+")
WHOLE = re.compile(r"(\d+)\.0+")
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ElementTree.ParseError,
    NotImplementedError,  # a compression that no spreadsheet uses
    RuntimeError,  # a password
)
HEADINGS = frozenset({"number", "agent", "工号", "agent number", "agent_number", "extension"})


def pairs_of(path: Path) -> dict[str, str]:
    """First column → second column, blank lines and a line of headings left out.

    Raises `Invalid` with a sentence: the file cannot be read, or one name has two values.
    """
    try:
        data = path.read_bytes()
    except OSError as wrong:
        raise Invalid(f"cannot read {path}: {wrong.strerror}") from None
    rows = _xlsx(data, path) if data.startswith(b"PK\x03\x04") else _csv(data)
    found: dict[str, str] = {}
    for nth, (name, value) in enumerate(rows):
        if not name or not value or (not nth and value.lower() in HEADINGS):
            continue
        if found.setdefault(name, value) != value:
            raise Invalid(f"{path}: {name} stands for {found[name]} and for {value}")
    if not found:
        raise Invalid(f"{path}: there are no two columns with a name and a number")
    return found


def _csv(data: bytes) -> Iterator[tuple[str, str]]:
    file = io.BytesIO(data)
    text = data.decode(encoding_of(file)).replace("\0", "")
    delimiter = max(",\t;，", key=text.partition("\n")[0].count)
    try:
        for cells in csv.reader(text.splitlines(), delimiter=delimiter):
            first, second, *_ = [*cells, "", ""]
            yield first.strip(), second.strip()
    except csv.Error as wrong:
        raise Invalid(f"no table of names can be read: {wrong}") from None


def _xlsx(data: bytes, path: Path) -> Iterator[tuple[str, str]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            names = packed.namelist()
            sheets = sorted((int(m[1]), name) for name in names if (m := SHEETS.fullmatch(name)))
            if not sheets:
                raise Invalid(f"{path}: there is no sheet in it")
            texts: list[str] = []
            if "xl/sharedStrings.xml" in names:
                texts = [_text(item) for item in _part(packed, "xl/sharedStrings.xml")]
            sheet = _part(packed, sheets[0][1])
    except UNREADABLE as wrong:
        raise Invalid(f"{path} is no xlsx that can be read: {wrong}") from None
    for row in sheet.iter(f"{SPREADSHEET}row"):
        cells = {_column(cell, nth): _value(cell, texts) for nth, cell in enumerate(row)}
        yield cells.get("A", ""), cells.get("B", "")


def _part(packed: zipfile.ZipFile, name: str) -> ElementTree.Element:
    with packed.open(name) as file:
        data = file.read(LARGEST_PART + 1)
    if len(data) > LARGEST_PART:
        raise Invalid(f"{name} is too large for a table of names")
    # Asked of the parser, not of the bytes: they may be in another encoding.
    return ElementTree.fromstring(data, ElementTree.XMLParser(target=_WithoutDeclarations()))


class _WithoutDeclarations(ElementTree.TreeBuilder):
    """No spreadsheet declares a document type, in which entities are."""

    def doctype(self, name: str, _pubid: str | None, _system: str | None) -> None:
        raise Invalid(f"{name} declares entities")


def _column(cell: ElementTree.Element, nth: int) -> str:
    """The letters of `B12`; by its place where the cell does not say."""
    found = COLUMN.match(cell.get("r", ""))
    return found[0] if found else "ABC"[min(nth, 2)]


def _value(cell: ElementTree.Element, texts: list[str]) -> str:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return _text(cell)
    value = (cell.findtext(f"{SPREADSHEET}v") or "").strip()
    if kind == "s":
        at = int(value) if value.isdecimal() and len(value) < 10 else len(texts)
        return texts[at] if at < len(texts) else ""
    whole = WHOLE.fullmatch(value)
    return whole[1] if whole else value


def _text(item: ElementTree.Element) -> str:
    """All runs of a text; how it is pronounced (注音) stands elsewhere in it and is left out."""
    whole = item.find(f"{SPREADSHEET}is")
    ours = item if whole is None else whole
    runs = [
        *ours.findall(f"{SPREADSHEET}t"),
        *ours.findall(f"{SPREADSHEET}r/{SPREADSHEET}t"),
    ]
    return "".join(run.text or "" for run in runs).strip()
