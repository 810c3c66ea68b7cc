"""`zuoxi doctor` as an operator calls it: beside a running service, by exit code, without a secret."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.harness import Product, a_product, wait_until
from tests.journeys.centre import Api, a_plan, furnish
from tests.lab.asterisk import CONTROL_SECRET, EVENTS_SECRET, Laboratory

pytestmark = pytest.mark.asterisk


def link_is_up(api: Api) -> bool:
    return [link["state"] for link in api.get("/api/v1/live")["links"]] == ["up"]


@pytest.fixture
def product(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """On an Asterisk whose generated files the product writes itself."""
    with ExitStack() as stack:
        lab = stack.enter_context(Laboratory())
        lab.stop()
        lab.plan = a_plan(lab)
        lab.configure()
        lab.start()
        settings = {"ZUOXI_PBX_URLS": lab.url, "ZUOXI_ASTERISK_CONF": str(lab.generated)}
        yield stack.enter_context(a_product(tmp_path_factory.mktemp("doctor"), settings))


def test_from_the_first_day_to_a_kill(product: Product) -> None:
    product.folder.mkdir(exist_ok=True)
    said = product.zuoxi("doctor", code=1)
    assert "    zuoxi migrate\n" in said
    token = furnish(product)
    product.zuoxi("doctor", "--live", code=1)

    product.start()
    api = Api(product, token)
    wait_until("the link is up", lambda: link_is_up(api), 10)
    wait_until("the plan is told", lambda: "told Asterisk" in product.log(), 10)
    assert product.zuoxi("doctor") == "nothing is wrong\n"
    assert product.zuoxi("doctor", "--live") == ""

    product.kill9()
    silent = product.zuoxi("doctor", "--live", code=1)
    assert "/readyz does not answer" in silent
    for secret in (EVENTS_SECRET, CONTROL_SECRET):
        assert secret not in said + silent
