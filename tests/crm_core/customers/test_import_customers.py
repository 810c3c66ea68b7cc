"""Customers from csv: encodings, headers, good rows and bad ones, and the same file again."""

from __future__ import annotations

import io
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.access.models import AuditEntry
from crm_core.customers.import_customers import BATCH, ImportReport, import_customers
from crm_core.customers.models import Customer, ImportBatch
from crm_core.customers.queries import records
from crm_core.db import reading
from crm_core.errors import Invalid
from tests.crm_core.centre.a_centre import T0, build
from tests.crm_core.customers.hostile import HOSTILE


async def load(engine: AsyncEngine, text: str, encoding: str = "utf-8") -> ImportReport:
    file = io.BytesIO(text.encode(encoding))
    return await import_customers(engine, file, file_name="customers.csv", now=T0)


async def files(engine: AsyncEngine) -> list[dict[str, Any]]:
    async with reading(engine) as connection:
        ids = list(await connection.scalars(select(Customer.id).order_by(Customer.id)))
        found = await records(connection, ids)
    return [found[id_] for id_ in ids]


def counts(report: ImportReport) -> tuple[int, int, int, int]:
    return report.added, report.changed, report.unchanged, len(report.refused)


PLAIN = "姓名,手机,等级,单位,地址,备注\n陈静,138 0013 8000,VIP,港湾公司,上海市,周一来电\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
async def test_spreadsheet_of_any_encoding_comes_in_whole(
    engine: AsyncEngine, encoding: str
) -> None:
    assert counts(await load(engine, PLAIN, encoding)) == (1, 0, 0, 0)
    [file] = await files(engine)
    assert [file[key] for key in ("name", "grade", "company", "address", "remark")] == [
        "陈静",
        "VIP",
        "港湾公司",
        "上海市",
        "周一来电",
    ]
    assert [one["number"] for one in file["phones"]] == ["+8613800138000"]


async def test_columns_stand_in_any_order_under_either_language(engine: AsyncEngine) -> None:
    await build(engine)
    report = await load(
        engine,
        "Remark;Phone 2;合同号;Contact;Position;Customer Name;Mobile Phone;Shoe size\n"
        "late;010-62345678;C-7;李经理;采购;Harbour;13800138000;43\n",
    )
    assert counts(report) == (1, 0, 0, 0)
    assert report.ignored_columns == ("Shoe size",)
    [file] = await files(engine)
    assert (file["name"], file["remark"], file["fields"]) == (
        "Harbour",
        "late",
        {"contract": "C-7"},
    )
    assert [(one["number"], one["contact"]) for one in file["phones"]] == [
        ("+861062345678", "李经理"),
        ("+8613800138000", "李经理"),
    ]
    assert [(one["name"], one["position"]) for one in file["contacts"]] == [("李经理", "采购")]


async def test_good_rows_go_in_and_bad_ones_are_listed(engine: AsyncEngine) -> None:
    report = await load(
        engine,
        "name,phone\n"
        "Good,13800138000\n"
        "\n"
        "Nobody,\n"
        "Letters,abc\n"
        '"Two\nlines",13900000001\n'
        "Spreadsheet,1.38E+10\n"
        f"{'x' * 129},13900000002\n"
        "Many,13900000003,surplus\n"
        "Masked,138****8000\n"
        "Last,13900000004",
    )
    assert report.added == 3
    assert [line for line, _reason in report.refused] == [4, 5, 8, 9, 10, 11]
    reasons = dict(report.refused)
    assert reasons[4] == "a phone number is missing"
    assert "'abc'" in reasons[5]
    assert "format the column as text" in reasons[8]
    assert [file["name"] for file in await files(engine)] == ["Good", "Two lines", "Last"]


async def test_importing_again_changes_nothing(engine: AsyncEngine) -> None:
    rows = "".join(f"客户{nth},138{nth:08d},{nth % 9}\n" for nth in range(BATCH + 7))
    text = f"姓名,手机,等级\n{rows}重名,13800000003,A\n坏,abc,\n"
    assert counts(await load(engine, text)) == (BATCH + 7, 1, 0, 1)
    before = await files(engine)
    assert counts(await load(engine, text)) == (0, 0, BATCH + 8, 1)
    assert await files(engine) == before


async def test_known_number_is_updated_and_not_doubled(engine: AsyncEngine) -> None:
    await load(engine, "name,phone,remark\nOld,13800138000,keep me\n")
    report = await load(engine, "name,phone,phone2,remark\nNew,+86 138-0013-8000,13900000001,\n")
    assert counts(report) == (0, 1, 0, 0)
    [file] = await files(engine)
    assert (file["name"], file["remark"]) == ("New", "keep me")
    assert [one["number"] for one in file["phones"]] == ["+8613800138000", "+8613900000001"]


async def test_rows_with_one_number_are_one_customer_and_the_later_word_counts(
    engine: AsyncEngine,
) -> None:
    far = "".join(f"F{nth},1370000{nth:04d},\n" for nth in range(BATCH))
    text = f"name,phone,grade\nA,13800138000,1\n{far}B,+8613800138000,\n"
    assert counts(await load(engine, text)) == (BATCH + 1, 1, 0, 0)
    assert counts(await load(engine, text)) == (0, 0, BATCH + 2, 0)
    merged = [file for file in await files(engine) if file["name"] == "B"]
    assert [file["grade"] for file in merged] == ["1"]


async def test_row_that_joins_two_numbers_joins_their_customers(engine: AsyncEngine) -> None:
    text = "name,phone,phone2\nA,13800000001,\nB,13800000002,\nC,13800000001,13800000002\n"
    assert counts(await load(engine, text)) == (1, 2, 0, 0)
    assert counts(await load(engine, text)) == (0, 0, 3, 0)
    assert [file["name"] for file in await files(engine)] == ["C"]


async def test_two_rows_of_one_known_customer_do_not_undo_each_other(engine: AsyncEngine) -> None:
    await load(engine, "name,phone,phone2\nA,13800000001,13800000002\n")
    text = "name,phone\nB,13800000001\nC,13800000002\n"
    report = await load(engine, text)
    assert counts(report) == (0, 1, 0, 1)
    assert report.refused == ((3, "this is the customer of line 2"),)
    assert counts(await load(engine, text)) == (0, 0, 1, 1)


async def test_several_numbers_in_one_cell_are_several_numbers(engine: AsyncEngine) -> None:
    await load(engine, 'name,phone\nA,"13800000001、010-62345678；13800000002"\nB,13900000001.0\n')
    assert [[one["number"] for one in file["phones"]] for file in await files(engine)] == [
        ["+8613800000001", "+861062345678", "+8613800000002"],
        ["+8613900000001"],
    ]


async def test_hostile_cells_stay_text(engine: AsyncEngine) -> None:
    texts = [text for text in HOSTILE if len(text) < 128 and "\ud800" not in text]
    file = io.StringIO()
    import csv

    writer = csv.writer(file)
    writer.writerow(["phone", "name"])
    writer.writerows((f"138{nth:08d}", text) for nth, text in enumerate(texts))
    report = await load(engine, file.getvalue())
    assert counts(report) == (len(texts), 0, 0, 0)
    names = [one["name"] for one in await files(engine)]
    assert "=cmd|' /C calc'!A0" in names
    assert "'; DROP TABLE customers; --" in names
    assert all(char.isprintable() or char in "\u202e\u202c" for name in names for char in name)


async def test_unclosed_quote_costs_its_rows_and_not_the_file(engine: AsyncEngine) -> None:
    lost = "x" * 140_000
    report = await load(engine, f'name,phone\nA,13800000001\n"{lost}\nB,13800000002\nC,13800000003')
    assert report.added >= 1
    assert [line for line, _reason in report.refused][:1] == [3]


async def test_file_that_is_no_list_of_customers_is_refused(engine: AsyncEngine) -> None:
    for text in ("", "\n", "name,grade\nA,1\n", "phone,name,姓名\n1,2,3\n", "\x00\x01\x02"):
        with pytest.raises(Invalid, match="column"):
            await load(engine, text)
    with pytest.raises(Invalid, match="UTF-8"):
        await import_customers(
            engine, io.BytesIO(b"\xff\xff\xff\x00\x81"), file_name="x.xlsx", now=T0
        )


async def test_import_leaves_its_row_and_its_audit_entry(engine: AsyncEngine) -> None:
    await load(engine, PLAIN)
    async with reading(engine) as connection:
        batch = (await connection.execute(select(ImportBatch))).one()
        acts = await connection.scalar(
            select(func.count()).where(AuditEntry.act == "customers.import")
        )
        owner = await connection.scalar(select(Customer.import_batch_id))
    assert (batch.file_name, batch.added, batch.refused) == ("customers.csv", 1, 0)
    assert (acts, owner) == (1, batch.id)
