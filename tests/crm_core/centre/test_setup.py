"""A centre from one file: complete, again without a change, or not at all."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.access.models import AuditEntry, User
from crm_core.access.passwords import verify
from crm_core.access.users import list_users
from crm_core.centre.models import Project
from crm_core.centre.plan import HotlinePlan, SeatPlan, Strategy
from crm_core.centre.setup import EXAMPLE, SetupInvalid, SetupReport, import_setup
from crm_core.centre.setup_file import SECTIONS, read_setup
from crm_core.centre.switch_plan import switch_plan
from crm_core.customers.fields import BUILT_IN, definitions
from crm_core.db import Table, reading, transaction
from crm_core.ids import PbxId
from crm_core.wrap_up.queries import DEFAULTS, dispositions_of
from tests.crm_core.centre.a_centre import T0
from tests.crm_core.customers.hostile import HOSTILE


async def load(engine: AsyncEngine, text: str) -> SetupReport:
    async with transaction(engine) as connection:
        return await import_setup(connection, text, now=T0)


async def mistakes(engine: AsyncEngine, text: str) -> list[tuple[int, str]]:
    with pytest.raises(SetupInvalid) as refused:
        await load(engine, text)
    for line, what in refused.value.mistakes:
        assert f"line {line}: {what}" in refused.value.detail
    return list(refused.value.mistakes)


async def everything(engine: AsyncEngine) -> dict[str, list[tuple[object, ...]]]:
    async with reading(engine) as connection:
        return {
            name: sorted(map(tuple, (await connection.execute(select(table))).all()), key=repr)
            for name, table in Table.metadata.tables.items()
        }


# --- the example ----------------------------------------------------------------------------------


def test_example_shows_every_section_and_key() -> None:
    file = read_setup(EXAMPLE)
    assert file.mistakes == []
    for name, section in SECTIONS.items():
        shown = {key for entry in file.section(name) for key in entry.values}
        # A password has no place in an example; the PBX is named at the top.
        assert set(section.readers) - shown <= {"password", "pbx"}


async def test_example_makes_a_whole_centre(engine: AsyncEngine) -> None:
    report = await load(engine, EXAMPLE)
    assert [name for name, _password in report.passwords] == ["limin", "wangfang"]
    async with reading(engine) as connection:
        plan = await switch_plan(connection, PbxId("main"))
        people = {row.name: row for row in await list_users(connection)}
        fields = await definitions(connection)
        projects = {row.name: row for row in await connection.execute(select(Project))}
        hashed = await connection.scalar(select(User.password_hash).where(User.name == "limin"))
        sale = await dispositions_of(connection, projects["家电售后"].id)
        member = await dispositions_of(connection, projects["会员热线"].id)
    assert [(queue.name, queue.title, queue.strategy) for queue in plan.queues] == [
        ("members", "会员服务", Strategy.RRMEMORY),
        ("support", "报修", Strategy.RRMEMORY),
    ]
    assert HotlinePlan(number="4008001234", queue="support") in plan.hotlines
    assert plan.seats[1] == SeatPlan(
        extension="8002", interface="PJSIP/8002", contact="sip:8002@192.0.2.12:5060"
    )
    assert plan.seats[0].interface == "PJSIP/8001"
    assert people["limin"].agent_number == "1001"
    assert people["wangfang"].project_ids == {one.id for one in projects.values()}
    assert [one.key for one in fields] == [*(one.key for one in BUILT_IN), "contract", "risk"]
    assert fields[-1].read_roles == frozenset({"supervisor", "admin"})
    assert sale == DEFAULTS
    assert [(one.key, one.digit, one.parent) for one in member] == [
        ("renewed", 1, None), ("declined", None, None),
        ("price", 2, "declined"), ("later", 3, "declined"),
    ]  # fmt: skip
    assert [one.key for one in member if one.is_heading] == ["declined"]
    assert hashed is not None
    assert await verify(hashed, report.passwords[0][1])


async def test_again_is_nothing(engine: AsyncEngine) -> None:
    first = await load(engine, EXAMPLE)
    before = await everything(engine)
    again = await load(engine, EXAMPLE)
    assert (again.added, again.changed, again.passwords) == ((), (), ())
    assert again.unchanged == len(first.added) + len(first.changed)
    assert await everything(engine) == before


# --- changes --------------------------------------------------------------------------------------

SMALL = """\
projects: [{name: P}]
queues: [{name: q, title: One, ring_seconds: 20}]
people: [{name: li, roles: [agent], queues: [q], password: long enough}]
"""


@pytest.mark.parametrize(
    ("name", "taken"),
    [("售后-1", True), ("é_2", True), ("a" * 79, True), ("售" * 26, True)]
    + [(bad, False) for bad in ("_", "-x", "售 后", "售，后", "a;b", "a" * 80, "售" * 27, "a.b")],
)
def test_a_queue_has_letters_of_any_script_as_many_as_asterisk_keeps(
    name: str, taken: bool
) -> None:
    file = read_setup(f"queues: [{{name: '{name}'}}]")
    assert (file.mistakes == []) is taken


async def test_only_what_is_named_changes(engine: AsyncEngine) -> None:
    await load(engine, SMALL)
    report = await load(engine, "queues: [{name: q, wrap_up_seconds: 5}]")
    assert (report.added, report.changed) == ((), ("queue q",))
    async with reading(engine) as connection:
        [queue] = (await switch_plan(connection, PbxId("main"))).queues
    assert (queue.title, queue.ring_seconds, queue.wrap_up_seconds) == ("One", 20, 5)


async def test_named_list_is_the_whole_list_and_a_password_is_only_for_the_first_day(
    engine: AsyncEngine,
) -> None:
    await load(engine, SMALL)
    report = await load(
        engine, "people: [{name: li, roles: [supervisor], queues: [], password: another one}]"
    )
    assert report.changed == ("person li",)
    async with reading(engine) as connection:
        [li] = await list_users(connection)
        hashed = await connection.scalar(select(User.password_hash))
    assert li.roles == ("supervisor",)
    assert hashed is not None
    assert await verify(hashed, "long enough")


async def test_first_project_is_the_default_until_another_is_named(engine: AsyncEngine) -> None:
    await load(engine, "projects: [{name: A}, {name: B, default: false}]")
    asked = select(Project.name).where(Project.is_default.is_(True))
    async with reading(engine) as connection:
        assert list(await connection.scalars(asked)) == ["A"]
    await load(engine, "projects: [{name: B, default: true}]")
    async with reading(engine) as connection:
        assert list(await connection.scalars(asked)) == ["B"]
    assert (await load(engine, "projects: [{name: A}, {name: B}]")).changed == ()


async def test_import_is_in_the_audit_without_secrets(engine: AsyncEngine) -> None:
    await load(engine, EXAMPLE)
    async with reading(engine) as connection:
        entry = (
            await connection.execute(select(AuditEntry).where(AuditEntry.act == "setup.import"))
        ).one()
    assert "person limin" in entry.detail["added"]
    assert "Secret" not in repr(entry)


# --- mistakes -------------------------------------------------------------------------------------


async def test_every_mistake_is_told_with_its_line_and_nothing_is_imported(
    engine: AsyncEngine,
) -> None:
    await load(engine, SMALL)
    before = await everything(engine)
    found = await mistakes(
        engine,
        "\n".join(
            [
                "projects:",  # 1
                "  - name: New",
                "  - client: nameless",  # 3
                "queues:",
                "  - name: good",
                "  - name: bad name",  # 6
                "  - name: good",  # 7
                "  - name: far",
                "    project: Nowhere",  # 9
                "    ring_seconds: soon",  # 10
                "hotlines:",
                "  - {number: 400-800, name: x}",  # 12
                '  - {number: "4008001", name: x, queue: none}',  # 13
                "people:",
                "  - {name: new, roles: [king]}",  # 15
                "  - {name: weak, roles: [agent], password: short}",  # 16
                "  - {name: li, roles: agent}",  # 17
                "seats:",
                "  - {extension: 8001, interface: 'PJSIP/8001;x'}",  # 19
                "  - {extension: 8002, secret: 'short'}",  # 20
                "  - {extension: 8003, wings: 2}",  # 21
                "unicorns: []",  # 22
            ]
        ),
    )
    assert [line for line, _what in found] == [3, 6, 7, 10, 12, 13, 15, 16, 17, 19, 20, 21, 22]
    assert all(what for _line, what in found)
    assert await everything(engine) == before


async def test_one_mistake_among_good_entries_leaves_no_trace(engine: AsyncEngine) -> None:
    await load(engine, SMALL)
    before = await everything(engine)
    async with transaction(engine) as connection:
        with pytest.raises(SetupInvalid):
            await import_setup(
                connection, "queues: [{name: new}, {name: x, project: Nowhere}]", now=T0
            )
        # Whoever catches the sentence and goes on commits nothing of it.
    assert await everything(engine) == before


async def test_what_does_not_fit_together_is_a_mistake(engine: AsyncEngine) -> None:
    await load(engine, SMALL)
    for text, word in (
        ("projects: [{name: A, default: true}, {name: B, default: true}]", "default"),
        (
            "people: [{name: a, roles: [agent], agent_number: 1}, "
            "{name: b, roles: [agent], agent_number: 1}]",
            "a's",
        ),
        ("seats: [{extension: 1}, {extension: 2, interface: PJSIP/1}]", "seat 1"),
        ("customer_fields: [{key: phone, zh: x, en: x}]", "word of the product"),
        ("customer_fields: [{key: name, kind: date}]", "built in"),
        ("customer_fields: [{key: new}]", "labels"),
        ("customer_fields: [{key: new, zh: x, en: x, kind: choice}]", "choices"),
        ("customer_fields: [{key: new, zh: x, en: x, read_roles: [king]}]", "king"),
        ("dispositions: [{key: new, zh: x, en: x, digit: 1}]", "已解决"),
        ("dispositions: [{key: new, zh: x, en: x, parent: nothing}]", "nothing"),
        ("dispositions: [{key: new, zh: x, en: x, parent: new}]", "two levels"),
        ("dispositions: [{key: new, zh: x, en: x, parent: resolved}]", "digit"),
        ("teams: [{name: T, project: Nowhere}]", "Nowhere"),
    ):
        [(line, what)] = await mistakes(engine, text)
        assert (line, word in what) == (1, True), what


async def test_without_a_project_a_queue_belongs_nowhere(engine: AsyncEngine) -> None:
    [(line, what)] = await mistakes(engine, "queues:\n  - name: q")
    assert (line, "no project yet" in what) == (2, True)


async def test_built_in_field_can_be_renamed_and_closed(engine: AsyncEngine) -> None:
    await load(engine, "customer_fields: [{key: address, en: Where, read_roles: [admin]}]")
    async with reading(engine) as connection:
        fields = {field.key: field for field in await definitions(connection)}
    address = fields["address"]
    assert (address.label_en, address.label_zh, address.custom) == ("Where", "地址", False)
    assert address.read_roles == frozenset({"admin"})


@pytest.mark.parametrize(
    "text",
    [
        "just words",
        "- a\n- list",
        "projects: {name: P}",
        "projects: [P]",
        "a: [\n",
        "a: &x [1]\nb: *x",
        "a: !!python/object/apply:os.system ['true']",
        "? {a: 1}\n: 2",
        "pbx: 'a b'",
        "projects:\n  - name: A\n    name: B",
        "\t\x01",
        "[" * 3000,
    ],
)
def test_file_that_is_no_set_up_is_told_as_such(text: str) -> None:
    assert read_setup(text).mistakes


def test_empty_file_is_nothing() -> None:
    assert (read_setup("").mistakes, read_setup("# words\n").entries) == ([], {})


async def test_hostile_names_are_refused_or_kept_as_text(engine: AsyncEngine) -> None:
    import json

    await load(engine, SMALL)
    for text in HOSTILE:
        quoted = json.dumps(text)
        for section, entry in (
            ("projects", f"name: {quoted}"),
            ("queues", f"name: {quoted}"),
            ("seats", f"extension: {quoted}, secret: {quoted}"),
            ("people", f"name: {quoted}, roles: [{quoted}]"),
        ):
            try:
                await load(engine, f"{section}: [{{{entry}}}]")
            except SetupInvalid:
                continue
            # A project's name is any printable text; NULL is a name like another.
            assert section == "projects" or text == "NULL"
    async with reading(engine) as connection:
        names = list(await connection.scalars(select(Project.name)))
        assert await connection.scalar(select(func.count()).select_from(User)) == 1
    assert all(name.isprintable() for name in names)
