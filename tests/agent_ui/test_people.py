"""The pages of people: the set-up link, the list, a new person's first day, and who is locked out."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import delete, select

from agent_ui.admin.view import PeopleFilters, PersonRow, fitting
from crm_core.access.models import AuditEntry, Session, User, UserQueue, UserRole
from crm_core.access.setup_links import new_link
from crm_core.access.users import list_users
from crm_core.db import reading, transaction
from crm_core.events import AgentSignedIn, AgentSignedOut
from tests.agent_ui.world import PASSWORD, Browser, World

NEW = "ein-ganz-neues-9"


async def user_id(world: World, name: str) -> int:
    async with reading(world.engine) as connection:
        found = await connection.scalar(select(User.id).where(User.name == name))
    assert found is not None
    return found


async def acts(world: World) -> list[tuple[str, str, str]]:
    async with reading(world.engine) as connection:
        rows = await connection.execute(
            select(AuditEntry.actor, AuditEntry.act, AuditEntry.subject).order_by(AuditEntry.id)
        )
        return [(row.actor, row.act, row.subject) for row in rows]


def password_on(page: str) -> str:
    found = re.search(r'id="handed-password">\s*([^<\s]+)\s*<', page)
    assert found is not None, page
    return found.group(1)


async def queue_id(world: World, name: str) -> str:
    return str(
        next(one.id for (_, each), one in world.ui.deps.directory.queues.items() if each == name)
    )


async def a_form(world: World, **changes: Any) -> dict[str, Any]:
    return {
        "name": "chen",
        "full_name": "陈静",
        "agent_number": "1010",
        "roles": ["agent"],
        "team": "华东一班",
        "queues": [await queue_id(world, "support")],
        "device": "main/8003",
        **changes,
    }


# --- the set-up link ------------------------------------------------------------------------------


async def nobody_administers(world: World) -> str:
    """A centre with an imported set-up and no person, and the secret of its set-up link."""
    async with transaction(world.engine) as connection:
        for table in (Session, UserQueue, UserRole, User):
            await connection.execute(delete(table))
    token = await new_link(world.engine, now=datetime.now(UTC))
    assert token is not None
    return token


async def test_set_up_link_makes_the_administrator_and_leads_to_the_people(world: World) -> None:
    token, browser = await nobody_administers(world), world.browser()
    assert "首位管理员" in (await browser.get(f"/set-up/{token}")).text
    form = {"name": "boss", "new_password": NEW, "new_password_again": NEW}
    done = await browser.post(f"/set-up/{token}", form)
    assert (done.status_code, done.headers["location"]) == (303, "/people")
    page = (await browser.get("/people")).text
    assert "目前只有你一人" in page
    for path in (f"/set-up/{token}", "/set-up/guessed"):
        gone = await world.browser().get(path)
        assert gone.status_code == 404
        assert "这个设置链接已失效" in gone.text
    assert (await world.browser().post(f"/set-up/{token}", form)).status_code == 404


async def test_what_is_wrong_at_the_set_up_is_said_and_the_link_stays_good(world: World) -> None:
    token, browser = await nobody_administers(world), world.browser()
    for name, password, again, says in (
        ("two words", NEW, NEW, "登录名为"),
        ("boss", "short", "short", "太短或太常见"),
        ("boss", "password", "password", "太短或太常见"),
        ("boss", NEW, "another one", "不一致"),
    ):
        form = {"name": name, "new_password": password, "new_password_again": again}
        refused = await browser.post(f"/set-up/{token}", form)
        assert refused.status_code == 422
        assert says in refused.text
    async with reading(world.engine) as connection:
        assert await list_users(connection) == ()


async def test_who_is_signed_in_as_an_agent_can_use_the_link_in_the_same_browser(
    world: World,
) -> None:
    browser = await world.signed_in("limin")
    former = browser.cookies["__Host-zuoxi"]
    async with transaction(world.engine) as connection:
        await connection.execute(delete(UserRole).where(UserRole.user_id == 6))
        assert await connection.scalar(select(User.name).where(User.id == 6)) == "admin"
    token = await new_link(world.engine, now=datetime.now(UTC))
    await browser.get(f"/set-up/{token}")
    form = {"name": "boss", "new_password": NEW, "new_password_again": NEW}
    assert (await browser.post(f"/set-up/{token}", form)).headers["location"] == "/people"
    assert (await browser.get("/people")).status_code == 200
    browser.cookies["__Host-zuoxi"] = former
    assert (await browser.get("/people")).headers["location"].startswith("/sign-in")


async def test_set_up_from_another_sites_page_is_refused(world: World) -> None:
    token, browser = await nobody_administers(world), world.browser()
    form = {"name": "boss", "new_password": NEW, "new_password_again": NEW}
    headers = {"origin": "https://evil.example"}
    assert (await browser.post(f"/set-up/{token}", form, headers=headers)).status_code == 403


# --- the list -------------------------------------------------------------------------------------


async def test_list_shows_who_works_here_and_filters(world: World) -> None:
    await world.at_desk("limin", "8001")
    admin = await world.signed_in("admin")
    page = (await admin.get("/people")).text
    for part in ("李敏", "1001", "华东一班", "报修", "已签入 8001", "已离职", "已停用"):
        assert part in page
    for query, seen, hidden in (
        ("text=zhao", "赵磊", "李敏"),
        ("text=1003", "孙丽", "李敏"),
        ("role=supervisor", "王芳", "赵磊"),
        ("team=会员班", "陈伟", "王芳"),
        ("status=disabled", "已离职", "李敏"),
        ("status=active", "李敏", "已离职"),
    ):
        page = (await admin.get(f"/people?{query}")).text
        assert seen in page, query
        assert hidden not in page, query
    nobody = (await admin.get("/people?text=<script>alert(1)</script>")).text
    assert "没有符合条件的人员" in nobody
    assert "<script>alert" not in nobody


def test_people_are_in_order_of_their_numbers_and_those_without_one_last() -> None:
    rows = [
        PersonRow(user_id=n, name=f"x{n}", full_name="x", agent_number=number, roles=(), team=None)
        for n, number in enumerate([None, "1002", "999", "1001", "A1"])
    ]
    found = fitting(rows, PeopleFilters())
    assert [row.agent_number for row in found] == ["A1", "999", "1001", "1002", None]


async def test_a_page_of_the_list_that_is_not_there_is_empty_and_no_error(world: World) -> None:
    admin = await world.signed_in("admin")
    for number in ("2", "99999", "-1", "x", "9" * 30):
        assert (await admin.get(f"/people?page={number}")).status_code == 200


# --- a new person ---------------------------------------------------------------------------------


async def test_new_person_signs_in_once_with_the_password_shown_once(world: World) -> None:
    admin = await world.signed_in("admin")
    proposed = (await admin.get("/people/new")).text
    assert 'value="1010"' in proposed, "one more than the agents"
    added = await admin.post("/people", await a_form(world))
    assert added.status_code == 200
    password = password_on(added.text)
    assert added.headers["cache-control"] == "no-store"
    page = (await admin.get(f"/people/{await user_id(world, 'chen')}")).text
    assert password not in page
    assert ("admin", "user.add", "chen") in await acts(world)
    chen = world.browser()
    await chen.sign_in("chen", password)
    assert (await chen.get("/desk")).headers["location"] == "/password"
    form = {"password": password, "new_password": NEW, "new_password_again": NEW}
    assert (await chen.post("/password", form)).status_code == 303
    devices = (await chen.get("/device")).text
    assert "我常用的" in devices
    assert "报修" in devices
    assert (await chen.post("/device", {"device": "main/8003"})).headers["location"] == "/desk"
    assert (await world.browser().sign_in("chen", password)).status_code == 403


async def test_sending_the_form_of_a_new_person_twice_adds_one(world: World) -> None:
    admin = await world.signed_in("admin")
    await admin.post("/people", await a_form(world))
    again = await admin.post("/people", await a_form(world))
    assert again.status_code == 422
    assert "这个登录名已被使用" in again.text
    assert 'id="handed-password"' not in again.text
    async with reading(world.engine) as connection:
        names = [row.name for row in await list_users(connection)]
    assert names.count("chen") == 1


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"name": "two words"}, "登录名为 1 到 64 个字母"),
    ({"full_name": ""}, "请填写姓名"),
    ({"full_name": "长" * 150}, "姓名最多 128 个字"),
    ({"agent_number": "10 01"}, "工号为 1 到 16 位"),
    ({"agent_number": "1001"}, "这个工号是 李敏 的"),
    ({"agent_number": ""}, "接听队列来电的人需要工号"),
    ({"roles": []}, "请至少选择一个角色"),
    ({"roles": ["king"]}, "该角色已不存在"),
    ({"team": "Nowhere"}, "该班组已不存在"),
    ({"queues": ["x"]}, "该队列已不存在"),
    ({"queues": ["999999"]}, "该队列已不存在"),
    ({"device": "main/9999"}, "该分机已不存在"),
]


@pytest.mark.parametrize(("how", "says"), WRONG)
async def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(
    world: World, how: dict[str, Any], says: str
) -> None:
    admin = await world.signed_in("admin")
    form = await a_form(world, **how)
    refused = await admin.post("/people", form)
    assert refused.status_code == 422
    assert says in refused.text
    assert "未保存：请改正标出的内容" in refused.text
    assert f'value="{form["name"]}"' in refused.text
    async with reading(world.engine) as connection:
        assert "chen" not in [row.name for row in await list_users(connection)]


# --- changes --------------------------------------------------------------------------------------


async def test_queues_of_an_agent_at_work_follow_at_once(world: World) -> None:
    await world.at_desk("limin", "8001")
    told: list[AgentSignedIn] = []
    world.bus.subscribe(
        lambda envelope: (
            told.append(envelope.event) if isinstance(envelope.event, AgentSignedIn) else None
        )
    )
    admin, limin = await world.signed_in("admin"), await user_id(world, "limin")
    both = [await queue_id(world, "support"), await queue_id(world, "members")]
    form = await a_form(
        world, agent_number="1001", queues=both, device="main/8001", full_name="李敏"
    )
    saved = await admin.post(f"/people/{limin}", form)
    assert saved.headers["location"] == f"/people/{limin}?saved=1"
    assert [one.queues for one in told] == [("members", "support")]
    assert "已保存" in (await admin.get(saved.headers["location"])).text
    assert ("admin", "user.change", "limin") in await acts(world)


async def test_new_roles_hold_at_once_and_open_pages_come_back(world: World) -> None:
    zhaolei, admin = await world.signed_in("zhaolei"), await world.signed_in("admin")
    socket = await world.listen(zhaolei)
    await socket.frame("snapshot")
    assert (await zhaolei.get("/people")).status_code == 403
    form = await a_form(world, roles=["agent", "admin"], agent_number="1002", device="")
    await admin.post(f"/people/{await user_id(world, 'zhaolei')}", form)
    assert (await zhaolei.get("/people")).status_code == 200
    assert await socket.ended() == 4409


async def test_worked_agent_number_is_no_field_and_cannot_be_posted(world: World) -> None:
    await world.at_desk("limin", "8001")
    admin, limin = await world.signed_in("admin"), await user_id(world, "limin")
    page = (await admin.get(f"/people/{limin}")).text
    assert 'name="agent_number"' not in page
    form = await a_form(world, agent_number="1055", device="main/8001")
    refused = await admin.post(f"/people/{limin}", form)
    assert refused.status_code == 422
    form.pop("agent_number")
    assert (await admin.post(f"/people/{limin}", form)).status_code == 303


async def test_new_one_time_password_ends_every_session_of_the_person(world: World) -> None:
    limin, admin = await world.signed_in("limin"), await world.signed_in("admin")
    socket = await world.listen(limin)
    shown = await admin.post(f"/people/{await user_id(world, 'limin')}/password")
    password = password_on(shown.text)
    assert await socket.ended() == 4401
    assert (await limin.get("/calls")).headers["location"].startswith("/sign-in")
    back = world.browser()
    assert (await back.sign_in("limin", PASSWORD)).status_code == 403
    assert (await back.sign_in("limin", password)).status_code == 303
    assert (await back.get("/calls")).headers["location"] == "/password"
    assert ("admin", "user.password", "limin") in await acts(world)


async def test_disabled_person_is_out_within_a_second_and_the_seat_is_free(world: World) -> None:
    limin, admin = await world.at_desk("limin", "8001"), await world.signed_in("admin")
    token = await world.token("crm", "agent", "limin")
    socket, program = await world.listen(limin), await world.listen(token=token)
    left: list[AgentSignedOut] = []
    world.bus.subscribe(
        lambda envelope: (
            left.append(envelope.event) if isinstance(envelope.event, AgentSignedOut) else None
        )
    )
    limin_id = await user_id(world, "limin")
    assert (await admin.post(f"/people/{limin_id}/disable")).status_code == 303
    assert await socket.ended(1.0) == 4401
    assert await program.ended(1.5) == 4401
    assert (await limin.get("/desk")).headers["location"].startswith("/sign-in")
    assert [(one.interface, one.queues) for one in left] == [("PJSIP/8001", ("support",))]
    assert limin_id not in world.board.agents
    zhaolei = await world.signed_in("zhaolei")
    assert "李敏" not in (await zhaolei.get("/device")).text
    page = (await admin.get(f"/people/{limin_id}")).text
    assert "启用" in page
    await admin.post(f"/people/{limin_id}/enable")
    assert (await world.browser().sign_in("limin")).status_code == 303
    done = [act for _, act, subject in await acts(world) if subject == "limin"]
    assert {"user.disable", "user.enable"} <= set(done)


async def test_nobody_locks_out_the_last_administrator(world: World) -> None:
    admin, admin_id = await world.signed_in("admin"), await user_id(world, "admin")
    refused = await admin.post(f"/people/{admin_id}/disable")
    assert refused.status_code == 409
    assert "不能停用自己" in refused.text
    form = await a_form(world, roles=["agent"], agent_number="9001", device="")
    refused = await admin.post(f"/people/{admin_id}", form)
    assert refused.status_code == 422
    assert "这是最后一位管理员" in refused.text
    assert (await admin.get("/people")).status_code == 200


async def test_nobody_who_does_not_administer_reaches_any_of_it(world: World) -> None:
    limin_id = await user_id(world, "limin")
    for name in ("limin", "wangfang", "sunli"):
        browser = await world.signed_in(name)
        assert 'href="/people"' not in (await browser.get("/calls")).text
        for path in ("/people", "/people/new", f"/people/{limin_id}", "/seats", "/seats/main/8001"):
            assert (await browser.get(path)).status_code == 403, (name, path)
        for path in (
            "/people",
            f"/people/{limin_id}",
            f"/people/{limin_id}/password",
            f"/people/{limin_id}/disable",
            "/seats/main/8001/show",
            "/seats/main/8001/password",
        ):
            assert (await browser.post(path, await a_form(world))).status_code == 403, (name, path)


async def test_somebody_who_is_not_there_is_not_found(world: World) -> None:
    admin = await world.signed_in("admin")
    for one in ("999999", "0", "x", "1e3", "9" * 40, "-1"):
        assert (await admin.get(f"/people/{one}")).status_code == 404
        for act in ("", "/password", "/disable", "/enable"):
            posted = await admin.post(f"/people/{one}{act}", await a_form(world))
            assert posted.status_code == 404, (one, act)


# --- the own account ------------------------------------------------------------------------------


async def test_account_shows_what_is_known_of_me_and_where_i_am_signed_in(world: World) -> None:
    limin, _elsewhere = await world.signed_in("limin"), await world.signed_in("limin")
    page = (await limin.get("/account")).text
    for part in ("李敏", "1001", "华东一班", "报修", "8001", "127.0.0.1", "当前浏览器"):
        assert part in page
    assert page.count("当前浏览器") == 1
    assert "退出其他所有会话" in page


async def test_signing_out_everywhere_else_keeps_this_browser_and_the_device(world: World) -> None:
    here, there = await world.at_desk("limin", "8001"), await world.signed_in("limin")
    other_socket, own_socket = await world.listen(there), await world.listen(here)
    done = await here.post("/account/sign-out-elsewhere")
    assert done.headers["location"] == "/account?done=signed-out"
    assert await other_socket.ended() == 4401
    assert (await there.get("/account")).headers["location"].startswith("/sign-in")
    assert (await here.get("/desk")).status_code == 200
    await own_socket.frame("snapshot")
    assert ("limin", "session.end_others", "limin") in await acts(world)


async def test_new_password_is_mine_and_ends_my_other_sessions(world: World) -> None:
    here, there = await world.signed_in("limin"), await world.signed_in("limin")

    async def change(old: str, new: str, again: str | None = None) -> Any:
        form = {"password": old, "new_password": new, "new_password_again": again or new}
        return await here.post("/account/password", form)

    for old, new, again, says in (
        ("wrong", NEW, None, "当前密码错误"),
        (PASSWORD, NEW, "other", "两次输入的新密码不一致"),
        (PASSWORD, PASSWORD, None, "与当前密码相同"),
        (PASSWORD, "short", None, "太短"),
        (PASSWORD, "password1", None, "太常见"),
    ):
        refused = await change(old, new, again)
        assert refused.status_code == 422
        assert says in refused.text, (new, says)
    assert (await change(PASSWORD, NEW)).headers["location"] == "/account?done=password"
    assert (await there.get("/account")).headers["location"].startswith("/sign-in")
    assert (await here.get("/account")).status_code == 200
    assert (await world.browser().sign_in("limin", NEW)).status_code == 303


async def test_present_password_is_not_guessed_for_ever_with_a_stolen_session(
    world: World,
) -> None:
    thief = await world.signed_in("limin")
    form = {"password": "guess", "new_password": NEW, "new_password_again": NEW}
    for _ in range(10):
        await thief.post("/account/password", form)
    refused = await thief.post("/account/password", {**form, "password": PASSWORD})
    assert "尝试次数过多" in refused.text
    # The person signs in as always.
    assert (await world.browser().sign_in("limin")).status_code == 303


async def test_program_has_no_account_page(world: World) -> None:
    token = await world.token("crm", "agent", "limin")
    program = Browser(world.url)
    for path in ("/account",):
        answer = await program.get(path, headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 404
    await program.close()
