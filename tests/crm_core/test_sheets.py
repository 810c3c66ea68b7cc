"""Two columns of a table: names of queue members and their agent numbers, as people keep them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from crm_core.errors import Invalid
from crm_core.sheets import pairs_of

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
SHARED = f"""<sst {MAIN}><si><t>姓名</t></si><si><t>工号</t></si>
<si><r><t>张</t></r><r><t>三</t></r><rPh><t>zhāngsān</t></rPh></si></sst>"""
SHEET = f"""<worksheet {MAIN}><sheetData>
<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>
<row r="2"><c r="A2" t="s"><v>2</v></c><c r="B2"><v>1001</v></c></row>
<row r="3"><c r="A3" t="inlineStr"><is><t>SIP/8002</t></is></c><c r="B3" t="str"><v>1002</v></c></row>
<row r="4"><c r="B4"><v>1003.0</v></c></row>
<row r="5"><c r="A5" t="inlineStr"><is><t>李娜</t></is></c><c r="B5"><v>1004.0</v></c></row>
</sheetData></worksheet>"""
EXPECTED = {"张三": "1001", "SIP/8002": "1002", "李娜": "1004"}


def xlsx(path: Path, sheet: str, shared: str = SHARED) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/workbook.xml", "<workbook/>")
        packed.writestr("xl/sharedStrings.xml", shared)
        packed.writestr("xl/worksheets/sheet2.xml", "<nothing/>")
        packed.writestr("xl/worksheets/sheet1.xml", sheet)
    return path


def test_xlsx_is_read_with_shared_texts_inline_texts_and_numbers(tmp_path: Path) -> None:
    assert pairs_of(xlsx(tmp_path / "members.xlsx", SHEET)) == EXPECTED


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_is_read_in_either_encoding(tmp_path: Path, encoding: str, delimiter: str) -> None:
    path = tmp_path / "members.csv"
    rows = ["姓名,工号", "张三,1001", "", "SIP/8002,1002", "李娜,1004,left"]
    path.write_text("\r\n".join(rows).replace(",", delimiter), encoding=encoding)

    assert pairs_of(path) == EXPECTED


@pytest.mark.parametrize(
    ("sheet", "sentence"),
    [
        (SHEET.replace("李娜", "张三"), "张三 stands for 1001 and for 1004"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]>" + SHEET, "declares entities"),
        (SHEET[:200], "no xlsx that can be read"),
        (f"<worksheet {MAIN}>{' ' * (9 << 20)}</worksheet>", "too large"),
        (f"<worksheet {MAIN}/>", "no two columns"),
    ],
)
def test_table_that_cannot_be_used_is_a_sentence(tmp_path: Path, sheet: str, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        pairs_of(xlsx(tmp_path / "members.xlsx", sheet))


def test_entities_are_refused_in_every_encoding(tmp_path: Path) -> None:
    sheet = "<?xml version='1.0' encoding='UTF-16'?><!DOCTYPE x [<!ENTITY a 'b'>]>" + SHEET
    path = tmp_path / "members.xlsx"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("xl/worksheets/sheet1.xml", sheet.encode("utf-16"))
    with pytest.raises(Invalid, match="declares entities"):
        pairs_of(path)


def test_cell_longer_than_a_table_of_names_has_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "members.csv"
    path.write_text("name,number\n" + "x" * 200_000 + ",1001\n")
    with pytest.raises(Invalid, match="no table of names"):
        pairs_of(path)


def test_zip_that_is_torn_or_not_there_is_a_sentence(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "members.xlsx", SHEET)
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(Invalid, match="no xlsx that can be read"):
        pairs_of(path)
    with pytest.raises(Invalid, match="cannot read"):
        pairs_of(tmp_path / "nowhere.xlsx")
