"""What other sites, guessers and hostile clients try."""

from __future__ import annotations

import re
import socket

import httpx2
import pytest
from websockets.exceptions import InvalidStatus

from agent_ui.security import BODY_LIMIT, safe_next
from agent_ui.service import refuse_plain_http
from crm_core.errors import SettingError
from crm_core.settings import Settings
from tests.agent_ui.world import PASSWORD, World

FOREIGN_ORIGINS = [
    None,
    "null",
    "",
    "http://evil.example",
    "https://evil.example",
    "http://127.0.0.1",
    "http://localhost",
    "http://127.0.0.1.evil.example",
    "http://evil.example/127.0.0.1",
    "file://",
    "chrome-extension://abcdef",
    "HTTP://EVIL.EXAMPLE",
    "http://[::1]",
    "data:text/html,x",
    *(f"http://127.0.0.1:{port}" for port in range(1, 19)),
    *(f"https://sub{number}.evil.example" for number in range(18)),
]


def test_there_are_fifty_foreign_origins() -> None:
    assert len(set(FOREIGN_ORIGINS)) == 50


async def test_a_socket_with_a_session_must_come_from_our_own_page(world: World) -> None:
    browser = await world.signed_in("limin")
    for origin in FOREIGN_ORIGINS:
        with pytest.raises(InvalidStatus) as refused:
            await world.listen(browser, origin=origin)
        assert refused.value.response.status_code == 403, origin
    with_the_port_of_the_server_but_https = world.url.replace("http://", "https://")
    with pytest.raises(InvalidStatus):
        await world.listen(browser, origin=with_the_port_of_the_server_but_https)
    await (await world.listen(browser)).frame("snapshot")


async def test_a_program_with_a_token_needs_no_origin(world: World) -> None:
    token = await world.token("crm", "supervisor")
    await (await world.listen(token=token, origin=None)).frame("snapshot")


async def test_a_token_in_the_address_opens_nothing(world: World) -> None:
    token = await world.token("crm", "supervisor")
    for query in (f"?token={token}", f"?access_token={token}"):
        with pytest.raises(InvalidStatus) as refused:
            await world.listen(origin=None, query=query)
        assert refused.value.response.status_code == 401


CHANGES = [
    ("/sign-out", {}),
    ("/device", {"device": "main/8001"}),
    ("/password", {"password": PASSWORD, "new_password": "x" * 9, "new_password_again": "x" * 9}),
    ("/language", {"language": "en"}),
    ("/calls/0/hang-up", {}),
    ("/calls/0/note", {"note": "x"}),
    ("/calls/0/customer", {"customer": "1"}),
]


@pytest.mark.parametrize(("path", "form"), CHANGES)
async def test_no_change_without_the_sessions_own_token(
    world: World, path: str, form: dict[str, str]
) -> None:
    browser, other = await world.signed_in("limin"), await world.signed_in("zhaolei")
    assert browser.csrf != other.csrf
    for wrong in ("", "0", other.csrf, browser.csrf[:-1], "数"):
        refused = await browser.post(path, {**form, "csrf_token": wrong})
        assert refused.status_code == 403, (path, wrong)
    bare = await browser.request("POST", path, data=form, headers={"origin": browser.url})
    assert bare.status_code == 403
    for site in ("cross-site", "same-site"):
        headers = {"sec-fetch-site": site, "x-csrf-token": browser.csrf}
        foreign = await browser.request("POST", path, data=form, headers=headers)
        assert foreign.status_code == 403, (path, site)
    for origin in ("http://evil.example", "null"):
        foreign = await browser.post(path, form, headers={"origin": origin})
        assert foreign.status_code == 403, (path, origin)


async def test_the_api_asks_a_session_for_its_token_too(world: World) -> None:
    browser = await world.signed_in("limin")
    headers = {"origin": browser.url}
    bare = await browser.request(
        "POST", "/api/v1/customers", json={"name": "新客户"}, headers=headers
    )
    assert bare.status_code == 403
    headers["x-csrf-token"] = browser.csrf
    made = await browser.request(
        "POST", "/api/v1/customers", json={"name": "新客户"}, headers=headers
    )
    assert made.status_code == 201


async def test_another_site_cannot_sign_somebody_in(world: World) -> None:
    browser = world.browser()
    form = {"name": "limin", "password": PASSWORD}
    foreign = await browser.post("/sign-in", form, headers={"origin": "http://evil.example"})
    assert foreign.status_code == 403
    assert browser.cookies == {}


async def test_a_sign_in_makes_a_new_session_id_and_ends_the_old_one(world: World) -> None:
    browser = await world.signed_in("limin")
    first = browser.cookies["__Host-zuoxi"]
    await browser.sign_in("limin")
    assert browser.cookies["__Host-zuoxi"] != first
    stolen = world.browser()
    stolen.cookies["__Host-zuoxi"] = first
    assert (await stolen.get("/calls")).status_code == 303


async def test_the_cookie_is_kept_from_scripts_other_sites_and_plain_networks(world: World) -> None:
    browser = world.browser()
    form = {"name": "limin", "password": PASSWORD}
    response = await browser.post("/sign-in", form)
    (cookie,) = response.headers.get_list("set-cookie")
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert cookie.startswith("__Host-zuoxi=")
    assert {"httponly", "secure", "samesite=lax", "path=/"} <= attributes
    assert not any(part.startswith("domain") for part in attributes)


async def test_sign_out_ends_the_session_and_its_sockets(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    cookies = dict(browser.cookies)
    sockets = [await world.listen(browser) for _ in range(3)]
    for socket_ in sockets:
        await socket_.frame("snapshot")
    assert (await browser.post("/sign-out")).headers["location"] == "/sign-in"
    assert [await socket_.ended() for socket_ in sockets] == [4401] * 3
    assert not world.board.agents
    browser.cookies = cookies
    assert (await browser.get("/desk")).status_code == 303


async def test_a_guesser_is_slowed_down(world: World) -> None:
    browser = world.browser()
    answers = [
        (await browser.post("/sign-in", {"name": "limin", "password": f"{guess}"})).status_code
        for guess in range(11)
    ]
    assert answers == [403] * 10 + [429]
    assert (
        await browser.post("/sign-in", {"name": "limin", "password": PASSWORD})
    ).status_code == 429


PAGES = ["/sign-in", "/device", "/calls", "/docs", "/password", "/no-such-page", "/api/v1/calls"]


@pytest.mark.parametrize("path", PAGES)
async def test_every_answer_carries_the_security_headers(world: World, path: str) -> None:
    browser = await world.signed_in("limin")
    headers = (await browser.get(path)).headers
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "permissions-policy" in headers
    assert "server" not in headers


async def test_pages_have_no_inline_script_style_or_handler(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    world.answers(world.a_call_rings())
    world.a_call_rings()
    for path in ("/sign-in", "/device", "/desk", "/calls", "/docs", "/password", "/nowhere"):
        html = (await browser.get(path)).text
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", html), path
        assert not re.search(r"<[a-z-]+[^>]*\s(on[a-z]+|style)=", html), path
        assert "<style" not in html, path
        assert not re.search(r"""(src|href)=["'](https?:)?//""", html), path


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)",
     "evil", "", "/\t/evil.example", "/\n", "\\\\evil", "///evil.example", "/" + "x" * 600],
)  # fmt: skip
def test_after_the_sign_in_nobody_is_sent_to_another_site(target: str) -> None:
    assert safe_next(target) == "/"


async def test_the_sign_in_goes_on_to_the_page_that_was_asked_for(world: World) -> None:
    browser = world.browser()
    away = (await browser.get("/calls?queue=support")).headers["location"]
    assert away == "/sign-in?next=/calls%3Fqueue%3Dsupport"
    assert 'value="/calls?queue=support"' in (await browser.get(away)).text
    form = {"name": "limin", "password": PASSWORD, "next": "/calls?queue=support"}
    assert (await browser.post("/sign-in", form)).headers["location"] == "/calls?queue=support"


async def test_a_body_that_is_too_large_is_refused_told_or_not(world: World) -> None:
    browser = await world.signed_in("limin")
    big = b"x" * (BODY_LIMIT + 1)

    async def untold() -> object:
        for _ in range(BODY_LIMIT // 1024 + 1):
            yield b"x" * 1024

    for body in (big, untold()):
        headers = {
            "origin": browser.url,
            "x-csrf-token": browser.csrf,
            "content-type": "application/json",
        }
        response = await browser.request("POST", "/api/v1/customers", content=body, headers=headers)
        assert response.status_code == 413


@pytest.mark.parametrize(
    "path",
    ["../../pyproject.toml", "%2e%2e/%2e%2e/pyproject.toml", "css/../../app.py", "/etc/passwd",
     "css", "css/", "..%2fapp.py", "css/desk.css%00", "css\\desk.css"],
)  # fmt: skip
async def test_only_listed_files_are_served(world: World, path: str) -> None:
    static = world.ui.deps.renderer.static
    browser = world.browser()
    assert (await browser.get(f"/static/{static.release}/{path}")).status_code == 404
    found = await browser.get(static.url("css/desk.css"))
    assert found.status_code == 200
    assert "immutable" in found.headers["cache-control"]
    assert found.headers["content-type"].startswith("text/css")


def test_plain_http_to_the_network_is_refused_at_start() -> None:
    for bind in ("0.0.0.0:8000", "192.0.2.7:8000", "[::]:8000", "call.example:8000"):
        with pytest.raises(SettingError, match="ZUOXI_INSECURE_HTTP"):
            refuse_plain_http(Settings(http_bind=bind))
    lan = Settings(http_bind="0.0.0.0:8000")
    for right in (
        {"tls_cert": "c.pem", "tls_key": "k.pem"},
        {"insecure_http": True},
        {"public_url": "https://call.example"},
    ):
        refuse_plain_http(lan.model_copy(update=right))
    for bind in ("127.0.0.1:8000", "[::1]:8000", "localhost:8000"):
        refuse_plain_http(Settings(http_bind=bind))
    with pytest.raises(SettingError, match="belong together"):
        refuse_plain_http(Settings(tls_cert="c.pem"))


async def test_a_taken_port_is_said_in_a_sentence(world: World, settings: Settings) -> None:
    from agent_ui.service import listening

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingError, match=f"port {port} of 127.0.0.1 is taken"):
            listening(settings.model_copy(update={"http_bind": f"127.0.0.1:{port}"}))


async def test_over_plain_http_every_page_says_so(settings: Settings) -> None:
    from tests.agent_ui.world import running

    async with running(settings.model_copy(update={"insecure_http": True})) as world:
        browser = world.browser()
        response = await browser.sign_in("limin")
        assert "zuoxi" in browser.cookies
        assert "secure" not in response.headers["set-cookie"].lower()
        for path in ("/sign-in", "/device", "/calls"):
            response = await browser.get(path)
            assert path == "/sign-in" or 'class="insecure"' in response.text


async def test_health_needs_nothing(world: World) -> None:
    async with httpx2.AsyncClient() as client:
        assert (await client.get(f"{world.url}/healthz")).json() == {"status": "ok"}
