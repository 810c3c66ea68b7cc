"""Somebody at a desk in a real Chromium, and everything the browser has to say about it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Dialog, Locator, Page, expect

from tests.browser.centre import PASSWORD, Person
from tests.harness import Product

CHROMIUM = os.environ.get("ZUOXI_TEST_CHROMIUM") or shutil.which("chromium") or "chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]

Theme = Literal["light", "dark"]

# What happened on the page and when, by the clock that SIPp's logs use; it outlives a reload.
WITNESS = """(() => {
  const nothing = () => ({ offered: [], popped: {}, most_pops: 0, most_cards: 0 });
  const kept = sessionStorage.getItem("witness");
  const seen = kept ? JSON.parse(kept) : nothing();
  const keep = () => sessionStorage.setItem("witness", JSON.stringify(seen));
  globalThis.forget_all_seen = () => { Object.assign(seen, nothing()); keep(); };
  document.addEventListener("live:call.offered", ({ detail }) => {
    seen.offered.push(detail.call.call_id);
    keep();
  });
  const look = () => {
    const pops = [...document.querySelectorAll(".screen-pop")];
    seen.most_pops = Math.max(seen.most_pops, pops.length);
    seen.most_cards = Math.max(seen.most_cards, document.querySelectorAll(".call-card").length);
    for (const pop of pops) {
      if (seen.popped[pop.dataset.call]) continue;
      seen.popped[pop.dataset.call] = -1;
      requestAnimationFrame(() => { seen.popped[pop.dataset.call] = Date.now(); keep(); });
    }
    keep();
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
})();"""

ABSENT_SERVER = ("net::ERR_", "WebSocket connection to")
"""Complaints about a server that we killed ourselves."""


@dataclass
class Desk:
    """One person's browser: its page, its complaints, every address it asked for."""

    context: BrowserContext
    page: Page
    product: Product
    complaints: list[str] = field(default_factory=list)
    addresses: set[str] = field(default_factory=set)
    dialogs: list[str] = field(default_factory=list)

    def listen(self) -> None:
        self.page.on("console", lambda m: self._complain(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda wrong: self.complaints.append(str(wrong)))
        self.page.on("dialog", self._asked)
        self.page.on("websocket", lambda socket: self.addresses.add(_origin(socket.url)))
        self.context.on("request", lambda request: self.addresses.add(_origin(request.url)))

    def _complain(self, text: str) -> None:
        if not any(absent in text for absent in ABSENT_SERVER):
            self.complaints.append(text)

    def _asked(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    # --- what stands there ------------------------------------------------------------------------

    @property
    def pop(self) -> Locator:
        return self.page.get_by_role("alertdialog")

    @property
    def card(self) -> Locator:
        return self.page.locator(".call-card").locator("visible=true")

    @property
    def who(self) -> Locator:
        return self.card.locator(".who")

    @property
    def note(self) -> Locator:
        return self.card.get_by_label("小结内容")

    @property
    def state(self) -> Locator:
        return self.page.locator("#agent-state")

    @property
    def bar(self) -> Locator:
        return self.page.locator("#call-bar")

    @property
    def strip(self) -> Locator:
        return self.page.locator("link-strip")

    @property
    def own_calls(self) -> Locator:
        return self.page.locator("#my-calls li")

    @property
    def seen(self) -> dict[str, Any]:
        """What `WITNESS` has seen since `tidies`."""
        text = self.page.evaluate("sessionStorage.getItem('witness')")
        found: dict[str, Any] = json.loads(text)
        return found

    def is_ready(self) -> None:
        expect(self.state).to_contain_text("空闲", timeout=15_000)

    # --- what the person does ---------------------------------------------------------------------

    def submits(self) -> None:
        """Ctrl+Enter; the card leaves the desk."""
        card = self.card
        id_ = card.get_attribute("id")
        self.page.keyboard.press("Control+Enter")
        expect(self.page.locator(f"#{id_}")).to_have_count(0)

    def tidies(self) -> None:
        """The desk as the next test wants it: no call, no card, a witness who knows nothing."""
        self.is_ready()
        expect(self.pop).to_have_count(0)
        while self.card.count():
            self.submits()
        self.page.reload()
        expect(self.page.get_by_text("服务器正常")).to_be_visible()
        self.page.evaluate("forget_all_seen()")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return "data:" if parts.scheme in ("data", "blob") else parts.netloc


@contextmanager
def a_browser_of(
    browser: Browser, product: Product, *, locale: str = "zh-CN", theme: Theme = "light"
) -> Iterator[Desk]:
    """A browser context that has been nowhere yet."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 820},
        locale=locale,
        timezone_id="Asia/Shanghai",
        color_scheme=theme,
        reduced_motion="reduce",
    )
    context.grant_permissions(["notifications"], origin=product.url)
    context.add_init_script(WITNESS)
    desk = Desk(context=context, page=context.new_page(), product=product)
    desk.listen()
    try:
        yield desk
    finally:
        context.close()


def goes_in(desk: Desk, person: Person) -> None:
    """Name and password, as everybody."""
    desk.page.goto(f"{desk.product.url}/")
    desk.page.get_by_label("用户名").fill(person.name)
    desk.page.get_by_label("密码").fill(PASSWORD)
    desk.page.get_by_role("button", name="登录").click()


def signs_in(desk: Desk, person: Person) -> None:
    """To the page, then at the phone; ready for calls when this returns."""
    goes_in(desk, person)
    desk.page.get_by_label(person.extension).check()
    desk.page.get_by_role("button", name="签入").click()
    expect(desk.page.get_by_text("服务器正常")).to_be_visible()
    desk.is_ready()
