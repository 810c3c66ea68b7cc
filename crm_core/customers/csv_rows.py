"""A customers' csv as it comes from a spreadsheet: encoding, header and rows, streamed.

UTF-8 with or without a mark, else GB18030 (what Chinese spreadsheets save). Columns stand in any
order under Chinese or English names.
"""

from __future__ import annotations

import codecs
import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

from crm_core.customers.csv_columns import NAMES, PHONE
from crm_core.customers.fields import FieldDefinition
from crm_core.errors import Invalid
from crm_core.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Which field each column holds; None: a column that nobody asked for."""

    columns: tuple[str | None, ...]
    ignored: tuple[str, ...]
    """The names of those columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvRow:
    """Cells by field, empty ones left out. `wrong`: why the row cannot be read at all."""

    line: int
    """Where the row begins; the header's is 1."""
    cells: Mapping[str, tuple[str, ...]]
    wrong: str | None = None


def encoding_of(file: BinaryIO) -> str:
    """`utf-8-sig` or `gb18030`; the file is read once and wound back. Raises `Invalid`."""
    for encoding in ("utf-8-sig", "gb18030"):
        file.seek(0)
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            while chunk := file.read(1 << 20):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        file.seek(0)
        return encoding
    raise Invalid("The file is neither UTF-8 nor GB18030: save it as CSV UTF-8.")


def read_csv(
    file: BinaryIO, encoding: str, fields: Iterable[FieldDefinition]
) -> tuple[Header, Iterator[CsvRow]]:
    """The header, and the rows as they are asked for. Raises `Invalid` for a header without a
    column of numbers."""
    file.seek(0)
    lines = _lines(file, encoding)
    first = next(lines, "")
    # A quoted name may hold a line break; the header of a list of customers does not.
    delimiter = max(",\t;，", key=first.count)
    names = next(csv.reader([first], delimiter=delimiter), [])
    header = _header(names, fields)
    return header, _rows(csv.reader(lines, delimiter=delimiter), header)


def _lines(file: BinaryIO, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    rest = ""
    while chunk := file.read(1 << 16):
        # csv refuses NUL, and no field keeps it.
        *lines, rest = (rest + decoder.decode(chunk).replace("\0", "")).split("\n")
        for line in lines:
            yield f"{line}\n"
    if rest := rest + decoder.decode(b"", final=True):
        yield rest


def _header(names: list[str], fields: Iterable[FieldDefinition]) -> Header:
    known = {word: field for field, words in NAMES.items() for word in words.split(" ")}
    for field in fields:
        if field.key not in ("contacts", *NAMES) or field.key == PHONE:
            known |= dict.fromkeys(
                map(_word, (field.key, field.label_zh, field.label_en)), field.key
            )
    columns: list[str | None] = []
    ignored = []
    for name in names:
        word = _word(name)
        found = known.get(word) or known.get(word.rstrip("0123456789"))
        if found is not None and found != PHONE and found in columns:
            raise Invalid(f"Two columns hold the same field: {name.strip()}.")
        if found is None and word:
            ignored.append(name.strip()[:64])
        columns.append(found)
    if PHONE not in columns:
        raise Invalid(
            "No column holds phone numbers; its name in the first line is 电话, 手机 or phone."
        )
    return Header(columns=tuple(columns), ignored=tuple(ignored))


def _word(name: str) -> str:
    narrow = unicodedata.normalize("NFKC", name).lower()
    return re.sub(r"[\s_\-:*\"'.()（）]+", "", narrow)


def _rows(reader: Iterator[list[str]], header: Header) -> Iterator[CsvRow]:
    # csv counts the lines it was given; the header was read before it.
    line = 2
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as wrong:
            yield CsvRow(line=line, cells={}, wrong=f"this is not csv: {wrong}")
            line = _next_line(reader)
            continue
        row = _row(line, cells, header)
        if row is not None:
            yield row
        line = _next_line(reader)


def _next_line(reader: Iterator[list[str]]) -> int:
    return int(reader.line_num) + 2  # type: ignore[attr-defined]  # csv's reader has no public name


def _row(line: int, cells: list[str], header: Header) -> CsvRow | None:
    if not any(cell.strip() for cell in cells):
        return None
    if any(cell.strip() for cell in cells[len(header.columns) :]):
        return CsvRow(line=line, cells={}, wrong="there are more cells than names in line 1")
    found: dict[str, tuple[str, ...]] = {}
    for column, cell in zip(header.columns, cells, strict=False):
        if column is not None and cell.strip():
            found[column] = (*found.get(column, ()), cell.strip())
    return CsvRow(line=line, cells=found)
