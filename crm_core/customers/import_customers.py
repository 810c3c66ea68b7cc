"""Customers from a csv file: `zuoxi import customers`.

Good rows go in, batch by batch; bad rows are listed with their line and the reason. A row whose
number a customer has already is that customer: it changes what its cells say, an empty cell changes
nothing. Rows of one file with the same number are one customer, the later row's word counts; so
importing a file again changes nothing. Cells are text, whatever a spreadsheet would make of them.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field
from datetime import datetime
from typing import IO, Any, BinaryIO, cast

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.access.audit import COMMAND_LINE, audit
from crm_core.customers.csv_columns import CONTACT, PHONE, POSITION
from crm_core.customers.csv_rows import CsvRow, encoding_of, read_csv
from crm_core.customers.edit import change_customer, insert_customers
from crm_core.customers.fields import FieldDefinition, definitions
from crm_core.customers.models import ImportBatch, PhoneNumber
from crm_core.customers.phone_numbers import NumberKind, normalise
from crm_core.customers.queries import records
from crm_core.customers.values import (
    LONGEST,
    OF_LINES,
    ContactValue,
    CustomerValues,
    PhoneValue,
    custom_value,
    text_value,
)
from crm_core.db import reading, transaction
from crm_core.errors import Invalid
from crm_core.quick_dataclass import dataclass

BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """Rows, by what became of them. `refused`: (line, reason) of every row that was not taken."""

    added: int
    changed: int
    unchanged: int
    refused: tuple[tuple[int, str], ...]
    ignored_columns: tuple[str, ...] = ()
    """Names of columns that hold no field: their cells were left out."""


async def import_customers(
    engine: AsyncEngine,
    file: BinaryIO,
    *,
    file_name: str,
    now: datetime,
    actor: str = COMMAND_LINE,
    region: str = "CN",
    progress: Callable[[int], None] | None = None,
) -> ImportReport:
    """Each batch has its own transaction: what went in before an interruption stays, and the import
    is simply run again.

    `progress` is told the number of rows read. Raises `Invalid` when the file as a whole cannot be
    read (unknown encoding, no column of numbers).
    """
    file = _seekable(file)
    encoding = encoding_of(file)
    async with reading(engine) as connection:
        fields = await definitions(connection)
    header, rows = read_csv(file, encoding, fields)
    together = _rows_of_one_customer(rows, region)
    async with transaction(engine) as connection:
        batch_id = await connection.scalar(
            insert(ImportBatch)
            .values(at=now, file_name=file_name[:256], actor=actor[:64])
            .returning(ImportBatch.id)
        )
        assert batch_id is not None
    count = _Count()
    _header, rows = read_csv(file, encoding, fields)
    good = _merged(_checked(rows, fields, region, count, progress), together)
    for batch in _batches(good):
        async with transaction(engine) as connection:
            await _write(connection, batch, count, batch_id, now)
    async with transaction(engine) as connection:
        await _close(connection, batch_id, count, file_name, actor, now)
    return ImportReport(
        added=count.added,
        changed=count.changed,
        unchanged=count.unchanged,
        refused=tuple(sorted(count.refused)),
        ignored_columns=header.ignored,
    )


@dataclass(slots=True)
class _Count:
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    lines: dict[int, int] = field(default_factory=dict)
    """Customers who were there before, and which line was theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What one or more rows say about one customer. `rows`: how many, `line`: the last one's."""

    line: int
    values: CustomerValues
    rows: int = 1


def _seekable(file: BinaryIO) -> BinaryIO:
    """The file is read three times (encoding, rows that belong together, import)."""
    if file.seekable():
        return file
    copy: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed with its last reference)
    while chunk := file.read(1 << 20):
        copy.write(chunk)
    return cast("BinaryIO", copy)


# --- rows -----------------------------------------------------------------------------------------


def _rows_of_one_customer(rows: Iterable[CsvRow], region: str) -> dict[int, int]:
    """Lines that share a number with an earlier one, and that one's: line → first line.

    Only numbers and lines are kept: a million rows are some 100 MB for the length of an import.
    """
    first_of: dict[str, int] = {}
    group_of: dict[int, int] = {}
    for row in rows:
        try:
            numbers = [phone.number for phone in _phones(row, region)]
        except Invalid:
            continue
        groups = sorted({_root(group_of, first_of[one]) for one in numbers if one in first_of})
        first = groups[0] if groups else row.line
        for later in groups[1:]:
            group_of[later] = first  # this row's two numbers make two customers one
        if groups:
            group_of[row.line] = first
            group_of[first] = first
        for number in numbers:
            first_of.setdefault(number, first)
    return {line: _root(group_of, line) for line in group_of}


def _root(group_of: dict[int, int], line: int) -> int:
    while group_of.get(line, line) != line:
        line = group_of[line]
    return line


def _checked(
    rows: Iterable[CsvRow],
    fields: Sequence[FieldDefinition],
    region: str,
    count: _Count,
    progress: Callable[[int], None] | None,
) -> Iterator[tuple[int, CustomerValues]]:
    """Good rows as values; bad ones go into the count."""
    for read, row in enumerate(rows, start=1):
        if progress is not None and read % BATCH == 0:
            progress(read)
        try:
            yield row.line, _values(row, fields, region)
        except Invalid as wrong:
            count.refused.append((row.line, wrong.detail))


def _values(row: CsvRow, fields: Sequence[FieldDefinition], region: str) -> CustomerValues:
    if row.wrong:
        raise Invalid(row.wrong)
    phones = _phones(row, region)
    if not phones:
        raise Invalid("a phone number is missing")
    texts = {
        key: text_value(row.cells[key][0], key, longest, lines=key in OF_LINES)
        for key, longest in LONGEST.items()
        if key in row.cells
    }
    custom = {
        one.key: custom_value(one, row.cells[one.key][0])
        for one in fields
        if one.custom and one.key in row.cells
    }
    people: tuple[ContactValue, ...] = ()
    if CONTACT in row.cells:
        name = text_value(row.cells[CONTACT][0], CONTACT, 128)
        position = text_value(row.cells.get(POSITION, ("",))[0], POSITION, 128)
        people = (ContactValue(name=name, position=position),) if name else ()
    return CustomerValues(texts=texts, custom=custom, phones=phones, people=people)


_SEVERAL = re.compile(r"[、,，;；|/\n]+")
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?[eE]\+?\d+")


def _phones(row: CsvRow, region: str) -> tuple[PhoneValue, ...]:
    """The numbers of all number cells, several in one cell included."""
    contact = next(iter(row.cells.get(CONTACT, ())), None)
    found: dict[str, PhoneValue] = {}
    for cell in row.cells.get(PHONE, ()):
        cell = re.sub(r"\.0+$", "", cell)  # a spreadsheet's number with decimals
        if _SCIENTIFIC.fullmatch(cell):
            raise Invalid(f"{cell} has lost its digits: format the column as text and save again")
        whole = normalise(cell, region)
        parts = [cell] if whole.kind is not NumberKind.UNKNOWN else _SEVERAL.split(cell)
        for part in filter(str.strip, parts):
            number = normalise(part, region)
            if number.number is None or number.kind is NumberKind.UNKNOWN:
                raise Invalid(f"{part.strip()[:40]!r} is not a phone number")
            raw = text_value(part, "phone", 64)
            value = PhoneValue(number=number.number, raw=raw, contact=contact)
            found.setdefault(number.number, value)
    return tuple(found.values())


def _merged(
    rows: Iterable[tuple[int, CustomerValues]], together: dict[int, int]
) -> Iterator[_Wanted]:
    """Rows of one customer as one, in the place of the last of them."""
    left: dict[int, int] = {}
    for first in together.values():
        left[first] = left.get(first, 0) + 1
    waiting: dict[int, _Wanted] = {}
    for line, values in rows:
        if line not in together:
            yield _Wanted(line=line, values=values)
            continue
        first = together[line]
        if first in waiting:
            before = waiting[first]
            merged = before.values.followed_by(values)
            waiting[first] = _Wanted(line=line, values=merged, rows=before.rows + 1)
        else:
            waiting[first] = _Wanted(line=line, values=values)
        left[first] -= 1
        if not left[first]:
            yield waiting.pop(first)
    yield from waiting.values()  # those with a refused row among them


def _batches(wanted: Iterable[_Wanted]) -> Iterator[list[_Wanted]]:
    batch: list[_Wanted] = []
    for one in wanted:
        batch.append(one)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


# --- the database ---------------------------------------------------------------------------------


async def _write(
    connection: AsyncConnection,
    batch: Sequence[_Wanted],
    count: _Count,
    batch_id: int,
    now: datetime,
) -> None:
    owners = await _owners(connection, batch)
    new = [one.values for one, owner in zip(batch, owners, strict=True) if owner is None]
    await insert_customers(connection, new, now=now, batch_id=batch_id)
    for one, owner in zip(batch, owners, strict=True):
        if owner is None:
            count.added += 1
            count.changed += one.rows - 1
            continue
        if owner["id"] in count.lines:
            # Two rows, two numbers, one customer: each would undo the other at every import.
            line = count.lines[owner["id"]]
            count.refused.append((one.line, f"this is the customer of line {line}"))
        elif await _change(connection, owner, one.values, now):
            count.changed += one.rows
        else:
            count.unchanged += one.rows
        count.lines.setdefault(owner["id"], one.line)


async def _owners(
    connection: AsyncConnection, batch: Sequence[_Wanted]
) -> list[dict[str, Any] | None]:
    """The present file of each: who has one of the numbers, with the same name if several have."""
    numbers = {phone.number for one in batch for phone in one.values.phones}
    rows = await connection.execute(
        select(PhoneNumber.number, PhoneNumber.customer_id)
        .where(PhoneNumber.number.in_(numbers))
        .order_by(PhoneNumber.customer_id)
    )
    holders: dict[str, list[int]] = {}
    for number, customer_id in rows:
        holders.setdefault(number, []).append(customer_id)
    files = await records(connection, sorted({one for ids in holders.values() for one in ids}))
    owners: list[dict[str, Any] | None] = []
    for one in batch:
        ids = [id_ for phone in one.values.phones for id_ in holders.get(phone.number, ())]
        named = [id_ for id_ in ids if files[id_]["name"] == one.values.texts.get("name")]
        owner = next(iter(named or ids), None)
        owners.append(None if owner is None else files[owner])
    return owners


async def _change(
    connection: AsyncConnection, present: dict[str, Any], values: CustomerValues, now: datetime
) -> bool:
    """What the rows say comes to what is there; nothing of it goes."""
    kept = CustomerValues(
        texts={},
        custom={},
        phones=tuple(
            PhoneValue(number=one["number"], raw=one["raw"], contact=one["contact"])
            for one in present["phones"]
        ),
        people=tuple(
            ContactValue(name=one["name"], position=one["position"]) for one in present["contacts"]
        ),
    ).followed_by(values)
    changed = await change_customer(
        connection, present, kept.texts, kept.custom, kept.phones, kept.people, now=now
    )
    return bool(changed)


async def _close(
    connection: AsyncConnection,
    batch_id: int,
    count: _Count,
    file_name: str,
    actor: str,
    now: datetime,
) -> None:
    counted = {
        "added": count.added,
        "changed": count.changed,
        "unchanged": count.unchanged,
        "refused": len(count.refused),
    }
    await connection.execute(
        update(ImportBatch).where(ImportBatch.id == batch_id).values(**counted)
    )
    await audit(connection, actor, "customers.import", file_name, counted, at=now)
