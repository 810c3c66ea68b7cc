"""What `docker-compose.yml` starts, started: its product commands with their environment, against the
laboratory instead of containers, and a real call through them."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.harness import ROOT, wait_until
from tests.journeys.centre import HOTLINES, Api, a_plan, furnish, sign_in
from tests.journeys.split import SERVICES, a_split
from tests.lab.asterisk import CONTROL_SECRET, EVENTS_SECRET, Laboratory
from tests.lab.postgres import Postgres
from tests.lab.redis import RedisServer
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Caller, callers, phones

pytestmark = [pytest.mark.asterisk, pytest.mark.redis, pytest.mark.postgresql]


def test_a_real_call_goes_through_what_compose_starts(
    installed: None, tmp_path: Path, postgres: Postgres
) -> None:
    compose: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    with ExitStack() as stack:
        lab = stack.enter_context(Laboratory())
        lab.stop()
        lab.plan = a_plan(lab)
        lab.configure()
        lab.start()
        redis = stack.enter_context(RedisServer())
        product = stack.enter_context(a_split(tmp_path / "split", "", postgres, redis))
        services = {name: compose["services"][name] for name in SERVICES}
        [environ] = {tuple(sorted(each["environment"].items())) for each in services.values()}
        places = {
            "postgresql://zuoxi:pw@127.0.0.1/zuoxi": product.environ["ZUOXI_DATABASE_URL"],
            "redis://127.0.0.1:6379/0": redis.url,
            "127.0.0.1:5038/main": f"127.0.0.1:{lab.ports.ami}/lab",
            "/var/log/asterisk": str(lab.queue_log.parent),
            # Not what this Asterisk reads: its phones are SIPp's, on ports that no set-up names.
            "/etc/asterisk/zuoxi": str(tmp_path / "split" / "asterisk"),
            "/var/lib/zuoxi": str(tmp_path / "split" / "var"),
        }
        product.environ = {name: _here(value, places) for name, value in environ}
        product.commands = {name: each["command"] for name, each in services.items()}
        token = furnish(product)
        product.start()
        sign_in(product, 0)
        stack.enter_context(phones(lab, PhoneBehaviour(answer_after_ms=200), group=0))
        wait_until("a member is there", lambda: "8001" in lab.rx("queue show support"), 10)
        api = Api(product, token)
        someone = [Caller(number="13800000009", name="孙女士")]
        with callers(lab, HOTLINES["support"], someone, CallerBehaviour(talk_ms=1500)) as call:
            wait_until("it is on the board", lambda: api.get("/api/v1/live")["calls"], 10)
            call.wait(20)

        def outcomes() -> list[str | None]:
            return [one["outcome"] for each in api.calls() for one in each["passes"]]

        wait_until("its row is whole", lambda: outcomes() == ["answered"], 5)


def _here(value: str, places: dict[str, str]) -> str:
    """A value of compose with its variables filled in, and with the laboratory's places."""
    secrets = {
        "POSTGRES_PASSWORD": "pw",
        "AMI_EVENTS_SECRET": EVENTS_SECRET,
        "AMI_CONTROL_SECRET": CONTROL_SECRET,
    }
    found = re.sub(r"\$\{(\w+)[^}]*\}", lambda name: secrets[name[1]], value)
    for there, here in places.items():
        found = found.replace(there, here)
    return found
