"""Two Asterisks whose first channels have the same Uniqueids, in one product: nothing is mixed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.harness import a_product, wait_until
from tests.journeys.centre import Api, furnish
from tests.lab.asterisk import Laboratory
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Caller, callers, phones

pytestmark = pytest.mark.asterisk

CALLS = 12


@pytest.fixture
def laboratories(installed: None) -> Iterator[tuple[Laboratory, Laboratory]]:
    with Laboratory() as one, Laboratory() as other:
        yield one, other


def unique_ids(lab: Laboratory) -> set[str]:
    return {row.split("|")[1] for row in lab.queue_log.read_text().splitlines()} - {"NONE"}


def test_two_pbxs_with_the_same_uniqueids_are_not_mixed(
    laboratories: tuple[Laboratory, Laboratory], tmp_path: Path
) -> None:
    urls = ",".join(
        lab.url.replace("/lab?", f"/{name}?")
        for name, lab in zip(("east", "west"), laboratories, strict=True)
    )
    with ExitStack() as stack:
        product = stack.enter_context(a_product(tmp_path / "two", {"ZUOXI_PBX_URLS": urls}))
        token = furnish(product, with_seats=False)
        product.start()
        api = Api(product, token)
        wait_until(
            "both links are up",
            lambda: [each["state"] for each in api.get("/api/v1/live")["links"]] == ["up", "up"],
            15,
        )
        began_at = datetime.now(UTC).replace(microsecond=0)
        for lab in laboratories:
            lab.rx("queue add member PJSIP/8001 to support penalty 0 as 1001")
            lab.rx("queue add member PJSIP/8002 to support penalty 0 as 1002")
            stack.enter_context(phones(lab, PhoneBehaviour(answer_after_ms=200), group=0))
        batches = [
            stack.enter_context(
                callers(
                    lab,
                    "4001",
                    [Caller(number=f"13{name}000000{place:02}") for place in range(CALLS)],
                    CallerBehaviour(talk_ms=600),
                    per_second=2,
                )
            )
            for name, lab in zip(("1", "2"), laboratories, strict=True)
        ]
        for batch in batches:
            batch.wait(60)
        wait_until(
            "all are recorded",
            lambda: sum(call["ended_at"] is not None for call in api.calls()) == 2 * CALLS,
            10,
        )
        one, other = (unique_ids(lab) for lab in laboratories)
        assert one & other, "no Uniqueid was given twice: nothing could be mixed"
        for pbx, number in (("east", "131"), ("west", "132")):
            callers_there = {
                re.sub(r"\D", "", call["caller_number_raw"] or "")[-11:][:3]
                for call in api.calls()
                if call["pbx"] == pbx
            }
            assert callers_there == {number}
            said = product.zuoxi(
                "reconcile", "--pbx", pbx, "--from", began_at.isoformat(),
                "--to", (datetime.now(UTC) + timedelta(seconds=1)).isoformat(),
            )  # fmt: skip
            assert said.splitlines()[-1] == f"{CALLS} passes compared, 0 differences"
