"""The customer's form over the real server: typed in, refused, changed by two at once."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, update

from agent_ui.customers.made import Made
from crm_core.access.permissions import DataScope
from crm_core.access.viewer import Viewer
from crm_core.customers.guesses import MOST_MISSES
from crm_core.customers.models import Contact, Customer, CustomerField, PhoneNumber
from crm_core.db import reading, transaction
from crm_core.events import CustomerChanged
from crm_core.ids import UserId
from tests.agent_ui.customer_hands import ZHANG, form_of, hidden_inputs, hide, numbers_of, scalar
from tests.agent_ui.world import DIGITS, HIDDEN, NUMBER, World


def a_viewer(user_id: int) -> Viewer:
    return Viewer(
        user_id=UserId(user_id),
        name="",
        full_name="",
        agent_number=None,
        roles=frozenset(),
        permissions=frozenset(),
        scope=DataScope.OWN,
        team_id=None,
        project_ids=frozenset(),
        language=None,
        reveals=False,
    )


async def test_an_edit_that_adds_numbers_is_a_question_for_each(world: World) -> None:
    """Adding a number that is there already changes nothing, which would tell the right one."""
    browser = await world.signed_in("limin")
    given = await form_of(browser, f"/customers/{ZHANG}/edit")
    for nth in range(0, MOST_MISSES, 15):
        rows = {f"phone.{900 + n}.number": f"138{100 + nth + n:04}8000" for n in range(15)}
        wrong = given | rows | {"anyway": "1", "seen": "2020-01-01T00:00:00+00:00"}
        assert (await browser.post(f"/customers/{ZHANG}", wrong)).status_code == 409
    more = given | {"phone.900.number": "13912345678"}
    assert (await browser.post(f"/customers/{ZHANG}", more)).status_code == 429
    assert (await browser.post(f"/customers/{ZHANG}", more | {"anyway": "1"})).status_code == 429
    headers = {"origin": world.url, "x-csrf-token": browser.csrf, "accept": "application/json"}
    for phones, status in ((["138****8000", DIGITS], 429), (["138****8000"], 200)):
        answer = await browser.request(
            "PATCH", f"/api/v1/customers/{ZHANG}", json={"phones": phones}, headers=headers
        )
        assert answer.status_code == status
    assert await numbers_of(world, ZHANG) == [(NUMBER, False)]


async def test_a_form_sent_as_it_came_changes_nothing(world: World) -> None:
    """The masked numbers, too, stay what they are."""
    for who in ("limin", "wangfang"):
        browser = await world.signed_in(who)
        given = await form_of(browser, f"/customers/{ZHANG}/edit")
        assert given["field.contract"] == "HT-2041"
        before = await scalar(world, select(Customer.changed_at).where(Customer.id == ZHANG))
        answer = await browser.post(f"/customers/{ZHANG}", given)
        assert answer.headers["location"] == f"/customers/{ZHANG}"
        after = await scalar(world, select(Customer.changed_at).where(Customer.id == ZHANG))
        assert after == before, who
    assert await numbers_of(world, ZHANG) == [(NUMBER, False)]


async def test_agent_changes_fields_adds_a_number_and_calls_one_invalid(world: World) -> None:
    browser = await world.signed_in("limin")
    given = await form_of(browser, f"/customers/{ZHANG}/edit")
    assert DIGITS not in str(given)
    given |= {
        "name": "张三丰",
        "field.contract": "HT-2042",
        "phone.0.invalid": "1",
        "phone.1001.number": "010-6234 5678",
        "phone.1001.contact": "李经理",
        "contact.1001.name": "李经理",
        "contact.1001.position": "采购",
    }
    heard: list[int] = []
    world.bus.subscribe(
        lambda e: heard.append(e.event.customer) if isinstance(e.event, CustomerChanged) else None
    )
    assert (await browser.post(f"/customers/{ZHANG}", given)).status_code == 303
    assert await numbers_of(world, ZHANG) == [(NUMBER, True), ("+861062345678", False)]
    page = (await browser.get(f"/customers/{ZHANG}")).text
    for shown in ("张三丰", "HT-2042", "010 **** 5678", "采购", "无效"):
        assert shown in page, shown
    fields = await scalar(world, select(Customer.fields).where(Customer.id == ZHANG))
    assert fields == {"contract": "HT-2042", "risk": HIDDEN}
    await world.settled()
    assert heard == [ZHANG]


async def test_the_order_of_the_rows_is_the_order_of_the_numbers(world: World) -> None:
    browser = await world.signed_in("wangfang")
    given = await form_of(browser, f"/customers/{ZHANG}/edit")
    first = {"phone.7.number": "13922223333", **given}
    assert (await browser.post(f"/customers/{ZHANG}", first)).status_code == 303
    assert [number for number, _ in await numbers_of(world, ZHANG)] == ["+8613922223333", NUMBER]


async def test_contact_who_is_renamed_keeps_the_number(world: World) -> None:
    browser = await world.signed_in("wangfang")
    given = await form_of(browser, f"/customers/{ZHANG}/edit")
    given |= {"contact.1001.name": "李经理", "phone.0.contact": "李经理"}
    await browser.post(f"/customers/{ZHANG}", given)
    given = await form_of(browser, f"/customers/{ZHANG}/edit")
    assert given["contact.0.was"] == "李经理"
    given["contact.0.name"] = "李总"
    await browser.post(f"/customers/{ZHANG}", given)
    async with reading(world.engine) as connection:
        rows = await connection.execute(
            select(Contact.name, PhoneNumber.number).join(
                PhoneNumber, PhoneNumber.contact_id == Contact.id
            )
        )
        assert [tuple(row) for row in rows] == [("李总", NUMBER)]
    assert await scalar(world, select(func.count()).select_from(Contact)) == 1


async def test_number_stays_whose_it_is_where_that_may_not_be_said(world: World) -> None:
    supervisor, admin = await world.signed_in("wangfang"), await world.signed_in("admin")
    given = await form_of(supervisor, f"/customers/{ZHANG}/edit")
    given |= {"contact.1001.name": "李经理", "phone.0.contact": "李经理"}
    await supervisor.post(f"/customers/{ZHANG}", given)
    await hide(world, "contacts", write_only=True)
    given = await form_of(admin, f"/customers/{ZHANG}/edit")
    assert given["phone.0.number"] == NUMBER
    assert "phone.0.contact" not in given
    assert (await admin.post(f"/customers/{ZHANG}", given | {"remark": "x"})).status_code == 303
    whose = select(PhoneNumber.contact_id).where(PhoneNumber.customer_id == ZHANG)
    assert await scalar(world, whose) == await scalar(world, select(Contact.id))


async def test_field_that_may_not_be_written_is_shown_and_not_typed(world: World) -> None:
    await hide(world, "grade", write_only=True)
    browser = await world.signed_in("limin")
    page = (await browser.get(f"/customers/{ZHANG}/edit")).text
    assert 'name="grade"' not in page
    assert "可查看，不可修改" in page
    given = await form_of(browser, f"/customers/{ZHANG}/edit") | {"grade": "Z"}
    assert (await browser.post(f"/customers/{ZHANG}", given)).status_code == 303
    assert await scalar(world, select(Customer.grade).where(Customer.id == ZHANG)) == "A"


async def test_field_that_may_not_be_read_is_not_in_the_form(world: World) -> None:
    browser = await world.signed_in("limin")
    page = (await browser.get(f"/customers/{ZHANG}/edit")).text
    assert "field.risk" not in page
    given = await form_of(browser, f"/customers/{ZHANG}/edit") | {"field.risk": "x"}
    assert (await browser.post(f"/customers/{ZHANG}", given)).status_code == 303
    fields = await scalar(world, select(Customer.fields).where(Customer.id == ZHANG))
    assert fields["risk"] == HIDDEN


async def test_each_mistake_stands_at_its_field_and_nothing_is_lost(world: World) -> None:
    async with transaction(world.engine) as connection:
        await connection.execute(
            update(CustomerField).where(CustomerField.key == "contract").values(kind="date")
        )
    browser = await world.signed_in("limin")
    given = {
        "name": "x" * 129,
        "field.contract": "gestern",
        "remark": "<b>kept</b>",
        "has.phones": "1",
        "phone.0.number": "12x",
        "phone.1.number": "13811112222",
        "has.contacts": "1",
        "contact.0.position": "采购",
    }
    answer = await browser.post("/customers", given)
    assert answer.status_code == 422
    for sentence in ("最多 128 个字符", "请填写日期", "这不是有效的电话号码", "请填写联系人姓名"):
        assert answer.text.count(sentence) == 1, sentence
    for kept in ("gestern", "12x", "13811112222", "&lt;b&gt;kept&lt;/b&gt;", "采购"):
        assert kept in answer.text, kept
    assert await scalar(world, select(func.count()).select_from(Customer)) == 3


async def test_a_form_without_name_and_number_is_told_so(world: World) -> None:
    browser = await world.signed_in("limin")
    answer = await browser.post(
        "/customers", {"name": " ", "has.phones": "1", "phone.0.number": ""}
    )
    assert answer.status_code == 422
    assert "客户至少" in answer.text
    assert await scalar(world, select(func.count()).select_from(Customer)) == 3


async def test_who_may_be_in_the_books_already_is_shown_before_it_is_saved(world: World) -> None:
    browser = await world.signed_in("limin")
    given = {"name": "王五", "has.phones": "1", "phone.0.number": DIGITS, "wish": "one"}
    answer = await browser.post("/customers", given)
    assert answer.status_code == 422
    assert 'href="/customers/1"' in answer.text
    assert "号码相同" in answer.text
    assert await scalar(world, select(func.count()).select_from(Customer)) == 3
    made = await browser.post("/customers", given | {"anyway": "1"})
    assert made.status_code == 303
    assert await scalar(world, select(func.count()).select_from(Customer)) == 4
    same_name = await browser.post("/customers", {"name": " 王五 "})
    assert same_name.status_code == 422
    assert "姓名和单位相同" in same_name.text


async def test_an_edit_is_not_asked_about_what_was_there_before(world: World) -> None:
    """Two customers who share a number may be edited without a question each time."""
    browser = await world.signed_in("wangfang")
    given = await form_of(browser, "/customers/2/edit") | {"remark": "x"}
    assert (await browser.post("/customers/2", given)).status_code == 303
    async with transaction(world.engine) as connection:
        await connection.execute(update(Customer).where(Customer.id == 3).values(name="周一"))
    given = await form_of(browser, "/customers/2/edit") | {"remark": "y"}
    assert (await browser.post("/customers/2", given)).status_code == 303
    given = await form_of(browser, "/customers/2/edit") | {"phone.9.number": DIGITS}
    assert 'href="/customers/1"' in (await browser.post("/customers/2", given)).text


async def test_a_form_that_is_sent_twice_makes_one_file(world: World) -> None:
    browser = await world.signed_in("limin")
    given = {
        "name": "王五",
        "wish": hidden_inputs((await browser.get("/customers/new")).text)["wish"],
    }
    first, again = [await browser.post("/customers", given) for _ in range(2)]
    assert first.headers["location"] == again.headers["location"] == "/customers/4"
    assert await scalar(world, select(func.count()).select_from(Customer)) == 4


def test_wishes_are_of_one_person_and_forgotten_in_the_end() -> None:
    viewer, other = a_viewer(1), a_viewer(2)
    made = Made()
    first = made.of(viewer, "w")
    assert made.of(viewer, "w") is first
    assert made.of(other, "w") is not first
    assert made.of(viewer, "") is not made.of(viewer, "")
    for nth in range(2_001):
        made.of(viewer, f"w{nth}")
    assert made.of(viewer, "w") is not first


async def test_second_of_two_editors_is_told_and_sees_both_words(world: World) -> None:
    one, two = await world.signed_in("limin"), await world.signed_in("wangfang")
    mine, hers = [await form_of(who, f"/customers/{ZHANG}/edit") for who in (one, two)]
    await two.post(f"/customers/{ZHANG}", hers | {"company": "蓝鲸商城"})
    answer = await one.post(f"/customers/{ZHANG}", mine | {"company": "海星电器", "remark": "急"})
    assert answer.status_code == 409
    assert "已被他人修改" in answer.text
    assert "海星电器" in answer.text
    assert "蓝鲸商城" in answer.text
    assert await scalar(world, select(Customer.company).where(Customer.id == ZHANG)) == "蓝鲸商城"
    again = mine | {"company": "海星电器", "seen": hidden_inputs(answer.text)["seen"]}
    assert (await one.post(f"/customers/{ZHANG}", again)).status_code == 303
    assert await scalar(world, select(Customer.company).where(Customer.id == ZHANG)) == "海星电器"


@pytest.mark.parametrize("seen", ["", "x", "2026-11-24T00:00:00"])
async def test_a_change_must_say_of_which_state(world: World, seen: str) -> None:
    browser = await world.signed_in("limin")
    answer = await browser.post(f"/customers/{ZHANG}", {"name": "x", "seen": seen})
    assert answer.status_code == 422
    assert await scalar(world, select(Customer.name).where(Customer.id == ZHANG)) == "张三"


async def test_unknown_caller_becomes_a_customer_without_a_number_being_shown(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    ring = world.a_call_rings(caller="013977770000")
    page = await browser.get(f"/customers/new?call={ring.call}")
    assert "139 **** 0000" in page.text
    assert "13977770000" not in page.text.replace(" ", "")
    given = await form_of(browser, f"/customers/new?call={ring.call}")
    made = await browser.post("/customers", given | {"name": "新客户"})
    assert made.headers["location"] == "/customers/4"
    assert await numbers_of(world, 4) == [("+8613977770000", False)]
    world.answers(ring)
    world.hangs_up(ring)
    await world.recorded()
    revealed = await (await world.signed_in("wangfang")).get(f"/customers/new?call={ring.call}")
    assert "+8613977770000" in revealed.text


async def test_the_form_of_a_call_opens_for_whom_the_call_is(world: World) -> None:
    await world.at_desk("limin", "8001")
    ring = world.a_call_rings(caller="013977770000")
    world.answers(ring)
    world.hangs_up(ring)
    withheld = world.a_call_rings(caller=None)
    world.answers(withheld)
    world.hangs_up(withheld)
    await world.recorded()
    colleague = await world.signed_in("zhaolei")
    assert (await colleague.get(f"/customers/new?call={ring.call}")).status_code == 404
    assert (await colleague.get("/customers/new?call=x")).status_code == 404
    mine = await world.signed_in("limin")
    assert (await mine.get(f"/customers/new?call={withheld.call}")).status_code == 422
