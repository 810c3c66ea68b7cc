"""One laboratory, one product and one Chromium for all of tests/browser, and 李敏 at her desk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.centre import LIMIN, SUPPORT, furnish, put_on, share_a_number
from tests.browser.desk import CHROMIUM, FLAGS, Desk, a_browser_of, signs_in
from tests.harness import Product, a_product
from tests.lab.asterisk import Laboratory
from tests.lab.scenarios import CallerBehaviour
from tests.lab.sipp import Caller, Sipp, callers


@dataclass(frozen=True)
class Floor:
    """The parts of a running centre."""

    lab: Laboratory
    product: Product
    browser: Browser

    @contextmanager
    def a_call(
        self,
        number: str | None,
        hotline: str = SUPPORT,
        *,
        name: str | None = None,
        talk_ms: int | None = 1500,
        patience_ms: int | None = None,
    ) -> Iterator[Sipp]:
        """Somebody calls; the block is left when that call is over."""
        behaviour = CallerBehaviour(talk_ms=talk_ms, patience_ms=patience_ms)
        with callers(self.lab, hotline, [Caller(number=number, name=name)], behaviour) as caller:
            yield caller
            caller.wait(30)


@pytest.fixture(scope="package")
def floor(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    folder = tmp_path_factory.mktemp("browser")
    with Laboratory() as lab:
        put_on(lab)
        with (
            a_product(folder, {"ZUOXI_PBX_URLS": lab.url}) as product,
            sync_playwright() as playwright,
        ):
            furnish(product)
            product.start()
            share_a_number(product)
            with playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as browser:
                yield Floor(lab, product, browser)


@pytest.fixture(scope="package")
def limin_at_work(floor: Floor) -> Iterator[Desk]:
    with a_browser_of(floor.browser, floor.product) as desk:
        signs_in(desk, LIMIN)
        yield desk


@pytest.fixture
def limin(floor: Floor, limin_at_work: Desk) -> Iterator[Desk]:
    """Her desk without a call. Nothing may ever be wrong in her browser, whatever the test is about."""
    floor.lab.rx("channel request hangup all")  # what a test that failed left behind
    limin_at_work.tidies()
    yield limin_at_work
    assert limin_at_work.complaints == []
    assert limin_at_work.dialogs == []
    own = limin_at_work.product.url.removeprefix("http://")
    assert limin_at_work.addresses == {own}
