"""Every route × every kind of visitor × own, team's, other's: the answer is what the table says.

The routes come from the app itself, so a new one is here from its first day. What a visitor is
expected to get follows from the route's door and the preset roles alone, not from the code under
test.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from starlette.routing import Mount, Route
from websockets.exceptions import InvalidStatus

from agent_ui.app import create_app
from agent_ui.security import Access, Declared, Door, declared_routes, needs, undeclared
from crm_core.access.permissions import PRESET_ROLES, Permission
from crm_core.ids import CallId
from tests.agent_ui.world import PASSWORD, Browser, World

PEOPLE = {
    "agent": "limin",
    "outbound_caller": "sunli",
    "supervisor": "wangfang",
    "admin": "admin",
}
"""Who holds each preset role in the test's centre."""

TOKENS = {"token_of_agent": ("agent", "limin"), "token_of_nobody": ("supervisor", None)}


@dataclass
class Visitor:
    """How one kind of visitor knocks."""

    kind: str
    permissions: frozenset[Permission] | None
    """None: not signed in."""
    browser: Browser
    headers: dict[str, str] = field(default_factory=dict)

    async def knock(self, method: str, path: str) -> httpx2.Response:
        body: dict[str, Any] = {}
        if method in ("POST", "PATCH"):
            wants_json = path.startswith("/api/")
            form = {"csrf_token": self.browser.csrf, "customer": "1"}
            body = {"json": {}} if wants_json else {"data": form}
        headers = {"origin": self.browser.url, "x-csrf-token": self.browser.csrf, **self.headers}
        return await self.browser.request(method, path, headers=headers, **body)


async def visitors(world: World) -> list[Visitor]:
    found = [Visitor("nobody", None, world.browser())]
    disabled = world.browser()
    await disabled.sign_in("gone")
    found.append(Visitor("disabled", None, disabled))
    for role, name in PEOPLE.items():
        preset = PRESET_ROLES[role].permissions
        found.append(Visitor(role, preset, await world.signed_in(name)))
    for kind, (role, user) in TOKENS.items():
        token = await world.token(kind, role, user)
        headers = {"authorization": f"Bearer {token}"}
        found.append(Visitor(kind, PRESET_ROLES[role].permissions, world.browser(), headers))
    bad = {"authorization": "Bearer zx_not-a-token"}
    found.append(Visitor("bad token", None, world.browser(), bad))
    return found


def opens(access: Access | None, visitor: Visitor) -> bool:
    """Does this door let this visitor in?"""
    if access is Door.PUBLIC:
        return True
    if visitor.permissions is None:
        return False
    return isinstance(access, Door) or access in visitor.permissions


def path_of(route: Declared) -> str:
    return (
        route.path.replace("{call_id}", "0" * 32)
        .replace("{recording_id}", "0" * 32)
        .replace("{customer_id}", "1")
        .replace("{release}", "0")
        .replace("{name:path}", "css/desk.css")
        # Nobody's: the visitors behind them must find everybody as they are.
        .replace("{user_id}", "999999")
        .replace("{pbx}/{extension}", "main/none")
        .replace("{token}", "no-such-link")
    )


SHUT = (401, 403)
ENDS_SESSIONS = (
    "/sign-out",
    "/sign-in",
    "/set-up/{token}",
    "/password",
    "/language",
    "/account/sign-out-elsewhere",
)
"""Public or own things that would change the visitors for the routes behind them: tested elsewhere."""


async def test_every_door_opens_for_whom_it_should_and_for_nobody_else(world: World) -> None:
    routes = [
        r
        for r in declared_routes(create_app(world.ui.deps))
        if r.method != "WS" and not (r.method == "POST" and r.path in ENDS_SESSIONS)
    ]
    wrong = []
    for visitor in await visitors(world):
        for route in routes:
            response = await visitor.knock(route.method, path_of(route))
            to_sign_in = response.headers.get("location", "").startswith("/sign-in")
            shut = response.status_code in SHUT or (response.status_code == 303 and to_sign_in)
            if shut == opens(route.access, visitor):
                wrong.append(f"{visitor.kind}: {route.method} {route.path} {response.status_code}")
            assert response.status_code < 500, (visitor.kind, route, response.text)
    # "/" answers 403 to whoever has no page; no preset role is such a person.
    assert wrong == []


async def test_the_socket_opens_for_whom_it_should(world: World) -> None:
    for visitor in await visitors(world):
        token = visitor.headers.get("authorization", "").partition(" ")[2] or None
        browser = visitor.browser if visitor.browser.cookies else None
        may = opens(Permission.READ_LIVE, visitor)
        if may:
            socket = await world.listen(browser, token=token)
            await socket.frame("snapshot")
            await socket.close()
        else:
            with pytest.raises(InvalidStatus) as refused:
                await world.listen(browser, token=token)
            assert refused.value.response.status_code in SHUT, visitor.kind


async def test_calls_are_seen_by_those_whose_they_are(world: World) -> None:
    """Own call, a colleague's of the own team, one of another team."""
    await world.at_desk("limin", "8001")
    await world.at_desk("sunli", "8003")
    calls: dict[str, CallId] = {}
    for name, extension, number, queue in (
        ("limin", "8001", "1001", "support"),
        ("sunli", "8003", "1003", "members"),
    ):
        call, queue_pass = world.caller_queues(queue=queue)
        ring = world.rings(call, queue_pass, extension, number)
        world.answers(ring)
        world.hangs_up(ring)
        calls[name] = call
    await world.recorded()
    seen = {
        "limin": {"limin"},
        "zhaolei": set(),
        "sunli": {"sunli"},
        "wangfang": {"limin"},
        "chenwei": {"sunli"},
        "admin": {"limin", "sunli"},
    }
    for name, own in seen.items():
        browser = await world.signed_in(name)
        listed = (await browser.get("/api/v1/calls")).json()["items"]
        assert {one["call_id"] for one in listed} == {calls[who] for who in own}, name
        page = (await browser.get("/calls")).text
        for who, call in calls.items():
            expected = 200 if who in own else 404
            for path in (f"/calls/{call}", f"/api/v1/calls/{call}"):
                assert (await browser.get(path)).status_code == expected, (name, path)
            assert (call in page) == (who in own), (name, who)


async def test_only_who_talks_in_a_call_hangs_it_up_or_writes_its_note(world: World) -> None:
    mine = await world.at_desk("limin", "8001")
    ring = world.a_call_rings()
    world.answers(ring)
    await world.recorded()
    others = [await world.at_desk("zhaolei", "8002"), await world.signed_in("admin")]
    for other in others:
        refused = await other.post(f"/calls/{ring.call}/hang-up")
        assert refused.status_code == 404
    assert (await others[0].post(f"/calls/{ring.call}/note", {"note": "x"})).status_code == 404
    assert world.hung_up == []
    assert (await mine.post(f"/calls/{ring.call}/hang-up")).status_code == 204
    assert [command.call for command in world.hung_up] == [ring.call]


async def test_a_one_time_password_opens_nothing_but_its_replacement(world: World) -> None:
    from datetime import UTC, datetime

    from crm_core.access.users import set_password
    from crm_core.db import transaction

    async with transaction(world.engine) as connection:
        once = await set_password(connection, "limin", actor="test", now=datetime.now(UTC))
    browser = world.browser()
    await browser.sign_in("limin", once or "")
    for path in ("/", "/desk", "/calls", "/device", "/docs"):
        assert (await browser.get(path)).headers.get("location") == "/password", path
    assert (await browser.get("/api/v1/calls")).status_code == 403
    form = {
        "password": once,
        "new_password": f"{PASSWORD}-neu",
        "new_password_again": f"{PASSWORD}-neu",
    }
    assert (await browser.post("/password", form)).headers["location"] == "/"
    assert (await browser.get("/device")).status_code == 200


def test_an_app_with_an_undeclared_route_is_not_built(world: World) -> None:
    app = create_app(world.ui.deps)
    assert undeclared(app) == []

    async def handler() -> None: ...

    router = APIRouter()
    router.add_api_route("/undeclared", handler)
    router.add_api_websocket_route("/undeclared-socket", handler)
    for route in (
        *router.routes,
        Route("/plain", handler),
        Mount("/mounted", app=FastAPI()),
    ):
        app.router.routes.append(route)
        assert undeclared(app), route
        app.router.routes.remove(route)
    documented = FastAPI()
    assert len(undeclared(documented)) >= 4  # FastAPI's own /docs, /redoc, /openapi.json …
    twice = APIRouter()
    doors = [needs(Door.PUBLIC), needs(Permission.ADMINISTER)]
    twice.add_api_route("/two-doors", handler, dependencies=doors)
    app.router.routes.extend(twice.routes)
    assert undeclared(app) == ["GET /two-doors"]
