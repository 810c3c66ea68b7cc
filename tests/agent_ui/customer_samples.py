"""The customers' pages with made-up people that look real, in every state worth looking at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from agent_ui.auth_view import Shell, Viewer
from agent_ui.calls.view import RecordShown
from agent_ui.customers.view import (
    CallShown,
    ContactInput,
    ContactShown,
    CustomerRow,
    CustomersPage,
    DuplicateShown,
    FactShown,
    FilePage,
    FormPage,
    Input,
    InputKind,
    NumberShown,
    PhoneInput,
    Problem,
)
from crm_core.events import Direction, Outcome
from crm_core.ids import CallId, CustomerId

NOW = datetime(2026, 11, 18, 8, 42, 7, tzinfo=UTC)
BUILT_IN = frozenset({"name", "grade", "company", "phones", "contacts", "address", "remark"})
LONG = "江苏省常州市新北区通江中路三百九十八号华东设备有限公司第三研发中心" * 4


def a_shell(path: str) -> Shell:
    viewer = Viewer(
        name="李敏", agent_number="1021", has_desk=True, has_calls=True, has_customers=True
    )
    return Shell(viewer=viewer, csrf_token="c" * 43, path=path, insecure_http=False)


ROWS = (
    CustomerRow(
        customer=CustomerId(1),
        name="王建国",
        grade="A",
        company="华东设备有限公司",
        number="138****8000",
        more_numbers=2,
        contacts=("王建国", "李秀英"),
        changed_at=NOW,
    ),
    CustomerRow(
        customer=CustomerId(2),
        name="",
        grade="",
        company="",
        number=None,
        more_numbers=0,
        contacts=(),
        changed_at=NOW - timedelta(days=40),
    ),
    CustomerRow(
        customer=CustomerId(3),
        name=LONG[:60],
        grade="C",
        company=LONG[:80],
        number="+14155552671",
        more_numbers=0,
        contacts=("Anna-Katharina Überschall", "李秀英", "陈美玲"),
        changed_at=NOW,
    ),
)

LIST = CustomersPage(
    text="",
    grade="A",
    rows=ROWS,
    grades=("A", "B", "C"),
    columns=BUILT_IN,
    next_url="/customers?cursor=3",
    first_url="/customers",
    may_create=True,
)

CALLS = (
    CallShown(
        call=CallId("a" * 32),
        at=NOW,
        direction=Direction.INBOUND,
        outcome=None,
        answered=True,
        live=True,
        agent=None,
        talk_seconds=None,
        may_open=True,
        records=(),
    ),
    CallShown(
        call=CallId("b" * 32),
        at=NOW - timedelta(days=1),
        direction=Direction.INBOUND,
        outcome=Outcome.ANSWERED,
        answered=True,
        live=False,
        agent="李敏",
        talk_seconds=192,
        may_open=True,
        records=(
            RecordShown(
                agent="李敏",
                saved_at=NOW,
                note=f"客户询问工单进度。\n{LONG}",
                disposition="待跟进",
                submitted=True,
            ),
            RecordShown(agent="赵磊", saved_at=NOW, note="", disposition=None, submitted=False),
        ),
    ),
    CallShown(
        call=CallId("c" * 32),
        at=NOW - timedelta(days=2),
        direction=Direction.INBOUND,
        outcome=Outcome.ABANDONED,
        answered=False,
        live=False,
        agent=None,
        talk_seconds=None,
        may_open=False,
        records=(),
    ),
    CallShown(
        call=CallId("d" * 32),
        at=NOW - timedelta(days=3),
        direction=Direction.OUTBOUND,
        outcome=None,
        answered=False,
        live=False,
        agent="赵磊",
        talk_seconds=None,
        may_open=True,
        records=(),
    ),
)

FILE = FilePage(
    customer=CustomerId(1),
    name="王建国",
    grade="A",
    facts=(
        FactShown(label="单位", value="华东设备有限公司"),
        FactShown(label="地址", value=LONG, is_long=True),
        FactShown(label="合同号", value=""),
    ),
    numbers=(
        NumberShown(phone=1, number="138****8000", contact="王建国", is_invalid=False),
        NumberShown(phone=2, number="010****5678", contact=None, is_invalid=True),
    ),
    contacts=(ContactShown(name="李秀英", position="采购", numbers=("139****1111",)),),
    calls=CALLS,
    next_url="/customers/1?cursor=x",
    first_url="/customers/1",
    may_edit=True,
    created_at=NOW - timedelta(days=400),
    changed_at=NOW,
)

FORM = FormPage(
    customer=CustomerId(1),
    name="王建国",
    inputs=(
        Input(name="name", label="姓名", kind=InputKind.TEXT, value="王建国", longest=128),
        Input(name="grade", label="等级", kind=InputKind.TEXT, value="A", may_write=False),
        Input(name="remark", label="备注", kind=InputKind.LINES, value="喜欢上午\n接电话"),
        Input(
            name="field.risk", label="风险", kind=InputKind.CHOICE, value="低", choices=("低", "高")
        ),
        Input(name="field.until", label="到保日期", kind=InputKind.DATE, value="2027-01-31"),
        Input(name="field.machines", label="设备数", kind=InputKind.NUMBER, value="12"),
    ),
    phones=(
        PhoneInput(number="138****8000", contact="王建国", kept=7),
        PhoneInput(number="+8613911110000", is_invalid=True),
        PhoneInput(number="139****0000", of_call=True),
    ),
    contacts=(ContactInput(name="王建国", position="厂长", was="王建国"),),
    names_contacts=True,
    wish="w" * 22,
    seen=NOW.isoformat(),
)

WRONG = Problem(text="At most %(most)d characters.", values={"most": 128})


def customer_pages() -> dict[str, tuple[str, dict[str, object]]]:
    """Name → (template, context)."""
    unread = frozenset({"name"})
    empty = replace(LIST, rows=(), grade="", grades=(), next_url=None, first_url=None)
    lists = {
        "customers": LIST,
        "customers-none": empty,
        "customers-nobody": replace(empty, text="zzz"),
        "customers-guessed": replace(
            empty,
            text="13900000000",
            problem="You have looked for too many numbers that nobody has. Try again in an hour.",
        ),
        "customers-read-only": replace(LIST, columns=unread, grades=(), may_create=False),
    }
    files = {
        "customer": FILE,
        "customer-bare": replace(
            FILE,
            name="",
            grade="",
            facts=(),
            numbers=(),
            contacts=(),
            calls=(),
            next_url=None,
            first_url=None,
        ),
        "customer-read-only": replace(FILE, numbers=None, contacts=None, may_edit=False),
    }
    forms = {
        "customer-form": FORM,
        "customer-new": replace(
            FORM, customer=None, name="", phones=(), contacts=(), seen="", call=CallId("e" * 32)
        ),
        "customer-wrong": replace(
            FORM,
            inputs=tuple(replace(one, problem=WRONG) for one in FORM.inputs),
            phones=(PhoneInput(number="12x", problem=Problem(text="This is not a phone number.")),),
            contacts=(
                ContactInput(
                    name="", position="采购", problem=Problem(text="A contact needs a name.")
                ),
            ),
        ),
        "customer-nothing": replace(
            FORM, problem=Problem(text="A customer needs a name or a phone number.")
        ),
        "customer-duplicate": replace(
            FORM,
            duplicates=(
                DuplicateShown(
                    customer=CustomerId(2),
                    name="王建国",
                    company="华东设备有限公司",
                    number="138****8000",
                    by_number=True,
                ),
                DuplicateShown(
                    customer=CustomerId(3), name="", company="", number=None, by_number=False
                ),
            ),
        ),
        "customer-outdated": replace(
            FORM,
            is_outdated=True,
            inputs=tuple(replace(one, in_file="李秀英") for one in FORM.inputs),
        ),
        "customer-few-rights": replace(FORM, phones=None, contacts=None, names_contacts=False),
    }
    templates: dict[str, Mapping[str, object]] = {
        "customers/page.html": lists,
        "customers/file.html": files,
        "customers/form.html": forms,
    }
    return {
        name: (template, {"shell": a_shell("/customers"), "page": value})
        for template, values in templates.items()
        for name, value in values.items()
    }
